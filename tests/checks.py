"""`./run test`: every check and every test; nothing is skipped.

With arguments only pytest runs, with these arguments.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.lab.root import CHOICE_VARIABLE, OLDER_SUITE, has_older

REPOSITORY = Path(__file__).resolve().parents[1]

PYTHON = (sys.executable, "-m")

ON_OLDER = "tests on 16.28"

BY_FILE = ("--dist=loadfile", "--no-loadscope-reorder")
"""A file stays together, because its scenarios share a PBX. Files go out in the order of
tests/conftest.py, not those with the most tests first: these are the quickest."""

Command = tuple[str, tuple[str, ...]]

QUICK: tuple[Command, ...] = (
    ("format", (*PYTHON, "ruff", "format", "--check", "--quiet", ".")),
    ("lint", (*PYTHON, "ruff", "check", "--quiet", ".")),
    ("types", (*PYTHON, "mypy", "--no-error-summary")),
    ("lab", (*PYTHON, "tests.lab.root")),
)
"""The one named lab finds or builds each real Asterisk, so that no test pays for it; the others are
done meanwhile."""

LONG: tuple[Command, ...] = (
    (
        ON_OLDER,
        (
            *("env", f"{CHOICE_VARIABLE}={OLDER_SUITE}"),
            *(*PYTHON, "pytest", "--quiet", "-m", "older_asterisk", "tests/e2e"),
        ),
    ),
    (
        "tests",
        (*PYTHON, "pytest", "--durations=10", "--numprocesses=3", *BY_FILE, "--hypothesis-seed=0"),
    ),
)
"""Real calls are mostly waiting, so four files at a time suit two cores, three of all the tests and
one of those on the older Asterisk; each has PBXs and ports of its own. On the older one only a
scenario of each area is played: all would cost as much again
(`IVRD_LAB_ASTERISK=bullseye ./run test tests/e2e`). Hypothesis tries the same examples each time,
so what a run says is about what has changed; a part that is run by itself gets others. The
direction of imports is a test of its own (tests/unit/test_architecture.py)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One check that ran."""

    name: str
    status: int
    seconds: float


def main(arguments: Sequence[str]) -> int:
    """Run everything, and return 0 when all is well."""
    if arguments:
        return _run([("tests", (*PYTHON, "pytest", *arguments))])[0].status
    left_out = () if has_older() else (ON_OLDER,)
    done = _run(QUICK) + _run([check for check in LONG if check[0] not in left_out])
    failed = [check.name for check in done if check.status != 0]
    times = ", ".join(f"{check.name} {check.seconds:.0f} s" for check in done)
    print(f"checks: {times}", file=sys.stderr)
    for name in left_out:
        print(f"checks: no {name}: needs root on Debian (tests/lab/root.py)", file=sys.stderr)
    if failed:
        print(f"checks failed: {', '.join(failed)}", file=sys.stderr)
        return 1
    return 0


def _run(checks: Sequence[Command]) -> list[Done]:
    """Run some checks at once.

    What the last one says is seen as it is said, what another says when that one has ended.
    """
    *beside, last = checks
    with ThreadPoolExecutor(max_workers=len(checks)) as pool:
        others = [pool.submit(_run_one, *each, is_live=False) for each in beside]
        done = _run_one(*last, is_live=True)
        return [*(other.result() for other in others), done]


def _run_one(name: str, command: Sequence[str], *, is_live: bool) -> Done:
    print(f"== {name}{'' if is_live else ' begins'}", file=sys.stderr, flush=True)
    started_s = time.monotonic()
    heard = None if is_live else subprocess.PIPE
    ended = subprocess.run(
        command, cwd=REPOSITORY, check=False, stdout=heard, stderr=heard and subprocess.STDOUT
    )
    if not is_live:
        sys.stderr.write(f"\n== {name}\n{ended.stdout.decode(errors='replace')}")
        sys.stderr.flush()
    return Done(name=name, status=ended.returncode, seconds=time.monotonic() - started_s)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
