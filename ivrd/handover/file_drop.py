"""A destination that is a directory: one file for each message.

Here: making a file appear whole, once. Not here: what is in it (cloud_event.py).

A name never takes another's place: a message that is sent again finds its file there and is done.
Names in order of the alphabet are the messages of a case in order. Whoever fetches files should
move them away rather than delete them before they are used; a file that was fetched and whose
message was not yet noted as sent comes once more, with the same name and key.
"""

import asyncio
import os
from pathlib import Path

from ivrd.core.case_messages import Accepted, CaseMessage, Delivery, NotNow
from ivrd.handover.cloud_event import cloud_event

FILE_MODE = 0o640
"""The group may read: whoever fetches is in it."""


class FileDrop:
    """One directory."""

    def __init__(self, directory: Path) -> None:
        """Put files into a directory, which must be there."""
        self._directory = directory

    async def send(self, message: CaseMessage, *, caller_number: str | None) -> Delivery:
        """Write once. The directory may hang on a network, so another thread waits for it."""
        content = cloud_event(message, caller_number=caller_number)
        try:
            await asyncio.to_thread(_place, self._directory / file_name(message), content)
        except OSError as error:
            reason = f"{self._directory}: {error.strerror or type(error).__name__}"
            return NotNow(reason=reason, is_peer_away=True)
        return Accepted()

    async def close(self) -> None:
        """Nothing is held open."""


def file_name(message: CaseMessage) -> str:
    """Return the name of a message's file."""
    return f"case-{message.case_id:010}-{message.version:06}-{message.key}.json"


def _place(file: Path, content: bytes) -> None:
    """Let a file appear with all its content on the disk, unless it is there already."""
    if file.exists():
        return
    # Never seen by whoever fetches *.json, and nobody else's: only one sender has this message.
    partial = file.with_name(f".{file.name}.part")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(file)
    directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
