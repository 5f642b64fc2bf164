"""Carries out what a `Talk` says on a call that was answered.

The other side may hang up at any point; that ends the talk and is noted on the call, no fault.
"""

from __future__ import annotations

import asyncio
from typing import Protocol, assert_never

from tests.lab.phone.call import Call
from tests.lab.phone.policy import (
    ConsultAndReturn,
    HangUp,
    Hold,
    Talk,
    Then,
    TransferAttended,
    TransferBlind,
    TransferRinging,
    WaitForThem,
)
from tests.lab.phone.story import CallOver, PhoneError
from tests.lab.phone.transport import Address

CONSULT_ANSWER_S = 20.0
"""A department official of a scenario answers within seconds or not at all."""


class Dialler(Protocol):
    """What a talk needs of its phone."""

    name: str

    async def dial(self, proxy: Address, number: str, *, caller: str) -> Call:
        """Start a call."""
        ...


async def carry_out(phone: Dialler, call: Call, talk: Talk) -> None:
    """Talk, then do what comes next."""
    try:
        await _stay(call, talk.s)
        await _do(phone, call, talk.then)
    except PhoneError as exc:
        call.story.note("talk_cut", str(exc))


async def _stay(call: Call, duration_s: float) -> None:
    """Let the talk last, unless it is ended by the other side."""
    try:
        async with asyncio.timeout(duration_s):
            await call.story.until(
                lambda: not call.is_live, timeout_s=duration_s + 1, what="the end of the talk"
            )
    except TimeoutError:
        return
    raise CallOver(f"the other side ended the talk: {call!r}")


async def _do(phone: Dialler, call: Call, then: Then) -> None:
    match then:
        case HangUp():
            await call.hang_up()
        case WaitForThem():
            return
        case TransferBlind(number, leaves_at_once):
            await call.transfer_blind(number, leaves_at_once=leaves_at_once)
            await call.hang_up()
        case TransferAttended(number, consult_s):
            second = await _consult(phone, call, number)
            await second.answered(CONSULT_ANSWER_S)
            await _stay(second, consult_s)
            await call.transfer_attended(second)
        case TransferRinging(number, by_replaces):
            await _drop_while_ringing(phone, call, number, by_replaces=by_replaces)
        case ConsultAndReturn(number, consult_s, talk_s):
            second = await _consult(phone, call, number)
            await _stay(second, consult_s)
            await second.hang_up()
            await call.resume()
            await _stay(call, talk_s)
            await call.hang_up()
        case Hold(hold_s, talk_s, direction):
            await call.hold(direction)
            await _stay(call, hold_s)
            await call.resume()
            await _stay(call, talk_s)
            await call.hang_up()
        case _:
            assert_never(then)


async def _consult(phone: Dialler, call: Call, number: str) -> Call:
    await call.hold()
    return await phone.dial(call.dialog.peer, number, caller=phone.name)


async def _drop_while_ringing(
    phone: Dialler, call: Call, number: str, *, by_replaces: bool
) -> None:
    second = await _consult(phone, call, number)
    await second.ringing()
    if by_replaces:
        await call.transfer_attended(second)
    else:
        await second.hang_up()
        await call.transfer_blind(number)
