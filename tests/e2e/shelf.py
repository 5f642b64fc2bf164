"""Where recordings are kept, and what belongs beside each one; see tests/replay/README.md."""

import json
import re
import shutil
from pathlib import Path

from ivrd import config as ivrd_config
from ivrd import rules
from ivrd.ami import record
from ivrd.replay import replay
from tests.lab.municipality import SYSTEM, Municipality

LOGS = Path(__file__).resolve().parents[1] / "replay" / "logs"

BYTES_MAX = 200_000

is_recording = False
"""Set by `pytest --record`."""


def put(recording: Path, name: str, town: Municipality) -> None:
    """Keep a recording with its configuration and what it comes to, when asked to record."""
    if not is_recording:
        return
    assert recording.stat().st_size < BYTES_MAX, f"{name} is too large to keep"
    folder = LOGS / town.pbx.version.partition("~")[0]
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(recording, folder / f"{name}.ami")
    text = town.config_path.read_text(encoding="utf-8")
    text = re.sub(r"(?m)^port = .*\n|^url = .*\n|^password_file = .*\n", "", text)
    settings_path = folder / f"{name}.toml"
    settings_path.write_text(text.lstrip("\n"), encoding="utf-8")
    settings = ivrd_config.load(settings_path, with_secrets=False)
    events = record.replay(record.read_frames(folder / f"{name}.ami"), SYSTEM)
    calls = replay(events, system=SYSTEM, rules=rules.floor_rules(settings)).ended_calls()
    expected = json.dumps(calls, ensure_ascii=False, indent=1) + "\n"
    (folder / f"{name}.expected.json").write_text(expected, encoding="utf-8")
