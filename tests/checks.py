"""`./run test`: every check and every test, one after the other; nothing is skipped.

With arguments only pytest runs, with these arguments.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab.root import CHOICE_VARIABLE, OLDER_SUITE, has_older

REPOSITORY = Path(__file__).resolve().parents[1]

PYTHON = (sys.executable, "-m")

ON_OLDER = "tests on 16.28"

AT_ONCE = ("--numprocesses=3", "--dist=loadfile", "--no-loadscope-reorder")
"""Real calls are mostly waiting, so three files at a time suit two cores; each has PBXs and ports
of its own. A file stays together, because its scenarios share a PBX. Files go out in the order of
tests/conftest.py, not those with the most tests first: these are the quickest."""

CHECKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("format", (*PYTHON, "ruff", "format", "--check", "--quiet", ".")),
    ("lint", (*PYTHON, "ruff", "check", "--quiet", ".")),
    ("types", (*PYTHON, "mypy", "--no-error-summary")),
    ("lab", (*PYTHON, "tests.lab.root")),
    (
        ON_OLDER,
        (
            *("env", f"{CHOICE_VARIABLE}={OLDER_SUITE}"),
            *(*PYTHON, "pytest", "--quiet", *AT_ONCE, "-m", "older_asterisk", "tests/e2e"),
        ),
    ),
    ("tests", (*PYTHON, "pytest", "--durations=10", *AT_ONCE)),
)
"""Quick ones first; the whole of pytest last, so that its count closes the output. "lab" finds or
builds each real Asterisk, so that no test pays for it. On the older one only a scenario of each
area is played: all would cost as much again (`IVRD_LAB_ASTERISK=bullseye ./run test tests/e2e`).
The direction of imports is a test of its own (tests/unit/test_architecture.py)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One check that ran."""

    name: str
    status: int
    seconds: float


def main(arguments: Sequence[str]) -> int:
    """Run everything, and return 0 when all is well."""
    if arguments:
        return _run("tests", (*PYTHON, "pytest", *arguments)).status
    left_out = () if has_older() else (ON_OLDER,)
    done = [_run(name, command) for name, command in CHECKS if name not in left_out]
    failed = [check.name for check in done if check.status != 0]
    times = ", ".join(f"{check.name} {check.seconds:.0f} s" for check in done)
    print(f"checks: {times}", file=sys.stderr)
    for name in left_out:
        print(f"checks: no {name}: needs root on Debian (tests/lab/root.py)", file=sys.stderr)
    if failed:
        print(f"checks failed: {', '.join(failed)}", file=sys.stderr)
        return 1
    return 0


def _run(name: str, command: Sequence[str]) -> Done:
    print(f"== {name}", file=sys.stderr, flush=True)
    started_s = time.monotonic()
    status = subprocess.run(command, cwd=REPOSITORY, check=False).returncode
    return Done(name=name, status=status, seconds=time.monotonic() - started_s)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
