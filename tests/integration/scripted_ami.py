"""An AMI server that says what a test tells it to, on a real socket.

Its usual behaviour is that of a healthy Asterisk 22: banner, login, FullyBooted, rights, lists. A
test changes one thing (`replies`, `is_silent`, ...) and sees what the client makes of it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

BANNER = b"Asterisk Call Manager/11.0.0\r\n"

COMMANDS = (
    "Ping",
    "ListCommands",
    "CoreSettings",
    "CoreShowChannels",
    "QueueStatus",
    "QueueWithdrawCaller",
    "Setvar",
)

STAMP_S = 1_700_000_000
"""The scripted PBX's clock stands still, unless a test moves it."""


def event(name: str, at_s: float = STAMP_S, **headers: object) -> bytes:
    """Return one event as Asterisk writes it."""
    if "Uniqueid" in headers:
        number = str(headers.pop("CallerIDNum", "<unknown>"))
        headers = {**block(str(headers.pop("Uniqueid")), number=number), **headers}
    lines = [f"Event: {name}", "Privilege: agent,all", f"Timestamp: {at_s:.6f}"]
    lines += [f"{key}: {value}" for key, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def block(uniqueid: str, prefix: str = "", number: str = "<unknown>") -> dict[str, object]:
    """Return a channel's headers in Asterisk's order (manager_channels.c)."""
    return {
        f"{prefix}{name}": text
        for name, text in {
            "Channel": f"PJSIP/x-{uniqueid}",
            "ChannelState": 6,
            "ChannelStateDesc": "Up",
            "CallerIDNum": number,
            "CallerIDName": "<unknown>",
            "ConnectedLineNum": "<unknown>",
            "ConnectedLineName": "<unknown>",
            "Language": "sv",
            "AccountCode": "",
            "Context": "ivrd-line",
            "Exten": "8001",
            "Priority": 1,
            "Uniqueid": uniqueid,
            "Linkedid": uniqueid,
        }.items()
    }


def hangup(number: int, at_s: float = STAMP_S + 1.0) -> bytes:
    """Return a Hangup of channel "1.<number>"."""
    return event("Hangup", at_s, Uniqueid=f"1.{number}", Cause=16)


Reply = Callable[["ScriptedAmi", dict[str, str]], bytes | None]


@dataclass
class ScriptedAmi:
    """The server. Fields may be changed at any time."""

    port: int = 0
    banner: bytes = BANNER
    secret: str = "right"
    refusal: str = "Authentication failed"
    commands: tuple[str, ...] = COMMANDS
    boots: bool = True
    is_silent: bool = False
    """Takes everything, answers nothing: a frozen Asterisk."""
    clock_s: float = STAMP_S
    replies: dict[str, Reply] = field(default_factory=dict)
    """By action, instead of the usual answer; None answers nothing."""
    queue_items: list[bytes] = field(default_factory=list)
    channel_items: list[bytes] = field(default_factory=list)
    actions: list[dict[str, str]] = field(default_factory=list)
    """All that the client asked, in order, over all connections."""
    connections: int = 0
    open_connections: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, condition: Callable[[], bool], within_s: float = 30.0) -> None:
        """Wait until something is true; looked at whenever anything happens here or in the sink."""
        async with asyncio.timeout(within_s):
            while not condition():
                self.changed.clear()
                if condition():
                    return
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await self.changed.wait()

    def asked(self, action: str) -> list[dict[str, str]]:
        return [each for each in self.actions if each["Action"] == action]

    def send(self, data: bytes) -> None:
        """Write raw bytes to the newest connection."""
        self.writers[-1].write(data)

    def cut(self) -> None:
        """Break the newest connection."""
        self.writers[-1].transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_connections += 1
        self.writers.append(writer)
        self.changed.set()
        try:
            writer.write(self.banner)
            while True:
                action = await self._read(reader)
                if action is None:
                    return
                self.actions.append(action)
                answer = self._answer(action)
                if answer is not None and not self.is_silent:
                    writer.write(answer)
                self.changed.set()
        except ConnectionError:
            pass
        finally:
            self.open_connections -= 1
            self.changed.set()
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> dict[str, str] | None:
        action: dict[str, str] = {}
        while True:
            line = await reader.readline()
            if not line:
                return None
            if line == b"\r\n":
                return action
            name, _, text = line.decode().rstrip("\r\n").partition(": ")
            action[name] = text

    def _answer(self, action: dict[str, str]) -> bytes | None:
        name = action["Action"]
        if name in self.replies:
            return self.replies[name](self, action)
        usual = getattr(self, f"_{name.lower()}", None)
        if usual is None:
            return self.response(action, "Error", f"Invalid/unknown command: {name}")
        return usual(action)

    def response(self, action: dict[str, str], word: str, message: str, *more: str) -> bytes:
        lines = [f"Response: {word}", f"ActionID: {action['ActionID']}", *more]
        if message:
            lines.append(f"Message: {message}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def listed(self, action: dict[str, str], items: list[bytes], end: str) -> bytes:
        action_id = f"ActionID: {action['ActionID']}\r\n\r\n".encode()
        body = b"".join(item.removesuffix(b"\r\n\r\n") + b"\r\n" + action_id for item in items)
        return (
            self.response(action, "Success", "will follow", "EventList: start")
            + body
            + self.list_end(action, end, len(items))
        )

    def list_end(self, action: dict[str, str], end: str, count: int) -> bytes:
        return (
            f"Event: {end}\r\nActionID: {action['ActionID']}\r\nEventList: Complete\r\n"
            f"ListItems: {count}\r\n\r\n"
        ).encode()

    def _login(self, action: dict[str, str]) -> bytes:
        if action["Secret"] != self.secret:
            return self.response(action, "Error", self.refusal)
        accepted = self.response(action, "Success", "Authentication accepted")
        booted = b"Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: 5\r\n\r\n"
        return accepted + (booted if self.boots else b"")

    def _ping(self, action: dict[str, str]) -> bytes:
        return self.response(action, "Success", "", "Ping: Pong", f"Timestamp: {self.clock_s:.6f}")

    def _listcommands(self, action: dict[str, str]) -> bytes:
        lines = [f"{name}: Does it.  (Priv: <none>)" for name in self.commands]
        return self.response(action, "Success", "", *lines)

    def _coresettings(self, action: dict[str, str]) -> bytes:
        return self.response(
            action, "Success", "", "AMIversion: 11.0.0", "AsteriskVersion: 22.10.1"
        )

    def _queuestatus(self, action: dict[str, str]) -> bytes:
        return self.listed(action, self.queue_items, "QueueStatusComplete")

    def _coreshowchannels(self, action: dict[str, str]) -> bytes:
        return self.listed(action, self.channel_items, "CoreShowChannelsComplete")

    def _setvar(self, action: dict[str, str]) -> bytes:
        return self.response(action, "Success", "Variable Set")

    def _queuewithdrawcaller(self, action: dict[str, str]) -> bytes:
        return self.response(action, "Success", "Withdraw requested successfully")

    def _logoff(self, action: dict[str, str]) -> bytes:
        return self.response(action, "Goodbye", "Thanks for all the fish.")


@contextlib.asynccontextmanager
async def scripted_ami(**fields: object) -> AsyncIterator[ScriptedAmi]:
    """Run a scripted server on a free port, until the body ends."""
    ami = ScriptedAmi(**fields)  # type: ignore[arg-type]
    server = await asyncio.start_server(ami.serve, "127.0.0.1", 0)
    ami.port = server.sockets[0].getsockname()[1]
    try:
        yield ami
    finally:
        server.close()
        for writer in ami.writers:
            writer.transport.abort()
        await ami.until(lambda: ami.open_connections == 0)
        await server.wait_closed()
