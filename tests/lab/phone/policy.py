"""What a phone does by itself, as small values, so that a scenario reads as a table.

Phone("guide-1", answer_policy=Ring(after_s=0.2), talk=Talk(s=1.5, then=TransferBlind("8100")))
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.phone.sdp import Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """Ring, then answer."""

    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Ring for ever; the scenario may still answer or refuse the call itself."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Answer 486."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with that status: 480 not reachable, 404 no such number, 603 declined."""

    status: int


AnswerPolicy = Ring | NoAnswer | Busy | Refuse


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call from this side."""


@dataclass(frozen=True, slots=True)
class WaitForThem:
    """Stay until the other side hangs up."""


@dataclass(frozen=True, slots=True)
class TransferBlind:
    """Hand the caller over without asking: REFER to a number.

    Some phones leave as soon as the PBX accepts, others wait for its report; if that is a failure,
    this one hangs up.
    """

    number: str
    leaves_at_once: bool = False


@dataclass(frozen=True, slots=True)
class TransferAttended:
    """Hold the caller, ring the number, talk to it, then join the two: REFER with Replaces."""

    number: str
    consult_s: float = 0.5


@dataclass(frozen=True, slots=True)
class TransferRinging:
    """Hold the caller, ring the number, and drop out while it still rings.

    How a phone does that differs by make: REFER with Replaces of the ringing call, or CANCEL and a
    blind REFER (which RFC 5589 section 7.3 recommends).
    """

    number: str
    by_replaces: bool = True


@dataclass(frozen=True, slots=True)
class ConsultAndReturn:
    """Hold the caller, ring the number, give up the question, and go on with the caller."""

    number: str
    consult_s: float = 0.5
    talk_s: float = 0.5


@dataclass(frozen=True, slots=True)
class Hold:
    """Hold the caller for a while, take them back, talk on, then hang up."""

    s: float
    talk_s: float = 0.5
    direction: Direction = Direction.SEND


Then = (
    HangUp
    | WaitForThem
    | TransferBlind
    | TransferAttended
    | TransferRinging
    | ConsultAndReturn
    | Hold
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """Talk that long after the answer, then do something."""

    s: float
    then: Then = HangUp()
