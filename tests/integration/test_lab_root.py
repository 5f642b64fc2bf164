"""Where the lab's Asterisk comes from, and the way in by ./run."""

import asyncio
import doctest
import os
import subprocess
from pathlib import Path

import pytest

from tests.lab import root
from tests.lab.processes import LabError

RUN_S_MAX = 120.0


def run(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(root.REPOSITORY / "run"), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )


def test_examples_in_docstrings_hold() -> None:
    assert doctest.testmod(root).failed == 0


@pytest.mark.parametrize(
    ("uris", "archive"),
    [
        ("", None),
        ("'http://one.invalid/security/dists/bookworm-security/InRelease' a 0", None),
        ("'cdrom:[disc]/dists/bookworm/InRelease' a 0", None),
        (
            "'http://one.invalid/mirror/debian/dists/bookworm/InRelease' a 0",
            "http://one.invalid/mirror/debian",
        ),
        (
            "'https://tools.invalid/apt/dists/stable/InRelease' a 0\n"
            "'http://two.invalid/debian/dists/bookworm-updates/InRelease' b 0\n"
            "'http://two.invalid/debian/dists/bookworm/InRelease' c 0\n"
            "'http://two.invalid/debian/dists/bookworm/main/binary-amd64/Packages.xz' d 0",
            "http://two.invalid/debian",
        ),
    ],
)
def test_archive_is_the_one_that_the_machine_takes_its_release_from(
    uris: str, archive: str | None
) -> None:
    assert root.archive_in(uris) == archive


async def test_unknown_choice_of_asterisk_is_refused_by_name() -> None:
    with pytest.raises(LabError, match="IVRD_LAB_ASTERISK=buster: known are installed, sid"):
        await root.find_asterisk("buster")


def test_found_asterisk_can_be_asked_for_its_version() -> None:
    asterisk = asyncio.run(root.find_asterisk())
    answer = subprocess.run(asterisk.argv("-V"), capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == f"Asterisk {asterisk.version}"
    assert "app_queue.so" in asterisk.modules()


def test_paths_are_translated_both_ways() -> None:
    asterisk = root.Asterisk(
        root=Path("/somewhere/root"),
        binary="asterisk",
        version="22.10.1",
        modules_dir=Path("/usr/lib/asterisk/modules"),
        data_dir=Path("/usr/share/asterisk"),
    )
    outside = Path("/somewhere/root/srv/lab/x")
    assert asterisk.inside(outside) == Path("/srv/lab/x")
    assert asterisk.outside(Path("/srv/lab/x")) == outside


def test_run_explains_itself_from_anywhere(tmp_path: Path) -> None:
    answer = run("help", cwd=tmp_path)
    assert answer.returncode == 0
    for command in ("demo", "test", "bench", "ivrd"):
        assert f"\n  {command} " in answer.stdout


def test_run_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    answer = run("dmeo", cwd=tmp_path)
    assert answer.returncode == 2
    assert "usage: ./run COMMAND" in answer.stderr


def test_scripts_can_be_executed_and_parsed() -> None:
    for script in (root.REPOSITORY / "run", root.REPOSITORY / ".ci/run"):
        assert os.access(script, os.X_OK)
        subprocess.run(["sh", "-n", str(script)], check=True)
