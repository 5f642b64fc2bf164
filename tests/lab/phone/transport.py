"""One UDP socket with SIP transactions: repeats are sent, and repeats received do nothing twice.

Source: RFC 3261 section 17 and its table 4 of timers, in simple form: an INVITE's final response is
repeated until its ACK whatever its class, and Contact and Record-Route are not used for routing,
because on loopback the address that a message came from is the address to answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.lab.phone.message import (
    BadMessage,
    Headers,
    Message,
    Request,
    Response,
    cseq,
    parse_message,
    response_to,
    top_branch,
)

T1_S = 0.5
"""RFC 3261's guess of a round trip; kept on loopback, because a busy PBX takes that long."""
T2_S = 4.0
TRANSACTION_S = 64 * T1_S
"""Timers B, F and H: after 32 s without an answer the other side is given up."""
INBOX_MAX = 5000
"""A second of the heaviest load; over it datagrams are dropped and counted, as a socket would."""

Address = tuple[str, int]
OnResponse = Callable[[Response, Address], None]
OnRequest = Callable[[Request, "ServerTransaction"], None]


class _Repeat:
    """Calls a function after T1, 2 T1, 4 T1 … up to T2 apart, then another one after 32 s."""

    def __init__(self, send: Callable[[], None], *, give_up: Callable[[], None]) -> None:
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._wait_s = T1_S
        self._next = self._loop.call_later(self._wait_s, self._again)
        self._end = self._loop.call_later(TRANSACTION_S, give_up)

    def _again(self) -> None:
        self._send()
        self._wait_s = min(2 * self._wait_s, T2_S)
        self._next = self._loop.call_later(self._wait_s, self._again)

    def stop(self) -> None:
        self._next.cancel()
        self._end.cancel()


@dataclass(slots=True, eq=False)
class ClientTransaction:
    """A request of ours; an INVITE stays known for repeats of its final response."""

    endpoint: Endpoint
    request: Request
    peer: Address
    on_response: OnResponse
    on_silence: Callable[[], None]
    _repeat: _Repeat | None = None
    _final: Response | None = None

    def start(self) -> None:
        self._send()
        self._repeat = _Repeat(self._send, give_up=self._give_up)

    def _send(self) -> None:
        self.endpoint.send(self.request, self.peer)

    def _give_up(self) -> None:
        self.stop()
        self.endpoint.forget_client(self)
        self.on_silence()

    def stop(self) -> None:
        if self._repeat is not None:
            self._repeat.stop()

    def take(self, response: Response, source: Address) -> None:
        is_invite = self.request.method == "INVITE"
        if response.status >= 200 or is_invite:
            self.stop()
        if response.status < 200:
            if self._final is None:
                self.on_response(response, source)
            return
        is_repeat = self._final is not None
        self._final = response
        if is_invite and response.status >= 300:
            self.endpoint.send(self._ack(response), self.peer)
        if not is_repeat:
            self.endpoint.forget_later(self)
        if not is_repeat or (is_invite and response.status < 300):
            self.on_response(response, source)

    def _ack(self, response: Response) -> Request:
        """The ACK of a refusal belongs to the INVITE's transaction and has its branch."""
        mine = self.request.headers
        number, _ = cseq(mine)
        headers = Headers.of(
            {"Via": mine.require("Via"), "Max-Forwards": "70", "From": mine.require("From")},
            {"To": response.headers.require("To"), "Call-ID": mine.require("Call-ID")},
            {"CSeq": f"{number} ACK"},
        )
        return Request(method="ACK", uri=self.request.uri, headers=headers)


@dataclass(slots=True, eq=False)
class ServerTransaction:
    """A request of theirs; a repeat of it gets the last response again."""

    endpoint: Endpoint
    request: Request
    peer: Address
    on_no_ack: Callable[[], None] | None = None
    _last: Response | None = None
    _repeat: _Repeat | None = None

    def respond(self, response: Response) -> None:
        """Send a response; a final one to an INVITE is repeated until its ACK comes."""
        self._last = response
        self.repeat_last()
        if response.status >= 200 and self.request.method == "INVITE" and self._repeat is None:
            self._repeat = _Repeat(self.repeat_last, give_up=self._give_up)

    @property
    def is_answered(self) -> bool:
        """Whether a final response was sent."""
        return self._last is not None and self._last.status >= 200

    def repeat_last(self) -> None:
        if self._last is not None:
            self.endpoint.send(self._last, self.peer)

    def acknowledged(self) -> None:
        """The ACK came: stop repeating."""
        if self._repeat is not None:
            self._repeat.stop()

    def _give_up(self) -> None:
        self.acknowledged()
        if self.on_no_ack is not None:
            self.on_no_ack()


@dataclass(slots=True)
class Counts:
    """What the socket saw that no call will tell."""

    bad_messages: int = 0
    dropped: int = 0
    repeats: int = 0
    strays: int = 0


@dataclass(slots=True, eq=False)
class Endpoint(asyncio.DatagramProtocol):
    """The socket and its transactions. `serve()` must run in a task; it passes faults on."""

    on_request: OnRequest
    counts: Counts = field(default_factory=Counts)
    _transport: asyncio.DatagramTransport | None = None
    _inbox: asyncio.Queue[tuple[bytes, Address]] = field(
        default_factory=lambda: asyncio.Queue(maxsize=INBOX_MAX)
    )
    _clients: dict[tuple[str, str], ClientTransaction] = field(default_factory=dict)
    _servers: dict[tuple[str, str, str], ServerTransaction] = field(default_factory=dict)
    _timers: set[asyncio.TimerHandle] = field(default_factory=set)
    address: Address = ("", 0)

    async def open(self, host: str, port: int) -> None:
        """Bind the socket; port 0 takes a free one."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=(host, port)
        )
        self.address = self._transport.get_extra_info("sockname")[:2]

    def close(self) -> None:
        """Close the socket and stop every timer; may be called twice."""
        for client in self._clients.values():
            client.stop()
        for server in self._servers.values():
            server.acknowledged()
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: Address) -> None:
        try:
            self._inbox.put_nowait((data, addr[:2]))
        except asyncio.QueueFull:
            self.counts.dropped += 1

    def error_received(self, exc: Exception) -> None:
        """An ICMP answer: the peer's port is closed. The transaction's own deadline tells it."""

    async def serve(self) -> None:
        """Read messages for ever; a fault in a handler ends the phone instead of a log line."""
        while True:
            data, source = await self._inbox.get()
            try:
                message = parse_message(data)
                self._dispatch(message, source)
            except BadMessage:
                self.counts.bad_messages += 1

    def send(self, message: Message, peer: Address) -> None:
        """Send one message once."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(message.to_bytes(), peer)

    def request(
        self,
        request: Request,
        peer: Address,
        *,
        on_response: OnResponse,
        on_silence: Callable[[], None],
    ) -> None:
        """Send a request, repeat it until answered, and report the answer or the silence."""
        transaction = ClientTransaction(self, request, peer, on_response, on_silence)
        self._clients[top_branch(request.headers), request.method] = transaction
        transaction.start()

    def forget_client(self, transaction: ClientTransaction) -> None:
        """Drop a transaction of ours."""
        key = (top_branch(transaction.request.headers), transaction.request.method)
        self._clients.pop(key, None)

    def forget_later(self, transaction: ClientTransaction) -> None:
        """Drop a transaction of ours when no repeat of its answer can come any more."""
        self._after(TRANSACTION_S, lambda: self.forget_client(transaction))

    def _after(self, delay_s: float, act: Callable[[], object]) -> None:
        def run() -> None:
            self._timers.discard(handle)
            act()

        handle = asyncio.get_running_loop().call_later(delay_s, run)
        self._timers.add(handle)

    def _dispatch(self, message: Message, source: Address) -> None:
        branch = top_branch(message.headers)
        if isinstance(message, Response):
            client = self._clients.get((branch, cseq(message.headers)[1]))
            if client is None:
                self.counts.strays += 1
            else:
                client.take(message, source)
            return
        for name in ("From", "To", "Call-ID", "CSeq"):
            message.headers.require(name)
        method = "INVITE" if message.method == "ACK" else message.method
        sent_by = message.headers.require("Via").split(";", 1)[0]
        key = (branch, sent_by, method)
        known = self._servers.get(key)
        if known is None:
            self._begin(message, source, key=key)
        elif message.method == "ACK":
            known.acknowledged()
        else:
            self.counts.repeats += 1
            known.repeat_last()

    def _begin(self, request: Request, source: Address, *, key: tuple[str, str, str]) -> None:
        transaction = ServerTransaction(self, request, source)
        if request.method != "ACK":
            self._servers[key] = transaction
            self._after(TRANSACTION_S, lambda: self._forget_server(key))
        self.on_request(request, transaction)

    def _forget_server(self, key: tuple[str, str, str]) -> None:
        """Drop a transaction of theirs; a call that still rings keeps its own until answered."""
        transaction = self._servers.get(key)
        if transaction is None:
            return
        if transaction.request.method == "INVITE" and not transaction.is_answered:
            self._after(TRANSACTION_S, lambda: self._forget_server(key))
        else:
            self._servers.pop(key, None)

    def server_transaction(self, request: Request, *, method: str) -> ServerTransaction | None:
        """Return the transaction of theirs that a CANCEL speaks of."""
        branch = top_branch(request.headers)
        sent_by = request.headers.require("Via").split(";", 1)[0]
        return self._servers.get((branch, sent_by, method))


def refuse(transaction: ServerTransaction, status: int) -> None:
    """Answer a request that no call will take."""
    transaction.respond(response_to(transaction.request, status, to_tag="none"))
