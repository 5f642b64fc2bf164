"""Makes spoken prompts for Asterisk with espeak-ng and sox, once for each text.

The sounds are 8 kHz, 16 bit, mono WAV files, which Asterisk plays with its own `format_wav`.
"""

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.lab.processes import LabError, run_to_end
from tests.lab.root import cache_dir

RECIPE = 1
"""Raised when the same text must be spoken anew."""

SPEAK_S_MAX = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A text and the language it is spoken in."""

    language: str
    """A voice of espeak-ng, such as `sv` or `en`; also the directory Asterisk looks in."""
    text: str


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
    key = f"{RECIPE}\0{prompt.language}\0{prompt.text}".encode()
    shelf = cache_dir() / "prompts"
    target = shelf / f"{hashlib.sha256(key).hexdigest()[:24]}.wav"
    if target.exists():
        return target
    missing = [tool for tool in ("espeak-ng", "sox") if shutil.which(tool) is None]
    if missing:
        raise LabError(f"{' and '.join(missing)} missing; ./run test installs them on Debian")
    shelf.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=shelf) as work:
        raw, fresh = Path(work) / "raw.wav", Path(work) / "fresh.wav"
        await _run("espeak-ng", "-v", prompt.language, "-s", "150", "-w", raw, "--", prompt.text)
        # -D: no dither, so that the same text always gives the same bytes.
        shape = ("-r", "8000", "-b", "16", "-c", "1", "-e", "signed")
        await _run("sox", "-D", raw, *shape, fresh, "gain", "-n", "-3")
        fresh.replace(target)
    return target


async def _run(program: str, *arguments: str | Path) -> None:
    log_path = cache_dir() / "prompts" / f"{program}.log"
    argv: list[str | Path] = [program, *arguments]
    await run_to_end(argv, name=program, log_path=log_path, within_s=SPEAK_S_MAX)
