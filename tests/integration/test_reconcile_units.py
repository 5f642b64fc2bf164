"""The nightly timer: what it says, and what systemd makes of it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNITS = Path(__file__).resolve().parents[2] / "systemd"
SERVICE = UNITS / "ivrd-reconcile.service"
TIMER = UNITS / "ivrd-reconcile.timer"

EXPOSURE_MAX = 1.5


def analyze(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.fail("systemd-analyze is missing; on Debian: apt-get install systemd")
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=240, check=False
    )


def settings(path: Path) -> set[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return {line for line in lines if "=" in line and not line.startswith("#")}


def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("ivrd")
    text = SERVICE.read_text(encoding="utf-8").replace("/opt/ivrd/bin/ivrd", str(program))
    (tmp_path / SERVICE.name).write_text(text, encoding="utf-8")
    shutil.copy(TIMER, tmp_path)
    done = analyze("verify", tmp_path / SERVICE.name, tmp_path / TIMER.name)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_runs_each_night_by_the_municipalitys_clock() -> None:
    (calendar,) = [line for line in settings(TIMER) if line.startswith("OnCalendar=")]
    done = analyze("calendar", "--iterations=3", calendar.removeprefix("OnCalendar="))
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"\(in UTC\)|UTC", done.stdout)) >= 3
    assert "Europe/Stockholm" in done.stdout


def test_exposure_is_low() -> None:
    done = analyze("security", "--offline=true", "--no-pager", SERVICE)
    found = re.search(
        r"Overall exposure level for ivrd-reconcile\.service: (\d+\.\d+)", done.stdout
    )
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= EXPOSURE_MAX, done.stdout


def test_it_is_the_daemons_twin_in_user_place_and_credentials() -> None:
    kinds = ("DynamicUser=", "User=", "StateDirectory", "LoadCredential=", "UMask=", "Protect")
    daemon = {line for line in settings(UNITS / "ivrd.service") if line.startswith(kinds)}
    assert daemon <= settings(SERVICE)
    assert "SupplementaryGroups=asterisk" in settings(SERVICE)
