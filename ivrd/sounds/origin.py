"""Where each sound came from: recorded, a placeholder, or a copy of another language's sound.

Here: the manifest `ivrd-origin.json` in the sounds directory, and reading it against the files that
are there. Not here: what must be made anew (installing.py).

A file that the manifest does not know, or that is another than it says, was put there by a person:
it counts as recorded, and is never overwritten. So that a cut between the renaming of files and the
writing of the manifest does not make our own placeholders look like that, the manifest is written
before the files, with what they replace, and once more after them.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ivrd.errors import ConfigError

MANIFEST = "ivrd-origin.json"

SUBDIRECTORY = "ivrd"
"""Below each language's directory; the dialplan plays `ivrd/ID`."""


class Origin(BaseModel):
    """Where one sound came from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["recorded", "placeholder", "fallback"]
    language: str | None = None
    """Of a fallback: whose sound it is a copy of."""
    text_sha256: str | None = None
    """Of what it says; None when nobody told us."""
    source_sha256: str | None = None
    """Of the recording that the sheet names; None for others."""
    sound_sha256: str


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    sounds: dict[str, Origin] = {}
    """By path below the sounds directory."""
    replaced: dict[str, Origin | None] = {}
    """While files are being put in place: what was there before."""


def sound_name(language: str, prompt: str) -> str:
    """Return a sound's path below the sounds directory."""
    return f"{language}/{SUBDIRECTORY}/{prompt}.wav"


def text_hash(text: str) -> str:
    """Return what stands for a text in the manifest."""
    return hashlib.sha256(text.encode()).hexdigest()


def file_hash(path: Path) -> str | None:
    """Return what stands for a file in the manifest; None when there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


def read_origins(sounds_dir: Path) -> dict[str, Origin]:
    """Return the origin of each sound of ours that is there, by its path below the directory.

    Raises:
        ConfigError: The manifest cannot be read; the text says what to do.
    """
    manifest = _read(sounds_dir / MANIFEST)
    origins = {}
    for name in _sounds_below(sounds_dir):
        there = file_hash(sounds_dir / name)
        assert there is not None, f"{name} was listed a moment ago"
        candidates = (manifest.sounds.get(name), manifest.replaced.get(name))
        known = [each for each in candidates if each is not None and each.sound_sha256 == there]
        origins[name] = known[0] if known else Origin(kind="recorded", sound_sha256=there)
    return origins


def write_origins(
    sounds_dir: Path,
    origins: Mapping[str, Origin],
    *,
    replaced: Mapping[str, Origin | None] | None = None,
) -> None:
    """Write the manifest: the same origins always make the same bytes."""
    manifest = _Manifest(sounds=dict(origins), replaced=dict(replaced or {}))
    content = manifest.model_dump(mode="json", exclude_none=True)
    if not replaced:
        del content["replaced"]
    text = json.dumps(content, indent=1, sort_keys=True) + "\n"
    fresh = sounds_dir / f".{MANIFEST}.new"
    fresh.write_text(text, encoding="utf-8")
    put(fresh, sounds_dir / MANIFEST)


def put(fresh: Path, target: Path) -> None:
    """Let a finished file take another's place at once, for a player and after a power cut."""
    fresh.chmod(0o644)
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.replace(target)


def _read(path: Path) -> _Manifest:
    try:
        return _Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return _Manifest()
    except ValidationError as error:
        raise ConfigError(
            [
                f"{path}: is not a manifest of ours; put the copy of a backup there, or delete it: "
                "then every sound counts as recorded, and stays as it is"
            ]
        ) from error


def _sounds_below(sounds_dir: Path) -> Iterator[str]:
    for path in sorted(sounds_dir.glob(f"*/{SUBDIRECTORY}/*.wav")):
        yield path.relative_to(sounds_dir).as_posix()
