"""One caller's call: menu choice, entries in order, hand-overs, and what it came to.

Here: the record and the rule for its outcome. Not here: routing (tracker.py), states of one entry
(entry.py), the case rule (cases.py).

The rules
    1. A call is keyed by the caller's channel, from arrival on a line (or first queue) to the
       hang-up of that channel. A transfer does not end it, and into another of our queues adds
       an entry.
    2. The outcome is decided ENDING_GRACE after the hang-up, because transfers and AgentComplete
       may come late (ASTERISK.md §E).
    3. The last agent who answered decides: a guide who did not hand on, *resolved*; a guide who
       did, *handed on*; the switchboard, *switchboard*, unless a guide had handed the caller there.
    4. A transfer made by the caller is not a hand-over.
    5. What we did not see is *unknown*, never guessed.
    6. What became of a hand-over is kept beside the outcome (hand_over.py). One that came back to
       the same agent is undone: that agent decides again.
    7. An agent's own channel that asks in a queue of ours is no call (consultation.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ivrd.core.effects import Disposition, Outcome, Reach, RecordCall
from ivrd.core.events import (
    AgentCompleted,
    AgentConnected,
    AgentRang,
    AgentRingEnded,
    CallerAbandonNoted,
    CallerLeft,
    ChoiceMade,
)
from ivrd.core.ids import CallId, ChannelId, Interface, LineName, QueueName, SystemName
from ivrd.core.rules import FloorRules, QueueRules, Role
from ivrd.core.stay import Closed, EntryState, Move, Talking
from ivrd.core.unserved import outcome_after_key, outcome_without_queue

QueueEvent = (
    CallerLeft | CallerAbandonNoted | AgentRang | AgentRingEnded | AgentConnected | AgentCompleted
)
"""What a queue tells of a caller who is in it already."""

PATH_MARK = ">"
"""Between the choices of a path."""

ENDING_GRACE = timedelta(seconds=2)
"""How long after the hang-up late facts may come: AgentComplete came after Hangup in 5 of 10 calls,
always within a second (ASTERISK.md §C4, §E)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """An agent of ours handed the caller on."""

    at: datetime
    entry_number: int
    """Which entry's agent did it, from 1."""
    extension: str | None
    """Where to; None when not known."""
    reach: Reach = Reach.UNKNOWN
    is_undone: bool = False
    """The caller came back to the same agent."""
    recalls: Interface | None = None
    """The agent's phone, which Asterisk rings if the target does not answer; None when not so."""
    carrier: CallId | None = None
    """The channel that carries the caller on in the caller's stead; None when it is their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyDial:
    """What came of the last dial for a caller whose agent was not known to have handed them on."""

    entry_number: int
    """The caller's last entry then, from 1."""
    channel: CallId
    """Which channel dialled: the caller's own, or one in their stead."""
    status: str
    """DIALSTATUS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One live call."""

    system: SystemName
    call_id: CallId
    channel: str
    """The channel's name when last told."""
    arrived_at: datetime
    line: LineName | None = None
    """None when the call began while we were not looking, or did not come by a line of ours."""
    caller_number: str | None = None
    choice: ChoiceMade | None = None
    """The last one told."""
    path: tuple[str, ...] = ()
    """Every choice told, as "MENU:KEY"."""
    is_closed: bool = False
    """The caller met a closed line."""
    notice: str | None = None
    """The notice that the caller hears now."""
    notices_told: int = 0
    """How often a notice was told to begin or to end."""
    entries: tuple[EntryState, ...] = ()
    hand_overs: tuple[HandOver, ...] = ()
    landing: Move | None = None
    """A move that took the caller out of a queue, and has not yet brought them into the next."""
    moves_asked: int = 0
    moves_landed: int = 0
    hung_up_at: datetime | None = None
    """When the caller's channel was gone; the call then only waits for late facts."""
    is_gap: bool = False
    """Its end happened while we were not looking."""
    consults_for: CallId | None = None
    """The call whose agent asks here; None for an ordinary call."""
    aliases: tuple[CallId, ...] = ()
    """Channels by whose ids a queue speaks of the caller."""
    stand_ins: tuple[CallId, ...] = ()
    """Those of them that wait, or talk, in a queue of ours in the caller's stead."""
    answered_dials: tuple[ChannelId, ...] = ()
    """Phones that answered when dialled for this call, lately: an agent's behind a Local channel,
    or one whom the agent consults."""
    early_dial: EarlyDial | None = None
    """For a hand-over that is told late (hand_over.py, rule 8)."""
    third: ChannelId | None = None
    """The third party in a talk of three, while there."""


def outcome_of(call: Call, queues: Mapping[QueueName, QueueRules]) -> Outcome:
    """Return what an ended call came to. Every entry must be closed.

    Args:
        queues: Rules by queue; an answer in a queue without rules is an answer by the switchboard,
            since it must never open a case.
    """
    answered = last_answered(call)
    if call.is_gap or _is_unseen(call, answered):
        return Outcome.UNKNOWN
    if answered is None:
        return _outcome_unanswered(call)
    if role_of(answered.stay.queue, queues) is Role.GUIDE:
        return Outcome.HANDED_ON if is_handed_on(call, answered) else Outcome.RESOLVED
    if any(
        is_handed_on(call, entry) and role_of(entry.stay.queue, queues) is Role.GUIDE
        for entry in call.entries
    ):
        return Outcome.HANDED_ON
    return Outcome.SWITCHBOARD


def role_of(queue: QueueName, queues: Mapping[QueueName, QueueRules]) -> Role:
    """Return who serves a queue; the switchboard when nothing is configured."""
    rules = queues.get(queue)
    return Role.SWITCHBOARD if rules is None else rules.role


def last_answered(call: Call) -> Closed | Talking | None:
    """Return the last entry that an agent answered, or None."""
    for entry in reversed(call.entries):
        if isinstance(entry, Talking):
            return entry
        if isinstance(entry, Closed) and entry.disposition is Disposition.ANSWERED:
            return entry
    return None


def entry_of(call: Call, event: QueueEvent) -> EntryState | None:
    """Return the entry that a queue's event is about: the last one there, or none.

    The end of an agent's part by a transfer is about the entry handed on, also when the caller has
    come back into the same queue by then.
    """
    if isinstance(event, AgentCompleted) and event.reason == "transfer":
        for over in reversed(call.hand_overs):
            entry = call.entries[over.entry_number - 1]
            if entry.stay.queue == event.queue:
                return entry
    return last_in(call, event.queue)


def last_in(call: Call, queue: QueueName) -> EntryState | None:
    """Return the call's last entry in a queue, or None."""
    for stay in reversed(call.entries):
        if stay.stay.queue == queue:
            return stay
    return None


def record_of(
    call: Call,
    at: datetime,
    rules: FloorRules,
    *,
    is_from_journal: bool = False,
) -> RecordCall:
    """Return the facts to store of an ended call."""
    choice = call.choice
    over = call.hand_overs[-1] if call.hand_overs else None
    return RecordCall(
        at=at,
        system=call.system,
        call_id=call.call_id,
        line=call.line,
        caller_number=call.caller_number,
        arrived_at=call.arrived_at,
        choice=None if choice is None else choice.choice,
        digit=None if choice is None else choice.digit,
        is_static_menu=choice is not None and choice.is_static,
        tries=0 if choice is None else choice.tries,
        outcome=outcome_of(call, rules.queues),
        wait=_wait_of(call),
        first_queue=call.entries[0].stay.queue if call.entries else None,
        last_queue=call.entries[-1].stay.queue if call.entries else None,
        moves=call.moves_landed,
        transfers=len(call.hand_overs),
        hand_over=None if over is None else over.reach,
        is_from_journal=is_from_journal,
        path=PATH_MARK.join(call.path),
        language="" if choice is None else _language_after(choice),
        handed_to=_known_target(over, rules),
    )


def _known_target(over: HandOver | None, rules: FloorRules) -> str:
    """Return where a caller was handed on to, if a label knows it: others may be anybody's."""
    target = None if over is None or over.is_undone else over.extension
    return target if target is not None and target in rules.numbers else ""


def _language_after(choice: ChoiceMade) -> str:
    """Return the caller's language from a choice on: it may be the choice itself."""
    kind, _, language = choice.choice.partition(":")
    return language if kind == "language" else choice.language


def _wait_of(call: Call) -> timedelta | None:
    for entry in call.entries:
        if isinstance(entry, Closed) and entry.disposition is Disposition.ANSWERED:
            return entry.wait
    return None


def _outcome_unanswered(call: Call) -> Outcome:
    last = call.entries[-1] if call.entries else None
    if last is None:
        return outcome_without_queue(
            None if call.choice is None else call.choice.choice,
            is_closed=call.is_closed,
            is_in_notice=call.notice is not None,
        )
    assert isinstance(last, Closed), "an ended call has only closed entries"
    match last.disposition:
        case Disposition.ABANDONED:
            return Outcome.ABANDONED
        case Disposition.MOVED:
            # Hung up between two queues: the caller gave up waiting.
            return Outcome.ABANDONED
        case Disposition.CLOSED:
            return Outcome.CLOSED
        case Disposition.KEY_EXIT:
            return outcome_after_key(None if call.choice is None else call.choice.choice)
        case _:
            return Outcome.UNSERVED


def _is_unseen(call: Call, answered: Closed | Talking | None) -> bool:
    """Return whether what decides the outcome may have happened while we were not looking."""
    first = 0 if answered is None else answered.stay.number
    if any(
        isinstance(entry, Closed) and entry.disposition is Disposition.UNKNOWN
        for entry in call.entries[first:]
    ):
        return True
    return (
        isinstance(answered, Closed)
        and not answered.is_end_known
        and not is_handed_on(call, answered)
    )


def is_handed_on(call: Call, entry: EntryState) -> bool:
    """Return whether the agent of an entry handed the caller on, and did not get them back."""
    return any(
        over.entry_number == entry.stay.number and not over.is_undone for over in call.hand_overs
    )
