"""Changing the sounds directory: one at a time, each file at once, and known to the manifest.

Here: the lock, the place for drafts, and putting finished files into place. Not here: which.
"""

import fcntl
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ivrd.errors import PeerRefused
from ivrd.sounds.origin import Origin, put, write_origins

WORKSHOP = ".ivrd-prompts"
"""Below the sounds directory, so that a finished file is only renamed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """A finished file that is to be put into place."""

    draft: Path
    origin: Origin


@contextmanager
def workshop(sounds_dir: Path) -> Iterator[Path]:
    """Hold the sounds directory against others, and lend an empty directory for drafts.

    Raises:
        PeerRefused: Another one is at work there.
    """
    place = sounds_dir.resolve() / WORKSHOP
    drafts = place / "drafts"
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PeerRefused(f"{sounds_dir}: another `ivrd prompts` is at work there") from error
        # What an interrupted one left behind.
        shutil.rmtree(drafts, ignore_errors=True)
        drafts.mkdir()
        try:
            yield drafts
        finally:
            shutil.rmtree(drafts, ignore_errors=True)


def put_into_place(
    sounds_dir: Path,
    origins: Mapping[str, Origin],
    fresh: Mapping[str, Fresh],
    *,
    gone: Collection[str] = (),
) -> None:
    """Rename the finished files into place, delete those that are gone, and write the manifest.

    Args:
        sounds_dir: Held by `workshop`.
        origins: Of what is there, by path below the directory.
        fresh: By path below the directory.
        gone: The same, of sounds of ours that nobody plays any more.
    """
    after = {name: origin for name, origin in origins.items() if name not in gone}
    after |= {name: each.origin for name, each in fresh.items()}
    if fresh:
        write_origins(sounds_dir, after, replaced={name: origins.get(name) for name in fresh})
    for name, each in sorted(fresh.items()):
        target = sounds_dir / name
        target.parent.mkdir(parents=True, exist_ok=True)
        put(each.draft, target)
    for name in sorted(gone):
        (sounds_dir / name).unlink(missing_ok=True)
    write_origins(sounds_dir, after)
