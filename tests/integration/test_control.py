"""The control socket, on a real socket: who may ask, and what becomes of bad questions.

Whatever a test does to the socket, a good question asked beside it is answered as if nothing were.
"""

import asyncio
import contextlib
import json
import os
import pwd
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ivrd import control
from ivrd.control import ControlServer, ask, listen
from ivrd.core.switches import Names
from ivrd.switches import Reloaded
from tests.unit.boards import EPOCH, UNTIL, Bench, FakeDatabase

SOON_S = 30.0

Answer = dict[str, Any]

ON = {"do": "notice_on", "name": "driftstorning", "until": UNTIL.isoformat(), "reason": "Läcka"}


class Counter:
    """A running server and its board."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.bench = Bench(directory)
        self.server = ControlServer(directory, self.bench.board)

    async def ask(self, **question: object) -> Answer:
        answer = await asyncio.to_thread(ask, self.directory, question, within_s=SOON_S)
        return dict(answer)

    async def say(self, data: bytes, *, ends: bool = False) -> Answer:
        """Send raw bytes, and return the answer."""
        reader, writer = await asyncio.open_unix_connection(self.server.path)
        try:
            writer.write(data)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
                if ends:
                    writer.write_eof()
            async with asyncio.timeout(SOON_S):
                return dict(json.loads(await reader.readline()))
        finally:
            writer.transport.abort()


@contextlib.asynccontextmanager
async def running(directory: Path) -> AsyncIterator[Counter]:
    counter = Counter(directory)
    task = asyncio.create_task(counter.server.serve())
    try:
        async with asyncio.timeout(SOON_S):
            await counter.server.started.wait()
        yield counter
        # Whatever happened: it still answers, and nothing has ended it.
        assert (await counter.ask(do="status"))["ok"]
        assert not task.done(), task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not condition():  # noqa: ASYNC110 - a condition of many parts, with a deadline.
            await asyncio.sleep(0.001)


async def test_a_notice_is_switched_on_shown_and_switched_off(tmp_path: Path) -> None:
    database = FakeDatabase()
    async with running(tmp_path) as counter, counter.bench.connected(database):
        answer = await counter.ask(**ON)
        assert (answer["ok"], answer["outcome"], answer["pending"]) == (True, "done", {})
        assert database.value("ivrd-notice", "driftstorning") == EPOCH
        status = await counter.ask(do="status")
        [shown] = [each for each in status["switches"] if each["is_in_force"]]
        assert (shown["kind"], shown["name"]) == ("notice", "driftstorning")
        assert (shown["setting"]["stand"], shown["setting"]["reason"]) == ("on", "Läcka")
        assert len(status["switches"]) == 4
        answer = await counter.ask(do="notice_off", name="driftstorning", seen=shown["version"])
        assert answer["ok"]
        answer = await counter.ask(do="undo", kind="notice", name="driftstorning")
        assert answer["setting"]["stand"] == "on"


async def test_the_kernel_says_who_asks_and_root_says_for_whom(tmp_path: Path) -> None:
    name = pwd.getpwuid(os.getuid()).pw_name
    async with running(tmp_path) as counter:
        await counter.ask(**ON)
        await counter.ask(do="line_release", name="kommunen", **{"for": "anna"})
        expected = f"anna as {name}" if os.getuid() == 0 else name
        assert [row.who for row in counter.bench.rows] == [name, expected]
        if os.getuid() == 0:
            for whom in (3, "a\nb", "x" * 65):
                answer = await counter.ask(do="notice_off", name="driftstorning", **{"for": whom})
                assert answer["error"] == "bad"


async def test_a_version_that_is_not_so_any_more_is_a_conflict(tmp_path: Path) -> None:
    async with running(tmp_path) as counter:
        first = await counter.ask(**ON, seen=0)
        second = await counter.ask(do="notice_off", name="driftstorning", seen=0)
        assert second["error"] == "conflict"
        assert second["setting"] == first["setting"]
        for seen in (-1, "0", True, 1.5):
            answer = await counter.ask(do="notice_off", name="driftstorning", seen=seen)
            assert answer["error"] == "bad"


async def test_what_is_wrong_with_an_act_is_told_and_changes_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as counter:
        answer = await counter.ask(do="notice_off", name="drifstorning")
        assert answer["error"] == "refused"
        assert "did you mean driftstorning?" in answer["text"]
        answer = await counter.ask(**{**ON, "until": "2026-11-21T18:00:00"})
        assert "no time zone" in answer["text"]
        assert counter.bench.rows == []


async def test_a_reload_tells_each_fault(tmp_path: Path) -> None:
    async with running(tmp_path) as counter:
        counter.bench.reloads = [Reloaded(faults=("a: no", "b: no")), Reloaded(summary="2 lines")]
        answer = await counter.ask(do="reload")
        assert (answer["error"], answer["faults"]) == ("refused", ["a: no", "b: no"])
        answer = await counter.ask(do="reload")
        assert (answer["ok"], answer["summary"]) == (True, "2 lines")


@pytest.mark.parametrize(
    "data",
    [
        b"\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00\xff\x80\n",
        b"{\n",
        b'{"do":"status","do":7}\n',
        b"[" * 4000 + b"\n",
        b'{"do":"notice_on","name":{"a":1},"until":[],"reason":{}}\n',
    ],
)
async def test_garbage_is_told_so(data: bytes, tmp_path: Path) -> None:
    async with running(tmp_path) as counter:
        answer = await counter.say(data)
        assert (answer["ok"], answer["error"]) == (False, "bad")


async def test_a_line_that_is_too_long_is_not_read_to_its_end(tmp_path: Path) -> None:
    async with running(tmp_path) as counter:
        answer = await counter.say(b"x" * (control.QUESTION_BYTES_MAX + 10))
        assert "longer than" in answer["text"]
        answer = await counter.say(b'{"do":"status","x":"' + b"y" * 100_000 + b'"}\n')
        assert "longer than" in answer["text"]


async def test_half_a_line_is_no_question(tmp_path: Path) -> None:
    async with running(tmp_path) as counter:
        answer = await counter.say(json.dumps(ON).encode(), ends=True)
        assert answer["text"] == "the line has no end"
        assert counter.bench.rows == []


async def test_who_is_slow_is_sent_away_and_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as counter:
        with monkeypatch.context() as patched:
            patched.setattr(control, "ASK_S_MAX", 0.3)
            reader, writer = await asyncio.open_unix_connection(counter.server.path)
            writer.write(b'{"do":')
            await until(lambda: counter.server._open == 1)
        assert (await counter.ask(do="status"))["ok"]
        async with asyncio.timeout(SOON_S):
            answer = json.loads(await reader.readline())
        assert answer["error"] == "late"
        writer.transport.abort()


async def test_who_does_not_read_or_goes_away_disturbs_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "TELL_S_MAX", 0.1)
    async with running(tmp_path) as counter:
        for _ in range(10):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
                asking.connect(str(counter.server.path))
                asking.sendall(json.dumps(ON).encode() + b"\n")
        await until(lambda: len(counter.bench.rows) == 10)
        assert {row.outcome.value for row in counter.bench.rows} == {"pending", "already"}


async def test_who_does_not_take_a_long_answer_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as counter:
        many = frozenset(f"notice{number}" for number in range(5_000))
        counter.bench.board.names = Names(notices=many)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.connect(str(counter.server.path))
            asking.sendall(b'{"do":"status"}\n')
            with monkeypatch.context() as patched:
                patched.setattr(control, "TELL_S_MAX", 0.1)
                await until(lambda: counter.server.questions["gone",] == 1)
        assert len((await counter.ask(do="status"))["switches"]) == 5_000


async def test_many_at_once_are_answered_and_too_many_are_told_so(tmp_path: Path) -> None:
    async with running(tmp_path) as counter, counter.bench.connected(FakeDatabase()):
        answers = await asyncio.gather(
            *(counter.ask(do="status") for _ in range(control.CONNECTIONS_MAX))
        )
        assert all(answer["ok"] for answer in answers)
        await until(lambda: counter.server._open == 0)
        held = [
            await asyncio.open_unix_connection(counter.server.path)
            for _ in range(control.CONNECTIONS_MAX)
        ]
        await until(lambda: counter.server._open == control.CONNECTIONS_MAX)
        assert (await counter.say(b'{"do":"status"}\n'))["error"] == "busy"
        for _, writer in held:
            writer.transport.abort()
        await until(lambda: counter.server.questions["gone",] >= control.CONNECTIONS_MAX)


async def test_two_who_act_at_once_cannot_both_win(tmp_path: Path) -> None:
    close = {"do": "line_close", "name": "kommunen", "until": UNTIL.isoformat(), "reason": "x"}
    async with running(tmp_path) as counter, counter.bench.connected(FakeDatabase()):
        answers = await asyncio.gather(
            counter.ask(**close, seen=0), counter.ask(**{**close, "do": "line_open"}, seen=0)
        )
    assert sorted(answer["outcome"] for answer in answers) == ["conflict", "done"]


async def test_only_its_owner_can_connect(tmp_path: Path) -> None:
    async with running(tmp_path) as counter:
        mode = counter.server.path.stat().st_mode
        assert stat.S_IMODE(mode) == 0o600
        assert stat.S_ISSOCK(mode)


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that everybody may look into, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
async def test_another_user_cannot_connect_and_the_kernel_says_so(open_directory: Path) -> None:
    code = (
        "import os, socket, sys\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "socket.socket(socket.AF_UNIX).connect(sys.argv[1])\n"
    )
    async with running(open_directory) as counter:
        command = [sys.executable, "-c", code, str(counter.server.path)]
        result = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, check=False
        )
        assert "PermissionError" in result.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
async def test_nobody_but_root_says_for_whom(open_directory: Path) -> None:
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from ivrd.control import ask\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "question = {'do': 'notice_off', 'name': 'driftstorning', 'for': 'root'}\n"
        "print(ask(Path(sys.argv[1]), question, within_s=30))\n"
    )
    async with running(open_directory) as counter:
        # As if somebody had opened it to all.
        counter.server.path.chmod(0o666)
        command = [sys.executable, "-c", code, str(open_directory)]
        result = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, check=False
        )
        assert "'ok': True" in result.stdout, result.stderr
    assert [row.who for row in counter.bench.rows] == ["nobody"]


async def test_a_socket_that_a_crash_left_is_replaced_and_a_living_one_is_not(
    tmp_path: Path,
) -> None:
    left = listen(tmp_path / control.SOCKET_NAME)
    left.close()
    async with running(tmp_path) as counter:
        with pytest.raises(OSError, match="another ivrd listens there"):
            listen(counter.server.path)
        assert (await counter.ask(do="status"))["ok"]
    assert not (tmp_path / control.SOCKET_NAME).exists()


async def test_a_socket_that_cannot_be_made_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "OPEN_AGAIN_S", 0.01)
    place = tmp_path / "state"
    place.write_text("in the way", encoding="utf-8")
    bench = Bench(tmp_path)
    server = ControlServer(place, bench.board)
    task = asyncio.create_task(server.serve())
    await until(lambda: server.fault is not None)
    assert str(place) in str(server.fault)
    place.unlink()
    await until(server.started.is_set)
    assert server.fault is None
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_path_that_is_too_long_is_told(tmp_path: Path) -> None:
    directory = tmp_path / ("x" * 120)
    server = ControlServer(directory, Bench(tmp_path).board)
    task = asyncio.create_task(server.serve())
    await until(lambda: server.fault is not None)
    assert "too long" in str(server.fault)
    task.cancel()


async def test_who_asks_nobody_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ask(tmp_path, {"do": "status"}, within_s=1)
    listen(tmp_path / control.SOCKET_NAME).close()
    with pytest.raises(ConnectionRefusedError):
        ask(tmp_path, {"do": "status"}, within_s=1)
