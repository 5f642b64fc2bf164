"""An ivrd that is forked from one that waits is a process like any other."""

import signal
from pathlib import Path

import pytest

from tests.lab.processes import LabError, is_gone
from tests.lab.warm import keep_warm, start_ivrd

DONE_S_MAX = 60.0


async def test_its_words_its_log_and_its_status_are_its_own(tmp_path: Path) -> None:
    keep_warm()
    missing = tmp_path / "no such.toml"
    fails = await start_ivrd(["check", "--config", missing], log_path=tmp_path / "fails.log")
    helps = await start_ivrd(["check", "--help"], log_path=tmp_path / "helps.log")
    assert await fails.wait(within_s=DONE_S_MAX) == 2
    assert await helps.wait(within_s=DONE_S_MAX) == 0
    assert (fails.returncode, helps.returncode) == (2, 0)
    assert str(missing) in (tmp_path / "fails.log").read_text(encoding="utf-8").replace("\n", "")
    assert "Usage" in (tmp_path / "helps.log").read_text(encoding="utf-8")


async def test_it_is_killed_alone(tmp_path: Path) -> None:
    keep_warm()
    words = ["status", "--watch", "--config", "config/ivrd.toml"]
    one, other = [await start_ivrd(words, log_path=tmp_path / name) for name in ("one", "other")]
    assert one.pid != other.pid
    with pytest.raises(LabError, match="still runs after"):
        await one.wait(within_s=0.1)
    one.send_signal(signal.SIGKILL)
    assert await one.wait(within_s=DONE_S_MAX) == -signal.SIGKILL
    assert is_gone(one.pid)
    assert not is_gone(other.pid)
    assert other.cpu_seconds() >= 0
    one.send_signal(signal.SIGKILL)
    await other.stop()
    assert other.returncode is not None
