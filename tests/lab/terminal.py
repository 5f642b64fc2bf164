"""ivrd's command line as a process of its own, as somebody types it."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

DONE_S_MAX = 180.0
"""Measured 1 s; the machine may be busy with other tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What came of a command."""

    status: int
    output: str
    complaints: str


async def type_ivrd(*words: str) -> Typed:
    """Run `ivrd` with these words, to its end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ivrd", *words),
        cwd=REPOSITORY,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(DONE_S_MAX):
            output, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None, "a process that was waited for has ended"
    return Typed(status=process.returncode, output=output.decode(), complaints=complaints.decode())
