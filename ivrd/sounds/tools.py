"""The programs that make sound: sox and espeak-ng, each run to its end without a shell.

Here: running them, and what went wrong in words. Not here: with which arguments.
"""

import shutil
import subprocess
from pathlib import Path

from ivrd.errors import PeerRefused, PeerTimedOut, PeerUnreachable

RUN_S_MAX = 60
"""The longest recording that is taken is converted in under a second."""

HINTS = {"sox": "sox", "espeak-ng": "espeak-ng"}
"""Program to Debian package."""


def run(program: str, *arguments: str | Path) -> str:
    """Run a program to its end, and return what it wrote on standard error: sox reports there.

    Args:
        program: `sox` or `espeak-ng`.
        arguments: File names must be absolute: sox runs a name that begins with "|" as a command,
            and both take one that begins with "-" for an option.

    Raises:
        PeerUnreachable: It is not installed.
        PeerTimedOut: It did not end in time.
        PeerRefused: It failed; the text is its last line.
    """
    found = shutil.which(program)
    if found is None:
        raise PeerUnreachable(f"{program} is missing; install the package {HINTS[program]}")
    try:
        ended = subprocess.run(
            [found, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=RUN_S_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PeerTimedOut(f"{program} did not end in {RUN_S_MAX} s") from error
    if ended.returncode != 0:
        lines = ended.stderr.strip().splitlines() or [f"exit status {ended.returncode}"]
        raise PeerRefused(f"{program}: {lines[-1]}")
    return ended.stderr
