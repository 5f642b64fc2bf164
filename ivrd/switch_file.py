"""What was switched, on the disk, so that a restart of ivrd and of a PBX at once loses no act.

Here: the file and its form. Not here: what it means (core/switches.py).

Asterisk's own database tells most of it again, but not the reason, not what was set before, and
nothing that a PBX has not got yet. A file that cannot be read is told and left behind.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import structlog

from ivrd.checkpoint import read_bounded, write_atomically
from ivrd.core.switches import (
    STANDS,
    Actor,
    Origin,
    Setting,
    Stand,
    Switch,
    SwitchKind,
    SwitchState,
    Track,
)

VERSION = 1

FILE_BYTES_MAX = 4_000_000
"""Thousands of switches with two settings each; a larger file is not ours."""

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class SwitchFile:
    """The file in the state directory. Never raises."""

    def __init__(self, directory: Path) -> None:
        """Open nothing yet."""
        self.path = directory / "switches.json"
        self.refused = 0
        """Files that were broken, foreign or unreadable."""
        self.failures = 0
        """Times it could not be written."""
        self._is_failing = False

    def load(self) -> SwitchState:
        """Return what was switched; nothing when there is no file that is whole and ours."""
        try:
            return _parse(read_bounded(self.path, FILE_BYTES_MAX))
        except FileNotFoundError:
            return SwitchState()
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            self.refused += 1
            log.error("switch_file_refused", path=str(self.path), reason=str(error))
            return SwitchState()

    def save(self, state: SwitchState) -> bool:
        """Replace the file at once; return whether it worked. Logs the first failure only."""
        try:
            write_atomically(self.path, _text_of(state))
        except OSError as error:
            self.failures += 1
            if not self._is_failing:
                log.error("switch_file_failed", path=str(self.path), reason=str(error))
            self._is_failing = True
            return False
        self._is_failing = False
        return True


def _text_of(state: SwitchState) -> str:
    tracks = [
        {
            "kind": switch.kind.value,
            "name": switch.name,
            "setting": _packed(track.setting),
            "before": None if track.before is None else _packed(track.before),
        }
        for switch, track in state.tracks.items()
    ]
    return json.dumps({"version": VERSION, "switches": tracks}) + "\n"


def _packed(setting: Setting) -> Mapping[str, str | None]:
    return {
        "stand": setting.stand.value,
        "until": None if setting.until is None else setting.until.isoformat(),
        "reason": setting.reason,
        "who": setting.by.who,
        "origin": setting.by.origin.value,
        "at": setting.at.isoformat(),
    }


def _parse(text: str) -> SwitchState:
    """Return the state in a text.

    Raises:
        ValueError, KeyError, TypeError: It is not exactly one of ours.
    """
    document = json.loads(text)
    if document["version"] != VERSION:
        raise ValueError(f"version {document['version']!r}, expected {VERSION}")
    tracks = {}
    for item in document["switches"]:
        switch = Switch(kind=SwitchKind(item["kind"]), name=_text(item, "name"))
        before = None if item["before"] is None else _setting(switch, item["before"])
        tracks[switch] = Track(setting=_setting(switch, item["setting"]), before=before)
    return SwitchState(tracks=tracks)


def _setting(switch: Switch, item: Mapping[str, object]) -> Setting:
    stand = Stand(_text(item, "stand"))
    until = None if item["until"] is None else _moment(item, "until")
    if stand not in STANDS[switch.kind] or (until is None) != (stand is Stand.FREE):
        raise ValueError(f"{switch} cannot be {stand.value} until {item['until']}")
    return Setting(
        stand=stand,
        until=until,
        reason=_text(item, "reason"),
        by=Actor(who=_text(item, "who"), origin=Origin(_text(item, "origin"))),
        at=_moment(item, "at"),
    )


def _text(item: Mapping[str, object], key: str) -> str:
    value = item[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} is no text")
    return value


def _moment(item: Mapping[str, object], key: str) -> datetime:
    moment = datetime.fromisoformat(_text(item, key))
    if moment.tzinfo is None:
        raise ValueError(f"{key} has no time zone")
    return moment
