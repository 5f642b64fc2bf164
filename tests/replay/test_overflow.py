"""A replay, which has no timers, asks for the moves that ivrd asked for live."""

from pathlib import Path

import pytest

from ivrd import config, rules
from ivrd.ami import record
from ivrd.core.effects import MoveCaller
from ivrd.core.events import QueueExited
from ivrd.core.ids import SystemName
from ivrd.core.tracker import Tracker

SYSTEM = SystemName("pbx1")

RECORDINGS = sorted(Path(__file__).with_name("logs").glob("*/overflow*.ami"))


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_replay_asks_for_the_moves_that_were_made(path: Path) -> None:
    settings = config.load(path.with_suffix(".toml"), with_secrets=False)
    tracker = Tracker(system=SYSTEM, rules=rules.floor_rules(settings))
    asked, made = [], []
    for event in record.replay(record.read_frames(path), SYSTEM):
        moves = [one for one in tracker.apply(event) if isinstance(one, MoveCaller)]
        asked.extend((move.call_id, move.from_queue, move.to_queue) for move in moves)
        if isinstance(event, QueueExited) and event.status == "WITHDRAW":
            made.append((event.call_id, event.queue, event.info.split()[1]))
            assert made[-1] in asked, "asked for before it was made, timers or not"
    assert len(asked) == len(set(asked)), "nobody is asked twice for one way"
    assert made or path.stem == "overflow_door"
