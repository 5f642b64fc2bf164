"""Files with personal data that somebody asked for: exports, pages, reports.

Here: making them, readable by their owner alone from their first byte, whatever the umask. Not
here: what is in them, and the files of the daemon itself, each of which has its own room.
"""

import os
from pathlib import Path
from typing import BinaryIO

from ivrd.errors import ConfigError

MODE = 0o600


def create(path: Path) -> BinaryIO:
    """Make a file, open for writing.

    Raises:
        FileExistsError: It is there already, perhaps with other readers.
        OSError: It cannot be made.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, MODE), "wb")


def replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; who opens an older one meanwhile has that.

    An older one's rights are gone with it: it may have been made by a program that gave others the
    right to read.

    Raises:
        ConfigError: What is there is no file, such as a directory or a terminal.
        OSError: It cannot be written; an older one is as it was.
    """
    if path.exists() and not path.is_file():
        raise ConfigError([f"{path}: is no file that could be written anew"])
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    # A dead writer with our process id may have left one.
    beside.unlink(missing_ok=True)
    try:
        with create(beside) as file:
            file.write(content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
