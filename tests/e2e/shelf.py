"""Where recordings are kept, and what belongs beside each one; see tests/replay/README.md."""

import json
import re
import shutil
import socket
from pathlib import Path

from ivrd import config as ivrd_config
from ivrd import rules
from ivrd.ami import record
from ivrd.ami.filters import asterisk_version
from ivrd.replay import replay
from tests.lab.municipality import SYSTEM, Municipality

LOGS = Path(__file__).resolve().parents[1] / "replay" / "logs"

BYTES_MAX = 200_000

_OF_THIS_MACHINE = re.compile(
    r'(?m)^port = .*\n|^prompt_sheet = .*\n|^[a-z_]+ = "[^"]*/[^"]*/.*"\n'
)
"""Ports, files beside it, and whatever is a path or an address."""

is_recording = False
"""Set by `pytest --record`."""


def put(recording: Path, name: str, town: Municipality) -> None:
    """Keep a recording with its configuration and what it comes to, when asked to record."""
    if not is_recording:
        return
    raw = recording.read_bytes()
    assert len(raw) < BYTES_MAX, f"{name} is too large to keep"
    for private in (socket.gethostname(), town.pbx.lab_secret, str(town.directory)):
        assert private.encode() not in raw, f"{name} tells something of this machine"
    version = asterisk_version(town.pbx.version)
    assert version is not None, "the PBX has a version"
    folder = LOGS / ".".join(str(part) for part in version)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(recording, folder / f"{name}.ami")
    text = town.config_path.read_text(encoding="utf-8")
    text = _OF_THIS_MACHINE.sub("", text)
    settings_path = folder / f"{name}.toml"
    settings_path.write_text(text.lstrip("\n"), encoding="utf-8")
    settings = ivrd_config.load(settings_path, with_secrets=False)
    events = record.replay(record.read_frames(folder / f"{name}.ami"), SYSTEM)
    calls = replay(events, system=SYSTEM, rules=rules.floor_rules(settings)).ended_calls()
    expected = json.dumps(calls, ensure_ascii=False, indent=1) + "\n"
    (folder / f"{name}.expected.json").write_text(expected, encoding="utf-8")
