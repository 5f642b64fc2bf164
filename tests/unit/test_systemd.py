"""The systemd unit: what it says, what systemd makes of it, and the signs of life it waits for."""

import asyncio
import contextlib
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivrd.app import DRAIN_S_MAX
from ivrd.cli import MISUSED
from ivrd.config import AgiConfig, Supervision, supervision
from ivrd.notify import Notifier
from ivrd.web.server import CONNECTIONS_MAX

REPOSITORY = Path(__file__).resolve().parents[2]
UNIT = REPOSITORY / "systemd" / "ivrd.service"
EXAMPLES = sorted((REPOSITORY / "systemd" / "examples").glob("*.conf"))

EXPOSURE_MAX = 1.5
"""Of 10, as `systemd-analyze security` reckons; the rest is that ivrd talks over the network."""

SPARE_FILES = 500
"""Descriptors beside callers and web: database, AMI, broker, libraries."""

DATAGRAM_S_MAX = 60.0

Settings = dict[str, dict[str, list[str]]]


def read_unit(path: Path) -> Settings:
    """Return a unit's settings: section, key, every value in order."""
    settings: Settings = {}
    section = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith(("#", ";")):
            continue
        if line.startswith("["):
            section = line.strip("[]")
            continue
        key, equals, value = line.partition("=")
        assert equals, f"{path.name}: neither section, comment nor setting: {line}"
        settings.setdefault(section, {}).setdefault(key, []).append(value)
    return settings


@pytest.fixture(scope="module")
def unit() -> Settings:
    return read_unit(UNIT)


@pytest.fixture(scope="module")
def service(unit: Settings) -> dict[str, list[str]]:
    return unit["Service"]


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        # Not a skip: an unread unit is an untested one.
        pytest.fail("systemd-analyze is missing; on Debian: apt-get install systemd")
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=240, check=False
    )


def installed_unit(directory: Path) -> Path:
    """Return a copy whose program exists here, as systemd wants it of a unit that it verifies."""
    program = Path(sys.executable).with_name("ivrd")
    text = UNIT.read_text(encoding="utf-8").replace("/opt/ivrd/bin/ivrd", str(program))
    assert str(program) in text, "the unit starts /opt/ivrd/bin/ivrd"
    copy = directory / UNIT.name
    copy.write_text(text, encoding="utf-8")
    return copy


# What systemd says of it.


def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    done = analyze("verify", installed_unit(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_systemd_finds_a_fault_when_there_is_one(tmp_path: Path) -> None:
    copy = installed_unit(tmp_path)
    copy.write_text(copy.read_text(encoding="utf-8").replace("Type=notify", "Type=notfy"))
    done = analyze("verify", copy)
    assert "notfy" in done.stderr


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_systemd_finds_no_fault_in_an_example(tmp_path: Path, example: Path) -> None:
    copy = installed_unit(tmp_path)
    drop_ins = tmp_path / f"{copy.name}.d"
    drop_ins.mkdir()
    shutil.copy(example, drop_ins)
    done = analyze("verify", copy)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_exposure_is_low() -> None:
    done = analyze("security", "--offline=true", "--no-pager", UNIT)
    found = re.search(r"Overall exposure level for ivrd\.service: (\d+\.\d+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= EXPOSURE_MAX, done.stdout


# What it promises to the code, and the code to it.


def test_every_credential_is_one_that_a_configuration_names() -> None:
    credentials = [
        value.split(":")[0]
        for path in (UNIT, *EXAMPLES)
        for value in read_unit(path)["Service"].get("LoadCredential", [])
    ]
    sample = (REPOSITORY / "config" / "ivrd.toml").read_text(encoding="utf-8")
    named = re.findall(r'^(?:# )?\w*_files? = \[?"([a-z-]+)"', sample, re.MULTILINE)
    assert sorted(credentials) == sorted(named)


def test_it_speaks_the_notify_protocol(service: dict[str, list[str]]) -> None:
    assert service["Type"] == ["notify"]
    assert service["NotifyAccess"] == ["main"]
    assert "WatchdogSec" in service


def test_stopping_takes_longer_than_draining(service: dict[str, list[str]]) -> None:
    assert float(service["TimeoutStopSec"][0]) >= 2 * DRAIN_S_MAX


def test_a_wrong_configuration_is_not_tried_again(service: dict[str, list[str]]) -> None:
    assert service["Restart"] == ["on-failure"]
    assert service["RestartPreventExitStatus"] == [str(MISUSED)]


def test_there_are_descriptors_for_the_highest_session_limit(service: dict[str, list[str]]) -> None:
    bounds = [
        getattr(bound, "le", None) for bound in AgiConfig.model_fields["sessions_max"].metadata
    ]
    sessions_max = max(bound for bound in bounds if bound is not None)
    assert int(service["LimitNOFILE"][0]) >= sessions_max + CONNECTIONS_MAX + SPARE_FILES


def test_restarts_end_when_nothing_helps(unit: Settings, service: dict[str, list[str]]) -> None:
    interval_s = float(unit["Unit"]["StartLimitIntervalSec"][0])
    burst = int(unit["Unit"]["StartLimitBurst"][0])
    assert burst * float(service["RestartSec"][0]) < interval_s


def test_asterisk_is_wanted_and_not_required(unit: Settings) -> None:
    assert "asterisk.service" in unit["Unit"]["Wants"][0]
    assert "asterisk.service" in unit["Unit"]["After"][0]
    assert not {"Requires", "BindsTo", "PartOf", "Requisite"} & set(unit["Unit"])


# Signs of life.


@pytest.fixture
def systemd_socket(tmp_path: Path) -> Iterator[socket.socket]:
    """Listen as systemd does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(DATAGRAM_S_MAX)
        yield listener


def notifier(listener: socket.socket, *, watchdog_us: int | None = None) -> Notifier:
    """Return a notifier that learns of the socket as it does under systemd."""
    environment = {"NOTIFY_SOCKET": str(listener.getsockname())}
    if watchdog_us is not None:
        environment["WATCHDOG_USEC"] = str(watchdog_us)
    return Notifier(supervision(environment))


def test_ready_and_stopping_are_told(systemd_socket: socket.socket) -> None:
    daemon = notifier(systemd_socket)
    daemon.ready()
    assert systemd_socket.recv(100) == b"READY=1"
    daemon.stopping()
    assert systemd_socket.recv(100) == b"STOPPING=1"


def test_an_abstract_socket_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        # An empty address lets the kernel choose an abstract one (unix(7), autobind).
        listener.bind("")
        listener.settimeout(DATAGRAM_S_MAX)
        name = listener.getsockname()
        assert isinstance(name, bytes), "an abstract address comes as bytes"
        Notifier(supervision({"NOTIFY_SOCKET": "@" + name[1:].decode()})).ready()
        assert listener.recv(100) == b"READY=1"


def pings_in(listener: socket.socket) -> int:
    """Take all that came so far, and return how many pings it was."""
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            assert listener.recv(100) == b"WATCHDOG=1"
            count += 1
    return count


async def test_pings_come_at_half_the_limit(systemd_socket: socket.socket) -> None:
    """Beside a sleeper in the same loop, since a busy machine holds up both alike."""
    systemd_socket.setblocking(False)
    loop = asyncio.get_running_loop()
    began_s, count = loop.time(), 0
    task = loop.create_task(notifier(systemd_socket, watchdog_us=400_000).watchdog(), name="pings")
    for slept in range(1, 4):
        await asyncio.sleep(0.25)
        count += pings_in(systemd_socket)
        # One at once, and one for each of our sleeps, which are longer than half the limit.
        assert 1 + slept <= count <= 1 + (loop.time() - began_s) / 0.199
    task.cancel()
    await asyncio.wait([task])


async def test_without_a_watchdog_nobody_pings(systemd_socket: socket.socket) -> None:
    await notifier(systemd_socket).watchdog()
    systemd_socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        systemd_socket.recv(100)


def test_a_lost_socket_does_not_stop_the_daemon(tmp_path: Path) -> None:
    gone = Supervision(notify_socket=str(tmp_path / "gone"), watchdog_s=None)
    Notifier(gone).ready()


def test_without_systemd_nothing_is_said() -> None:
    told = supervision({})
    assert told == Supervision(notify_socket=None, watchdog_s=None)
    Notifier(told).ready()


def test_a_watchdog_meant_for_another_process_is_not_ours() -> None:
    told = supervision({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "1"})
    assert told.watchdog_s is None
