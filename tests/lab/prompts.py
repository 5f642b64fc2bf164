"""Gives a lab's Asterisk its prompts, with the package that gives them to a real one.

Speaking costs seconds, so what was spoken once is kept: single texts by text, sheets by content,
and both by the code that speaks, so that a kept sound is what a new machine would make.
"""

import asyncio
import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ivrd.config.prompt_sheet import PromptSheet
from ivrd.sounds import shaping, voice
from ivrd.sounds.installing import install
from ivrd.sounds.workshop import WORKSHOP
from tests.lab.root import cache_dir


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A text and the language it is spoken in."""

    language: str
    """A voice of espeak-ng, such as `sv` or `en`; also the directory Asterisk looks in."""
    text: str


async def install_sheet(sheet: PromptSheet, sounds_dir: Path) -> None:
    """Put every prompt of a sheet where callers of each of its languages hear it.

    Args:
        sheet: Recordings that it names are taken, as on a real system.
        sounds_dir: a PBX's `sounds_dir`; files come below it as `LANGUAGE/ivrd/ID.wav`.
    """
    shelf = _shelf(sheet.model_dump_json())
    await asyncio.to_thread(_install_once, sheet, shelf, sounds_dir)


async def make_prompts(prompts: Mapping[str, Prompt], sounds_dir: Path) -> None:
    """Put each prompt where a channel of its language finds it by name.

    Args:
        prompts: by the name the dialplan plays, such as `ivrd/menu`.
        sounds_dir: a PBX's `sounds_dir`; files come below it as `LANGUAGE/NAME.wav`.
    """
    spoken = await asyncio.gather(*(speak(prompt) for prompt in prompts.values()))
    for (name, prompt), source in zip(prompts.items(), spoken, strict=True):
        target = sounds_dir / prompt.language / f"{name}.wav"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


async def speak(prompt: Prompt) -> Path:
    """Return a file with the spoken prompt, made now or at an earlier time."""
    target = _shelf(f"{prompt.language}\0{prompt.text}").with_suffix(".wav")
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            fresh = Path(work) / "fresh.wav"
            await asyncio.to_thread(voice.speak, prompt.text, prompt.language, fresh)
            fresh.replace(target)
    return target


def _install_once(sheet: PromptSheet, shelf: Path, sounds_dir: Path) -> None:
    """Install into a shelf, and copy it; of two labs with the same sheet one waits meanwhile."""
    with shelf.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        install(sheet, shelf)
        kept = shutil.ignore_patterns(WORKSHOP)
        shutil.copytree(shelf, sounds_dir, dirs_exist_ok=True, ignore=kept)


def _shelf(content: str) -> Path:
    key = hashlib.sha256("\0".join((*_makers(), content)).encode()).hexdigest()[:24]
    shelf = cache_dir() / "prompts"
    shelf.mkdir(parents=True, exist_ok=True)
    return shelf / key


@cache
def _makers() -> tuple[str, ...]:
    """Return the code that every sound goes through: RECIPE is raised for real systems only."""
    return tuple(Path(module.__file__).read_text("utf-8") for module in (shaping, voice))
