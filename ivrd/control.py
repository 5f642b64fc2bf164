"""The control socket: one line of JSON in, one line of JSON out, for the command line on this host.

Here: the socket, its limits, who asks, and the form of question and answer, for both ends. Not
here: carrying out (switches.py) and what people type (cli_switches.py).

    {"do":"notice_on","name":"driftstorning","until":"2026-11-21T18:00:00+01:00","reason":"..."}
    {"do":"notice_off","name":...}  {"do":"line_open"|"line_close"|"line_release","name":...}
    {"do":"rule_set","name":...,"stand":"on"|"off"|"dry_run"|"forced","until":...,"reason":...}
    {"do":"rule_release","name":...}  {"do":"move","call":...,"to":...,"reason":...}
    {"do":"undo","kind":"notice"|"line"|"rule","name":...}  {"do":"status"}  {"do":"reload"}
    {"do":"floor"}; about agents: control_agents.py
May have: "seen" (the version on which an act was decided) and "for" (whom root acts for).

    {"ok":true, ...}  or  {"ok":false,"error":"conflict","text":"..."}

Only root and ivrd's own user can connect: the socket is 0600, and the kernel says who asks. One
question to a connection. Whatever comes in, however slowly, costs one answer and disturbs nobody.
"""

import asyncio
import contextlib
import errno
import json
import pwd
import re
import socket
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import structlog

from ivrd.agent_board import AgentBoard
from ivrd.control_agents import AGENT_QUESTIONS, BadQuestion, agent_answer, text_in
from ivrd.core.switch_entries import WHO_CHARACTERS_MAX
from ivrd.core.switches import (
    REASON_CHARACTERS_MAX,
    STANDS,
    Act,
    Actor,
    ActOutcome,
    LineForced,
    LineReleased,
    NoticeOff,
    NoticeOn,
    Origin,
    RuleReleased,
    RuleSet,
    Setting,
    Stand,
    Switch,
    SwitchKind,
    Version,
)
from ivrd.overflow_orders import OverflowOrders, Wish
from ivrd.switches import ActResult, SwitchBoard

SOCKET_NAME = "control.sock"

QUESTION_BYTES_MAX = 8 * 1024
"""A reason of REASON_CHARACTERS_MAX takes at most some 2 kB in JSON."""

ANSWER_BYTES_MAX = 4 * 1024 * 1024
"""A status of thousands of switches, for the asking end."""

ASK_S_MAX = 5.0
"""From the connection to the whole question: a program writes it at once."""

TELL_S_MAX = 5.0
"""For the asking end to take its answer."""

CONNECTIONS_MAX = 16
"""People on one host; what comes beyond is told to come again."""

OPEN_AGAIN_S = 30.0
"""How often it is tried to open a socket that could not be opened."""

MODE = 0o600

_PEER = struct.Struct("3i")
"""SO_PEERCRED (unix(7)): process, user, group."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

log: structlog.stdlib.BoundLogger = structlog.get_logger()

Json = Mapping[str, object]


class ControlServer:
    """The daemon's end.

    Attributes:
        fault: Why nobody can ask; None when all is well.
        questions: How many, by how they ended: answered, bad, late, busy, gone.
        floor: Tells of queues and lines as they are now; None where no calls are.
    """

    def __init__(
        self, directory: Path, board: SwitchBoard, orders: OverflowOrders | None = None
    ) -> None:
        """Open nothing yet.

        Args:
            directory: Where the socket is made.
            board: Carries out what is asked.
            orders: Moves callers; None where no calls are.
        """
        self.path = directory / SOCKET_NAME
        self.fault: str | None = None
        self.questions: Counter[tuple[str, ...]] = Counter()
        self.started = asyncio.Event()
        self.floor: Callable[[], Json] | None = None
        self.agents: AgentBoard | None = None
        self._board = board
        self._orders = orders
        self._open = 0

    async def serve(self) -> None:
        """Answer until cancelled. A socket that cannot be opened is tried again: calls go on."""
        while True:
            try:
                listening = listen(self.path)
            except OSError as error:
                reason = error.strerror or str(error)
                if self.fault is None:
                    log.error("control_failed", path=str(self.path), reason=reason)
                self.fault = f"control socket {self.path}: {reason}"
                await asyncio.sleep(OPEN_AGAIN_S)
                continue
            self.fault = None
            try:
                async with asyncio.TaskGroup() as group:
                    await self._listen(listening, group)
            finally:
                with contextlib.suppress(OSError):
                    self.path.unlink()

    async def _listen(self, listening: socket.socket, group: asyncio.TaskGroup) -> None:
        """Meet each connection in a task of its own, until cancelled."""

        def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            group.create_task(self._meet(reader, writer), name="control-question")

        server = await asyncio.start_unix_server(meet, sock=listening, limit=QUESTION_BYTES_MAX)
        self.started.set()
        async with server:
            await server.serve_forever()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one connection: one question, one answer, and away."""
        self._open += 1
        end = "gone"
        try:
            end, answer = await self._hear(reader, writer)
            writer.write(json.dumps(answer).encode() + b"\n")
            async with asyncio.timeout(TELL_S_MAX):
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError):
            # Whoever asked is gone, or does not listen; what was asked has been done all the same.
            end = "gone"
        finally:
            self._open -= 1
            self.questions[(end,)] += 1
            writer.transport.abort()

    async def _hear(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[str, Json]:
        """Return how a question ended, and the answer."""
        if self._open > CONNECTIONS_MAX:
            return "busy", _fault("busy", "too many ask at once; try again")
        try:
            async with asyncio.timeout(ASK_S_MAX):
                line = await reader.readuntil(b"\n")
        except TimeoutError:
            return "late", _fault("late", f"no whole line within {ASK_S_MAX:g} s")
        except asyncio.LimitOverrunError:
            return "bad", _fault("bad", f"the line is longer than {QUESTION_BYTES_MAX} bytes")
        except asyncio.IncompleteReadError:
            return "bad", _fault("bad", "the line has no end")
        try:
            question = parse(line)
            actor = Actor(who=_who(writer, question), origin=Origin.CONTROL)
            return "answered", await self._carry_out(question, actor)
        except BadQuestion as error:
            return "bad", _fault("bad", str(error))

    async def _carry_out(self, question: Json, actor: Actor) -> Json:
        board = self._board
        match question["do"]:
            case "status":
                return {"ok": True, **status(board)}
            case "floor":
                return {"ok": True, **(self.floor() if self.floor is not None else {})}
            case "reload":
                return answer_to(await board.reload(actor))
            case "move":
                return await self._move(question, actor)
            case "agent" | "agent_undo" | "rank" if self.agents is not None:
                return await agent_answer(self.agents, question, actor)
            case "undo":
                switch = Switch(kind=_kind(question), name=_name(question))
                return answer_to(await board.undo(switch, actor, seen=_seen(question)))
            case _:
                return answer_to(await board.act(act_of(question), actor, seen=_seen(question)))

    async def _move(self, question: Json, actor: Actor) -> Json:
        if self._orders is None:
            raise BadQuestion("move: there are no calls here")
        wish = Wish(
            call=text_in(question, "call"),
            to_queue=text_in(question, "to"),
            reason=_reason(question),
        )
        result = await self._orders.move(wish, actor)
        answer: dict[str, object] = {"outcome": result.outcome.value, "text": result.text}
        return {"ok": result.is_taken, "error": result.outcome.value, **answer}


def listen(path: Path) -> socket.socket:
    """Return the bound socket, 0600 before anybody can connect.

    Raises:
        OSError: It cannot be made, or another daemon listens there.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                if probe.connect_ex(str(path)) == 0:
                    raise OSError(errno.EADDRINUSE, "another ivrd listens there")
            path.unlink()
        listening.bind(str(path))
        # Not listening yet, so nobody has come in under the umask's mode.
        path.chmod(MODE)
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


def parse(line: bytes) -> Json:
    """Return a question.

    Raises:
        BadQuestion: It is none.
    """
    try:
        question = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadQuestion("this is not one line of JSON") from error
    if not isinstance(question, dict):
        raise BadQuestion("this is not a JSON object")
    allowed = QUESTIONS.get(str(question.get("do")))
    if allowed is None:
        raise BadQuestion(f"do: one of {', '.join(QUESTIONS)}")
    unknown = sorted(set(question) - {"do", "for", *allowed})
    if unknown:
        raise BadQuestion(f"{unknown[0]!r} does not belong to {question['do']}")
    return question


QUESTIONS: Mapping[str, frozenset[str]] = {
    "notice_on": frozenset({"name", "until", "reason", "seen"}),
    "notice_off": frozenset({"name", "reason", "seen"}),
    "line_open": frozenset({"name", "until", "reason", "seen"}),
    "line_close": frozenset({"name", "until", "reason", "seen"}),
    "line_release": frozenset({"name", "reason", "seen"}),
    "rule_set": frozenset({"name", "stand", "until", "reason", "seen"}),
    "rule_release": frozenset({"name", "reason", "seen"}),
    "move": frozenset({"call", "to", "reason"}),
    "undo": frozenset({"kind", "name", "seen"}),
    **AGENT_QUESTIONS,
    "status": frozenset(),
    "floor": frozenset(),
    "reload": frozenset(),
}
"""What can be asked, and what each question may hold."""


def act_of(question: Json) -> Act:
    """Return the act that a question wishes.

    Raises:
        BadQuestion: A part is missing, or of another type.
    """
    name = _name(question)
    match question["do"]:
        case "notice_on":
            return NoticeOn(notice=name, until=_until(question), reason=_reason(question))
        case "notice_off":
            return NoticeOff(notice=name, reason=_reason(question))
        case "line_release":
            return LineReleased(line=name, reason=_reason(question))
        case "rule_release":
            return RuleReleased(rule=name, reason=_reason(question))
        case "rule_set":
            return RuleSet(
                rule=name,
                state=_stand(question),
                until=_until(question),
                reason=_reason(question),
            )
        case word:
            return LineForced(
                line=name,
                state=Stand.OPEN if word == "line_open" else Stand.CLOSED,
                until=_until(question),
                reason=_reason(question),
            )


def answer_to(result: ActResult) -> Json:
    """Return the answer that tells what came of an act."""
    answer: dict[str, object] = {
        "ok": result.is_taken,
        "outcome": result.outcome.value,
        "faults": list(result.faults),
        "pending": dict(result.pending),
    }
    if result.switch is not None:
        answer["switch"] = {"kind": result.switch.kind.value, "name": result.switch.name}
    if result.setting is not None:
        answer["setting"] = setting_as_json(result.setting)
    if result.summary:
        answer["summary"] = result.summary
    if result.outcome is ActOutcome.CONFLICT:
        answer |= _fault("conflict", conflict_text(result.switch, result.setting))
    elif result.outcome is ActOutcome.REFUSED:
        answer |= _fault("refused", "; ".join(result.faults))
    return answer


def conflict_text(switch: Switch | None, setting: Setting | None) -> str:
    """Return who did what and when, for whoever came second."""
    if setting is None:
        return f"{switch}: was never switched; look again"
    until = "" if setting.until is None else f" until {setting.until.isoformat()}"
    return (
        f"{switch}: {setting.by.who} has set it to {setting.stand.value}{until} at "
        f"{setting.at.isoformat(timespec='seconds')} ({setting.reason or 'no reason given'})"
    )


def status(board: SwitchBoard) -> Json:
    """Return every switch as it is now, and what each PBX has still to get."""
    now = board.now()
    switches = []
    for switch in board.switches():
        setting = board.state.setting(switch)
        switches.append(
            {
                "kind": switch.kind.value,
                "name": switch.name,
                "version": board.state.version(switch),
                "is_in_force": setting is not None and setting.is_in_force(now),
                "setting": None if setting is None else setting_as_json(setting),
                "pending": dict(board.pending(switch)),
            }
        )
    return {"at": now.isoformat(), "switches": switches, "troubles": board.troubles()}


def setting_as_json(setting: Setting) -> Json:
    """Return a setting as it is told."""
    return {
        "stand": setting.stand.value,
        "until": None if setting.until is None else setting.until.isoformat(),
        "reason": setting.reason,
        "who": setting.by.who,
        "origin": setting.by.origin.value,
        "at": setting.at.isoformat(),
        "version": setting.version,
    }


def ask(directory: Path, question: Json, *, within_s: float) -> Json:
    """Ask a running daemon, from a program that may wait.

    Raises:
        FileNotFoundError, ConnectionError, PermissionError: Nobody listens, or not to us.
        OSError, ValueError: The answer did not come, or is none.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(within_s)
        asking.connect(str(directory / SOCKET_NAME))
        # A daemon that has no time answers and closes without reading: the answer is there to read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            asking.sendall(json.dumps(question).encode() + b"\n")
        with asking.makefile("rb") as file:
            line = file.readline(ANSWER_BYTES_MAX)
    answer = json.loads(line)
    if not isinstance(answer, dict):
        raise ValueError("the answer is no JSON object")
    return answer


def _fault(error: str, text: str) -> dict[str, object]:
    return {"ok": False, "error": error, "text": text}


def _who(writer: asyncio.StreamWriter, question: Json) -> str:
    """Return who asks: the kernel's word, and for root whom it acts for by its own word."""
    peer: socket.socket = writer.get_extra_info("socket")
    raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    _, uid, _ = _PEER.unpack(raw)
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"uid{uid}"
    whom = question.get("for")
    if whom is None or uid != 0:
        return name
    if not isinstance(whom, str) or not whom.isprintable() or len(whom) > WHO_CHARACTERS_MAX:
        raise BadQuestion(f"for: a name of at most {WHO_CHARACTERS_MAX} characters")
    return f"{whom} as {name}"


def _name(question: Json) -> str:
    name = question.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadQuestion("name: small letters, digits, hyphens and underscores")
    return name


def _kind(question: Json) -> SwitchKind:
    try:
        return SwitchKind(str(question.get("kind")))
    except ValueError:
        raise BadQuestion(f"kind: {' or '.join(SwitchKind)}") from None


def _stand(question: Json) -> Stand:
    known = STANDS[SwitchKind.RULE] - {Stand.FREE}
    stand = question.get("stand")
    if not isinstance(stand, str) or stand not in known:
        raise BadQuestion(f"stand: one of {', '.join(sorted(known))}")
    return Stand(stand)


def _reason(question: Json) -> str:
    reason = question.get("reason", "")
    if not isinstance(reason, str):
        raise BadQuestion(f"reason: a text of at most {REASON_CHARACTERS_MAX} characters")
    return reason


def _until(question: Json) -> datetime:
    until = question.get("until")
    try:
        moment = datetime.fromisoformat(until) if isinstance(until, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise BadQuestion("until: a time such as 2026-11-21T18:00:00+01:00")
    return moment


def _seen(question: Json) -> Version | None:
    seen = question.get("seen")
    if seen is None:
        return None
    if type(seen) is not int or seen < 0:
        raise BadQuestion("seen: the version that status told, a whole number")
    return Version(seen)
