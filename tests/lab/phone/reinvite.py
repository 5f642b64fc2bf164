"""Changing the audio of a call that is up: hold and resume, from either side.

Source: RFC 3264 section 8.4 (hold), RFC 3261 section 14 (re-INVITE and glare).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.lab.phone.message import Request
from tests.lab.phone.sdp import Direction, Sdp
from tests.lab.phone.story import PhoneError
from tests.lab.phone.transport import ServerTransaction

if TYPE_CHECKING:
    from tests.lab.phone.call import Call

GLARE_RETRIES = 5
GLARE_WAIT_S = 0.2
"""RFC 3261 14.1 says seconds, for networks with a round trip; loopback has none.

As there, whoever made the call waits longer, so that the two do not meet again.
"""


async def redescribe(call: Call, direction: Direction) -> None:
    """Offer a new direction of the audio; when both sides offer at once, try again."""
    call.require_up(f"become {direction}")
    headers = {"Content-Type": "application/sdp"}
    for _ in range(GLARE_RETRIES):
        local = Sdp(host=call.media.host, port=call.media.port, direction=direction)
        call.is_reinviting = True
        try:
            response = await call.ask("INVITE", headers, body=call.media.describe(local))
        finally:
            call.is_reinviting = False
        if response.status != 491:
            break
        await asyncio.sleep(GLARE_WAIT_S * (1 if call.is_incoming else 2))
    if response.status >= 300:
        raise PhoneError(f"re-INVITE {direction} refused with {response.status}: {call!r}")
    call.learn_media(response.body)


def on_reinvite(call: Call, request: Request, transaction: ServerTransaction) -> None:
    """Answer a re-INVITE of theirs, without giving up a hold of our own."""
    if call.is_reinviting:
        transaction.respond(call.dialog.answer(request, 491))
        return
    call.dialog.learn(request)
    offered = call.learn_media(request.body)
    if request.body and offered is None:
        transaction.respond(call.dialog.answer(request, 488))
        return
    wanted = Direction.SEND if call.is_held else Direction.BOTH
    call.accept_reinvite(call.description(request, wanted), transaction)
    call.is_held_by_them = offered in (Direction.SEND, Direction.NONE)
    call.story.note("redescribed", offered.value if offered else "no offer")
