"""REFER: handing the other side over, blind or with Replaces, and the PBX's reports on it.

Source: RFC 3515 (REFER, NOTIFY with message/sipfrag), RFC 3891 (Replaces), RFC 5589 (transfers).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.lab.phone.message import Request
from tests.lab.phone.story import CallState, DeadlinePassed, PhoneError

if TYPE_CHECKING:
    from tests.lab.phone.call import Call

TRANSFER_S = 30.0
"""A blind transfer may report its end only when the target answers or rings out."""

PBX_ENDS_S = 1.0
"""How long a phone leaves the first of its two calls to the PBX, which seldom ends it by itself."""

SECOND_ENDS_S = 10.0
"""How long it leaves the second, which the PBX ends when it has joined the others.

A phone that says BYE in the same millisecond as the report of success can take the caller along:
Asterisk (16.28.0, 22.10.1) reports success before the caller has taken the second call's place in
`Queue()`, and a hang-up of that call there is then the caller's. Seen about once in ten transfers
on loopback, where a report takes no time at all; RFC 5589 section 7 asks for no such haste.
"""


def blind(call: Call, number: str) -> str:
    """Return the Refer-To of a number at the PBX."""
    host, port = call.dialog.peer
    return f"<sip:{quote(number, safe='*+')}@{host}:{port}>"


def attended(call: Call, other: Call) -> str:
    """Return the Refer-To that replaces the far end of a second call of ours."""
    if other is call or not other.is_live:
        raise PhoneError(f"a transfer needs a second live call, not {other!r}")
    target = other.dialog.target if other.state is CallState.UP else address_of(other)
    return f"<{target}?Replaces={quote(other.dialog.replaces(), safe='')}>"


def address_of(call: Call) -> str:
    """Return the URI that was dialled, which is all one knows of a call that still rings."""
    assert call.invite is not None
    return call.invite.uri


async def refer(
    call: Call, refer_to: str, *, timeout_s: float, second: Call | None = None
) -> int | None:
    """Send the REFER and wait for the final report; on success hang up what is left of ours.

    None: there was no final report. Asterisk makes none while the caller is with something that
    neither rings nor answers, such as Wait() on a channel that is up; a phone gives up then, too,
    and hangs up. After a report of failure the call is left as it is: with Asterisk the caller is
    gone all the same when the target was busy, and still there when the number does not exist.
    """
    status = await _ask_to_refer(call, refer_to)
    if status >= 300:
        return status
    try:
        await call.story.until(
            lambda: call.transfer_final is not None or not call.is_live,
            timeout_s=timeout_s,
            what="the final report of the transfer",
        )
    except DeadlinePassed:
        call.story.note("no_final_report")
    if call.transfer_final is None or call.transfer_final < 300:
        if second is not None:
            await _let_the_pbx_end(second, within_s=SECOND_ENDS_S)
            await _let_the_pbx_end(call, within_s=PBX_ENDS_S)
        for leg in (call, second):
            if leg is not None:
                leg.begin_end()
    return call.transfer_final


async def _let_the_pbx_end(leg: Call, *, within_s: float) -> None:
    try:
        await leg.story.until(lambda: not leg.is_live, timeout_s=within_s, what="the PBX's BYE")
    except DeadlinePassed:
        leg.story.note("left_to_hang_up")


async def refer_and_leave(call: Call, refer_to: str) -> int:
    """Send the REFER and hang up as soon as it is accepted, as many phones do."""
    status = await _ask_to_refer(call, refer_to)
    if status < 300:
        call.begin_end()
    return status


async def _ask_to_refer(call: Call, refer_to: str) -> int:
    call.require_up("transfer")
    call.transfer_progress.clear()
    call.transfer_final = None
    call.story.note("refer_sent", refer_to)
    response = await call.ask("REFER", {"Refer-To": refer_to, "Referred-By": call.dialog.contact})
    call.story.note("refer_answered", str(response.status))
    return response.status


def on_notify(call: Call, request: Request) -> int:
    """Take a report of the PBX; returns the status to answer it with."""
    event = (request.headers.get("Event") or "").partition(";")[0].strip().lower()
    if event != "refer":
        return 489
    match = re.match(rb"SIP/2\.0 ([1-6][0-9]{2})", request.body)
    if match is None:
        return 400
    status = int(match.group(1))
    call.transfer_progress.append(status)
    state = (request.headers.get("Subscription-State") or "").lower()
    if status >= 200 or state.startswith("terminated"):
        call.transfer_final = status
    call.story.note("transfer_reported", f"{status} {state}")
    return 200
