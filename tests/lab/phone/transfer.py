"""REFER: handing the other side over, blind or with Replaces, and the PBX's reports on it.

Source: RFC 3515 (REFER, NOTIFY with message/sipfrag), RFC 3891 (Replaces), RFC 5589 (transfers).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.lab.phone.message import Request
from tests.lab.phone.story import CallState, PhoneError

if TYPE_CHECKING:
    from tests.lab.phone.call import Call

TRANSFER_S = 30.0
"""A blind transfer may report its end only when the target answers or rings out."""


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
    """Send the REFER and wait for its final report; on success hang up what is left of ours.

    None: the PBX ended the call without any final report.
    """
    call.require_up("transfer")
    call.transfer_progress.clear()
    call.transfer_final = None
    call.story.note("refer_sent", refer_to)
    response = await call.ask("REFER", {"Refer-To": refer_to, "Referred-By": call.dialog.contact})
    if response.status >= 300:
        call.story.note("refer_refused", str(response.status))
        return response.status
    await call.story.until(
        lambda: call.transfer_final is not None or not call.is_live,
        timeout_s=timeout_s,
        what="the final report of the transfer",
    )
    if call.transfer_final is not None and call.transfer_final < 300:
        for leg in (call, second):
            if leg is not None:
                leg.begin_end()
    return call.transfer_final


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
