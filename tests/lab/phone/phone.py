"""A phone: one SIP address, any number of calls, and what it does with those that come in.

Why our own: of the libraries on PyPI for Python 3.11 under a permissive licence, aiosipua 0.7.1
(MIT) repeats no request, knows no Replaces, and is an alpha of one author; baresip-python 0.5.2a3
(BSD) allows one native runtime a process, which cannot be restarted once it died, and refuses calls
with one status only; pjsua2 is GPL. A phone of a scenario needs little of SIP, but it must act at
an exact moment and tell afterwards what it saw.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Self, assert_never

from tests.lab.phone.call import Call
from tests.lab.phone.dialog import Dialog
from tests.lab.phone.media import Media
from tests.lab.phone.message import Request, parameter, response_to
from tests.lab.phone.policy import AnswerPolicy, Busy, NoAnswer, Refuse, Ring, Talk
from tests.lab.phone.story import DeadlinePassed, EndedBy
from tests.lab.phone.talk import carry_out
from tests.lab.phone.transport import Address, Endpoint, ServerTransaction, refuse

CLOSE_S = 5.0
"""Enough for every BYE to be answered; what is still open then is given up."""
DRAIN_S = 0.1
"""Five packets a batch: cheap, and far from the several seconds that the kernel keeps."""
RINGING_S_MAX = 3600.0
"""No PBX lets a phone ring for an hour: a call that does was lost by both sides."""
CALLS_KEPT_MAX = 1000
"""Ended calls stay known for late repeats and reports; over this the oldest are forgotten."""


class Phone:
    """A SIP user agent on loopback; use it as an async context manager."""

    def __init__(
        self,
        name: str,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        answer_policy: AnswerPolicy | None = None,
        talk: Talk | None = None,
        lines: int | None = None,
        is_recording: bool = False,
        speaks: bytes = b"",
    ) -> None:
        """Describe a phone.

        lines: live calls over which 486 is answered; None: never. speaks: µ-law audio that is sent
        again and again on each answered call; empty: nothing is sent.
        """
        self.name = name
        self.answer_policy: AnswerPolicy = answer_policy or Ring()
        self.talk = talk
        self.lines = lines
        self.is_recording = is_recording
        self.speaks = speaks
        self.calls: list[Call] = []
        self._host, self._port = host, port
        self._endpoint = Endpoint(self._on_request)
        self._by_dialog: dict[tuple[str, str], Call] = {}
        self._incoming: deque[Call] = deque(maxlen=CALLS_KEPT_MAX)
        self._arrived = asyncio.Event()
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_open = False

    @property
    def address(self) -> Address:
        """Where the phone listens."""
        return self._endpoint.address

    @property
    def uri(self) -> str:
        """The SIP URI for a PBX's contact."""
        return f"sip:{self.name}@{self.address[0]}:{self.address[1]}"

    @property
    def live_calls(self) -> tuple[Call, ...]:
        """The calls that have not ended."""
        return tuple(call for call in self.calls if call.is_live)

    @property
    def counts(self) -> str:
        """What the socket saw that belongs to no call, for a failure's message."""
        return str(self._endpoint.counts)

    async def __aenter__(self) -> Self:
        await self._endpoint.open(self._host, self._port)
        await self._group.__aenter__()
        self._is_open = True
        self._spawn(self._endpoint.serve(), "serve")
        self._spawn(self._drain(), "drain")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._end_all()
        finally:
            self._is_open = False
            for task in self._tasks:
                task.cancel()
            for call in self.calls:
                call.finish(EndedBy.LOST)
            self._endpoint.close()
            if kind is not asyncio.CancelledError:
                kind = error = trace = None  # It goes on by itself, not wrapped in a group.
            await self._group.__aexit__(kind, error, trace)

    async def _end_all(self) -> None:
        """Hang up every call, together, and wait a while for the answers."""
        live = self.live_calls
        for call in live:
            call.begin_end(status=480)
        try:
            async with asyncio.timeout(CLOSE_S):
                for call in live:
                    await call.ended(CLOSE_S)
        except (TimeoutError, DeadlinePassed):
            return  # The PBX is gone; each of these calls is then noted as lost.

    def _spawn(self, work: Coroutine[None, None, None], what: str) -> None:
        if not self._is_open:
            work.close()
            return
        task = self._group.create_task(work, name=f"phone {self.name}: {what}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain(self) -> None:
        while True:
            await asyncio.sleep(DRAIN_S)
            for call in self.live_calls:
                if call.media.drain():
                    call.story.wake()

    async def dial(
        self,
        proxy: Address,
        number: str,
        *,
        caller: str | None = None,
        caller_name: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Call:
        """Call a number at a PBX (or straight at another phone); returns while it is ringing."""
        dialog = Dialog.to_number(
            number,
            proxy=proxy,
            own=self.address,
            caller=self.name if caller is None else caller,
            caller_name=caller_name,
        )
        call = self._new_call(dialog, is_incoming=False)
        call.start(number, headers or {})
        if self.speaks:
            self._spawn(self._speak(call), f"speak on {call.call_id}")
        return call

    def begin(self, call: Call, talk: Talk) -> None:
        """Do on a call that is up what a talk says, and return at once."""
        self._spawn(carry_out(self, call, talk), f"talk on {call.call_id}")

    async def next_call(self, timeout_s: float) -> Call:
        """Return the next call that came in and was not returned yet."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self._incoming:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError as exc:
            raise DeadlinePassed(
                f"no call came to {self.name} within {timeout_s} s ({self.counts})"
            ) from exc
        return self._incoming.popleft()

    def forget_incoming(self) -> None:
        """Drop the calls that `next_call` has not returned, before another scenario begins."""
        self._incoming.clear()

    def _new_call(self, dialog: Dialog, *, is_incoming: bool) -> Call:
        media = Media(self._host, is_recording=self.is_recording)
        call = Call(endpoint=self._endpoint, dialog=dialog, media=media, is_incoming=is_incoming)
        self.calls.append(call)
        self._by_dialog[dialog.call_id, dialog.local_tag] = call
        if len(self.calls) > CALLS_KEPT_MAX:
            self._forget_oldest()
        return call

    def _forget_oldest(self) -> None:
        oldest = next((call for call in self.calls if not call.is_live), None)
        if oldest is not None:
            self.calls.remove(oldest)
            del self._by_dialog[oldest.dialog.call_id, oldest.dialog.local_tag]

    def _on_request(self, request: Request, transaction: ServerTransaction) -> None:
        call = self._call_of(request)
        if call is not None:
            call.take(request, transaction)
        elif request.method == "INVITE" and parameter(request.headers.require("To"), "tag") is None:
            self._on_invite(request, transaction)
        elif request.method == "OPTIONS":
            transaction.respond(response_to(request, 200, to_tag=self.name))
        elif request.method != "ACK":
            refuse(transaction, 481)

    def _call_of(self, request: Request) -> Call | None:
        call_id = request.headers.require("Call-ID")
        tag = parameter(request.headers.require("To"), "tag")
        if tag is not None:
            return self._by_dialog.get((call_id, tag))
        if request.method != "CANCEL":
            return None
        invite = self._endpoint.server_transaction(request, method="INVITE")
        return next((call for call in self.calls if invite and call.invite is invite.request), None)

    def _on_invite(self, invite: Request, transaction: ServerTransaction) -> None:
        is_full = self.lines is not None and len(self.live_calls) >= self.lines
        dialog = Dialog.from_invite(invite, peer=transaction.peer, own=self.address, name=self.name)
        call = self._new_call(dialog, is_incoming=True)
        call.offered(invite, transaction)
        policy = Busy() if is_full or not self._is_open else self.answer_policy
        match policy:
            case Busy():
                call.begin_end(status=486)
            case Refuse(status):
                call.begin_end(status=status)
            case NoAnswer():
                call.ring()
                self._spawn(self._after_answer(call), f"talk on {call.call_id}")
            case Ring():
                call.ring()
                self._spawn(self._pick_up(call, policy), f"pick up {call.call_id}")
            case _:
                assert_never(policy)
        self._incoming.append(call)
        self._arrived.set()

    async def _pick_up(self, call: Call, policy: Ring) -> None:
        if policy.after_s:
            await asyncio.sleep(policy.after_s)
        if call.is_live and not call.was_answered:
            call.answer()
        await self._after_answer(call)

    async def _after_answer(self, call: Call) -> None:
        """Wait for the answer, which the scenario may give itself, then speak and talk."""
        talk = self.talk
        await call.story.until(
            lambda: call.was_answered or not call.is_live, timeout_s=RINGING_S_MAX, what="an answer"
        )
        if not call.was_answered:
            return
        if self.speaks:
            self._spawn(self._speak(call), f"speak on {call.call_id}")
        if talk is not None:
            await carry_out(self, call, talk)

    async def _speak(self, call: Call) -> None:
        while call.is_live:
            await call.media.say(self.speaks)
