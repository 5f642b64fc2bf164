"""One call of a phone: what a scenario does with it, and what the other side does to it.

DIALLING: INVITE sent or received. RINGING: 180 or 183 came or was sent. UP: 200 came or was sent.
ENDING: our BYE or CANCEL is under way. ENDED: nothing more comes but repeats, which the
transactions answer, and reports on a transfer.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path

from tests.lab.phone import reinvite, transfer
from tests.lab.phone.dialog import Dialog, cancel_of
from tests.lab.phone.media import Media
from tests.lab.phone.message import (
    Request,
    Response,
    address_user,
    cseq,
    display_name,
)
from tests.lab.phone.sdp import BadSdp, Direction, Sdp, answer_direction, parse_sdp
from tests.lab.phone.story import CallOver, CallState, End, EndedBy, Moment, PhoneError, Story
from tests.lab.phone.transport import Address, Endpoint, ServerTransaction

RINGING_S = 30.0
"""A PBX that has not made the target ring by then has lost the call."""
REQUEST_S = 30.0
"""Asterisk answers in milliseconds; this covers every repeat on an overloaded machine."""
HANG_UP_S = 30.0
"""As REQUEST_S: a BYE is one request."""
_KEY_GAP_S = 0.06
"""Between two keys, so that a detector sees two even when they are equal."""
_INFO_KEY_MS = 160


class Call:
    """A call; made by `Phone.dial` or by an INVITE that came in."""

    def __init__(
        self, *, endpoint: Endpoint, dialog: Dialog, media: Media, is_incoming: bool
    ) -> None:
        self.endpoint = endpoint
        self.dialog = dialog
        self.media = media
        self.is_incoming = is_incoming
        self.state = CallState.DIALLING
        self.end: End | None = None
        self.is_held = False
        self.is_held_by_them = False
        self.transfer_progress: list[int] = []
        self.transfer_final: int | None = None
        self.invite: Request | None = None
        self._transaction: ServerTransaction | None = None
        self._is_acknowledged = False
        self._must_end = False
        self._has_provisional = False
        self.is_reinviting = False
        self._ack: Request | None = None
        arrow = "from" if is_incoming else "to"
        self.story = Story(f"call {arrow} {dialog.remote}")

    # What a scenario reads.

    @property
    def call_id(self) -> str:
        """The SIP Call-ID."""
        return self.dialog.call_id

    @property
    def history(self) -> tuple[Moment, ...]:
        """Everything that happened so far, with times."""
        return tuple(self.story.moments)

    @property
    def caller(self) -> str:
        """The caller number that an incoming call shows."""
        return address_user(self.dialog.remote)

    @property
    def caller_name(self) -> str:
        """The caller name that an incoming call shows, '' when it has none."""
        return display_name(self.dialog.remote)

    @property
    def is_live(self) -> bool:
        """Whether the call has not ended."""
        return self.state is not CallState.ENDED

    @property
    def was_answered(self) -> bool:
        """Whether the call was ever up."""
        return self.story.first("answered") is not None

    def __repr__(self) -> str:
        return f"<{self.state.value} {self.story}>"

    # What a scenario waits for.

    async def ringing(self, timeout_s: float = RINGING_S) -> None:
        """Wait until it rings at the other side (or here); an answer without ringing counts too."""
        await self._reach("ringing", "answered", timeout_s=timeout_s)

    async def answered(self, timeout_s: float) -> None:
        """Wait until the call is up."""
        await self._reach("answered", timeout_s=timeout_s)

    async def _reach(self, *kinds: str, timeout_s: float) -> None:
        def reached() -> bool:
            return any(self.story.first(kind) for kind in kinds)

        await self.story.until(
            lambda: reached() or not self.is_live, timeout_s=timeout_s, what=" or ".join(kinds)
        )
        if not reached():
            raise CallOver(f"the call ended before it was {' or '.join(kinds)}: {self!r}")

    async def ended(self, timeout_s: float) -> End:
        """Wait until the call is over, and tell how."""
        await self.story.until(lambda: not self.is_live, timeout_s=timeout_s, what="the end")
        assert self.end is not None
        return self.end

    async def heard(self, packets: int, *, timeout_s: float) -> None:
        """Wait until that many RTP packets came in."""
        await self.story.until(
            lambda: self.media.heard.packets >= packets or not self.is_live,
            timeout_s=timeout_s,
            what=f"{packets} RTP packets",
        )
        if self.media.heard.packets < packets:
            raise CallOver(f"the call ended after {self.media.heard.packets} packets: {self!r}")

    # What a scenario does.

    async def press(self, keys: str, how: str = "rfc4733") -> None:
        """Press keys one after the other, as RFC 4733 packets or as SIP INFO."""
        if how not in ("rfc4733", "info"):
            raise ValueError(f"keys go by rfc4733 or info, not by {how!r}")
        for index, key in enumerate(keys):
            self.require_up("press a key")
            if index:
                await asyncio.sleep(_KEY_GAP_S)
            if how == "rfc4733":
                await self.media.press(key)
            else:
                await self._press_by_info(key)
            self.story.note("pressed", f"{key} by {how}")

    async def _press_by_info(self, key: str) -> None:
        body = f"Signal={key}\r\nDuration={_INFO_KEY_MS}\r\n".encode()
        response = await self.ask("INFO", {"Content-Type": "application/dtmf-relay"}, body=body)
        if response.status >= 300:
            raise PhoneError(f"the key {key} was refused with {response.status}: {self!r}")

    async def say(self, ulaw: bytes) -> None:
        """Send audio, 8000 bytes a second; returns when it is said."""
        self.require_up("say something")
        await self.media.say(ulaw)

    def save_recording(self, path: Path) -> float:
        """Write what was heard so far to a wav file; returns its length in seconds."""
        self.media.drain()
        return self.media.save_recording(path)

    async def hang_up(self, *, status: int = 486, timeout_s: float = HANG_UP_S) -> None:
        """End the call as its state demands: BYE, CANCEL, or a refusal with that status."""
        self.begin_end(status=status)
        await self.story.until(lambda: not self.is_live, timeout_s=timeout_s, what="the hang-up")

    async def hold(self, direction: Direction = Direction.SEND) -> None:
        """Put the other side on hold by re-INVITE, `sendonly` unless told `inactive`."""
        await reinvite.redescribe(self, direction)
        self.is_held = True
        self.story.note("held", direction.value)

    async def resume(self) -> None:
        """Take the other side back from hold."""
        await reinvite.redescribe(self, Direction.BOTH)
        self.is_held = False
        self.story.note("resumed")

    async def transfer_blind(
        self, number: str, *, timeout_s: float = transfer.TRANSFER_S, leaves_at_once: bool = False
    ) -> int | None:
        """REFER the other side to a number; returns the final status that the PBX reported.

        None: it reported none in time. A phone that leaves at once gets the REFER's own answer.
        """
        if leaves_at_once:
            return await transfer.refer_and_leave(self, transfer.blind(self, number))
        return await transfer.refer(self, transfer.blind(self, number), timeout_s=timeout_s)

    async def transfer_attended(
        self, other: Call, *, timeout_s: float = transfer.TRANSFER_S
    ) -> int | None:
        """REFER the other side to the far end of our second call, which may still be ringing."""
        target = transfer.attended(self, other)
        return await transfer.refer(self, target, timeout_s=timeout_s, second=other)

    def require_up(self, purpose: str) -> None:
        """Refuse what only a call that is up can do."""
        if self.state is not CallState.UP:
            raise CallOver(f"cannot {purpose}, the call is not up: {self!r}")

    # Outgoing.

    def start(self, number: str, headers: Mapping[str, str]) -> None:
        """Send the INVITE."""
        body = self.media.describe(Sdp(host=self.media.host, port=self.media.port))
        extra = {"Content-Type": "application/sdp", **headers}
        self.invite = self.dialog.request(
            "INVITE", own=self.endpoint.address, headers=extra, body=body
        )
        self.story.note("dialled", number)
        self.endpoint.request(
            self.invite,
            self.dialog.peer,
            on_response=self._on_invite_response,
            on_silence=lambda: self.finish(EndedBy.LOST),
        )

    def _on_invite_response(self, response: Response, source: Address) -> None:
        if response.status < 200:
            self._on_provisional(response)
        elif response.status < 300:
            self._on_accepted(response, source)
        else:
            by = EndedBy.US if self._must_end else EndedBy.THEM
            self.finish(by, status=response.status, reason=response.headers.get("Reason") or "")

    def _on_provisional(self, response: Response) -> None:
        is_first = not self._has_provisional
        self._has_provisional = True
        if self._must_end:
            if is_first:
                self._send_cancel()
            return
        if response.status == 100:
            self.story.note("trying")
            return
        self.dialog.learn(response)
        self.learn_media(response.body)
        self.state = CallState.RINGING
        self.story.note("ringing", str(response.status))

    def _on_accepted(self, response: Response, source: Address) -> None:
        if self._ack is not None:
            self.endpoint.send(self._ack, source)
            return
        self.dialog.learn(response)
        assert self.invite is not None
        self._ack = self._acknowledge(cseq(self.invite.headers)[0])
        self._is_acknowledged = True
        self.learn_media(response.body)
        self.state = CallState.UP
        self.story.note("answered")
        if self._must_end:
            self._send_bye()

    def _acknowledge(self, number: int) -> Request:
        ack = self.dialog.request("ACK", own=self.endpoint.address, number=number)
        self.endpoint.send(ack, self.dialog.peer)
        return ack

    def learn_media(self, body: bytes) -> Direction | None:
        """Take where they want their audio; None: the body describes nothing usable."""
        if not body:
            return None
        try:
            self.media.remote = parse_sdp(body)
        except BadSdp as exc:
            self.story.note("bad_sdp", str(exc))
            return None
        return self.media.remote.direction

    # Incoming.

    def offered(self, invite: Request, transaction: ServerTransaction) -> None:
        """Take an INVITE that came in; nothing is answered yet but 100."""
        self.invite = invite
        self._transaction = transaction
        transaction.on_no_ack = self._on_no_ack
        self.learn_media(invite.body)
        transaction.respond(self.dialog.answer(invite, 100))
        self.story.note("offered", self.caller)

    def ring(self) -> None:
        """Tell the other side that it rings here."""
        if self.state is CallState.DIALLING:
            assert self.invite is not None
            assert self._transaction is not None
            self.state = CallState.RINGING
            self._transaction.respond(self.dialog.answer(self.invite, 180))
            self.story.note("ringing", "180")

    def answer(self) -> None:
        """Pick up."""
        if self.state not in (CallState.DIALLING, CallState.RINGING):
            raise CallOver(f"cannot answer: {self!r}")
        assert self.invite is not None
        assert self._transaction is not None
        if self.invite.body and self.media.remote is None:
            self.begin_end(status=488)
            return
        self.state = CallState.UP
        self._transaction.respond(self.description(self.invite, Direction.BOTH))
        self.story.note("answered")

    def description(self, offer: Request, wanted: Direction) -> Response:
        """Build the 200 that answers an offer, or makes one when the INVITE had none."""
        remote = self.media.remote
        if offer.body and remote is not None:
            direction = answer_direction(remote.direction, wanted=wanted)
            local = Sdp(
                host=self.media.host,
                port=self.media.port,
                direction=direction,
                event_payload=remote.event_payload,
            )
        else:
            local = Sdp(host=self.media.host, port=self.media.port, direction=wanted)
        body = self.media.describe(local)
        return self.dialog.answer(
            offer, 200, headers={"Content-Type": "application/sdp"}, body=body
        )

    def accept_reinvite(self, response: Response, transaction: ServerTransaction) -> None:
        """Send the 200 of a re-INVITE of theirs; from now on an ACK belongs to it."""
        if self._transaction is not None:
            self._transaction.acknowledged()
        self._transaction = transaction
        transaction.on_no_ack = self._on_no_ack
        transaction.respond(response)

    def _on_no_ack(self) -> None:
        if self.is_live:
            self._send_bye()
            self.finish(EndedBy.LOST)

    # Both.

    def begin_end(self, *, status: int = 486) -> None:
        """Send whatever ends the call in its state, without waiting."""
        if self._must_end or not self.is_live:
            return
        self._must_end = True
        if self.state is CallState.UP:
            if self._is_acknowledged:
                self._send_bye()
        elif self.is_incoming:
            assert self.invite is not None
            assert self._transaction is not None
            self._transaction.respond(self.dialog.answer(self.invite, status))
            self.finish(EndedBy.US, status=status)
        elif self._has_provisional:
            self._send_cancel()

    def _send_bye(self) -> None:
        self.state = CallState.ENDING
        self.story.note("bye_sent")
        self.endpoint.request(
            self.dialog.request("BYE", own=self.endpoint.address),
            self.dialog.peer,
            on_response=lambda response, source: self.finish(EndedBy.US),
            on_silence=lambda: self.finish(EndedBy.LOST),
        )

    def _send_cancel(self) -> None:
        """The call ends when the 487 comes; a 200 that was faster gets its ACK and a BYE."""
        assert self.invite is not None
        self.state = CallState.ENDING
        self.story.note("cancel_sent")
        self.endpoint.request(
            cancel_of(self.invite),
            self.dialog.peer,
            on_response=lambda response, source: None,
            on_silence=lambda: self.finish(EndedBy.LOST),
        )

    def finish(self, by: EndedBy, *, status: int | None = None, reason: str = "") -> None:
        """Close the books of the call; the first reason stays."""
        if not self.is_live:
            return
        self.state = CallState.ENDED
        self.end = End(by=by, status=status, reason=reason)
        self.media.drain()
        self.media.close()
        self.story.note("ended", f"by {by} {status or ''} {reason}".strip())

    async def ask(
        self, method: str, headers: Mapping[str, str] | None = None, *, body: bytes = b""
    ) -> Response:
        """Send a request inside the dialog and wait for its final response."""
        done: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        def on_response(response: Response, _source: Address) -> None:
            if response.status >= 200 and method == "INVITE" and response.status < 300:
                self._acknowledge(number)
            if response.status >= 200 and not done.done():
                done.set_result(response)

        request = self.dialog.request(method, own=self.endpoint.address, headers=headers, body=body)
        number, _ = cseq(request.headers)
        self.endpoint.request(
            request, self.dialog.peer, on_response=on_response, on_silence=lambda: None
        )
        try:
            async with asyncio.timeout(REQUEST_S):
                return await done
        except TimeoutError as exc:
            raise PhoneError(f"no answer to {method} within {REQUEST_S} s: {self!r}") from exc

    def take(self, request: Request, transaction: ServerTransaction) -> None:
        """Act on a request of theirs inside the dialog."""
        match request.method:
            case "ACK":
                self._on_ack(request)
            case "CANCEL":
                self._on_cancel(request, transaction)
            case "NOTIFY":
                status = transfer.on_notify(self, request)
                transaction.respond(self.dialog.answer(request, status))
            case "OPTIONS":
                transaction.respond(self.dialog.answer(request, 200))
            case "BYE" if self.is_live:
                transaction.respond(self.dialog.answer(request, 200))
                self._on_bye(request)
            case _ if not self.is_live:
                transaction.respond(self.dialog.answer(request, 481))
            case "INVITE":
                reinvite.on_reinvite(self, request, transaction)
            case "INFO":
                transaction.respond(self.dialog.answer(request, 200))
                self._on_info(request)
            case _:
                transaction.respond(self.dialog.answer(request, 405))

    def _on_ack(self, request: Request) -> None:
        if self._transaction is not None:
            self._transaction.acknowledged()
        if request.body:
            self.learn_media(request.body)
        if self.is_incoming and not self._is_acknowledged:
            self._is_acknowledged = True
            self.story.note("acknowledged")
            if self._must_end and self.state is CallState.UP:
                self._send_bye()

    def _on_cancel(self, request: Request, transaction: ServerTransaction) -> None:
        transaction.respond(self.dialog.answer(request, 200))
        if (
            self.state in (CallState.DIALLING, CallState.RINGING)
            and self.invite
            and self._transaction
        ):
            self._transaction.respond(self.dialog.answer(self.invite, 487))
            self.finish(EndedBy.THEM, status=487, reason=request.headers.get("Reason") or "")

    def _on_bye(self, request: Request) -> None:
        if self._transaction is not None:
            self._transaction.acknowledged()
        by = EndedBy.US if self.state is CallState.ENDING else EndedBy.THEM
        self.finish(by, reason=request.headers.get("Reason") or "")

    def _on_info(self, request: Request) -> None:
        match = re.search(rb"(?im)^\s*Signal\s*=\s*([0-9*#A-D])", request.body)
        if match is not None:
            self.media.heard.keys.append(match.group(1).decode())
            self.story.note("key_heard", match.group(1).decode())
