"""The one way to switch: every PBX gets it, also one that was away, and the audit knows."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ivrd import switches
from ivrd.core.switches import (
    ActOutcome,
    LineForced,
    LineReleased,
    NoticeOff,
    NoticeOn,
    Stand,
    Switch,
    SwitchKind,
)
from ivrd.errors import PeerTimedOut, RightMissing
from ivrd.switches import Reloaded
from tests.unit.boards import ANNA, BO, EPOCH, NOW, PBX1, PBX2, UNTIL, Bench, FakeDatabase

ON = NoticeOn(notice="driftstorning", until=UNTIL, reason="Vattenläcka")
OFF = NoticeOff(notice="driftstorning")
CLOSED = LineForced(line="kommunen", state=Stand.CLOSED, until=UNTIL, reason="Utrymning")
NOTICE = Switch(kind=SwitchKind.NOTICE, name="driftstorning")
LINE = Switch(kind=SwitchKind.LINE, name="kommunen")
KEY = ("ivrd-notice", "driftstorning")
LINE_KEY = ("ivrd-line", "kommunen")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - a condition of many parts, with a deadline.
            await asyncio.sleep(0)


async def test_an_act_is_where_the_dialplan_reads_it_when_it_is_done(bench: Bench) -> None:
    database = FakeDatabase()
    async with bench.connected(database):
        result = await bench.board.act(ON, ANNA)
        assert (result.outcome, result.pending) == (ActOutcome.DONE, {})
        assert database.value(*KEY) == EPOCH
        assert "Vatten" not in str(database.entries)
        result = await bench.board.act(CLOSED, ANNA)
        assert database.value(*LINE_KEY) == f"closed {EPOCH}"
        await bench.board.act(OFF, ANNA)
        await bench.board.act(LineReleased(line="kommunen"), ANNA)
        assert database.value(*KEY) is None
        assert database.value(*LINE_KEY) is None
    assert [row.outcome for row in bench.rows] == [ActOutcome.DONE] * 4
    assert len({row.act_id for row in bench.rows}) == 4


async def test_the_row_of_an_act_says_who_what_when_and_why(bench: Bench) -> None:
    await bench.board.act(ON, ANNA)
    [row] = bench.rows
    assert (row.at, row.who, row.from_where.value) == (NOW, "anna", "control")
    assert (row.act, row.subject, row.reason) == ("notice_on", str(NOTICE), "Vattenläcka")
    assert (row.until, row.outcome) == (UNTIL, ActOutcome.PENDING)


async def test_every_act_is_one_log_line(bench: Bench) -> None:
    with capture_logs() as logs:
        await bench.board.act(ON, ANNA)
        await bench.board.act(OFF, BO)
        await bench.board.act(NoticeOff(notice="fel"), BO)
    told = [entry for entry in logs if entry["event"].startswith("act_")]
    assert [(entry["act"], entry.get("outcome")) for entry in told] == [
        ("notice_on", "pending"),
        ("notice_off", "conflict"),
        ("notice_off", None),
    ]
    assert told[0]["who"] == "anna"


async def test_a_pbx_that_was_away_gets_it_when_it_is_back(bench: Bench) -> None:
    result = await bench.board.act(ON, ANNA)
    assert result.outcome is ActOutcome.PENDING
    assert "not connected" in result.pending[PBX1]
    database = FakeDatabase()
    async with bench.connected(database):
        await until(lambda: not bench.board.pending(NOTICE))
    assert database.value(*KEY) == EPOCH


async def test_one_pbx_of_two_is_told_apart(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [PBX1, PBX2])
    first, second = FakeDatabase(), FakeDatabase()
    async with bench.connected(first):
        result = await bench.board.act(CLOSED, ANNA)
        assert list(result.pending) == [PBX2]
        assert first.value(*LINE_KEY) == f"closed {EPOCH}"
        async with bench.connected(second, PBX2):
            await until(lambda: second.value(*LINE_KEY) == f"closed {EPOCH}")


async def test_a_restart_of_everything_loses_no_act(bench: Bench, tmp_path: Path) -> None:
    await bench.board.act(ON, ANNA)
    again = Bench(tmp_path)
    setting = again.board.state.setting(NOTICE)
    assert setting is not None
    assert (setting.reason, setting.by) == ("Vattenläcka", ANNA)
    database = FakeDatabase()
    async with again.connected(database):
        await until(lambda: database.value(*KEY) == EPOCH)
    result = await again.board.undo(NOTICE, ANNA)
    assert result.is_taken
    assert not again.board.state.in_force(NOW)


async def test_without_the_file_asterisk_tells_what_is_set(bench: Bench, tmp_path: Path) -> None:
    database = FakeDatabase()
    async with bench.connected(database):
        await bench.board.act(CLOSED, ANNA)
    (tmp_path / "switches.json").unlink()
    again = Bench(tmp_path)
    async with again.connected(database):
        await until(lambda: again.board.state.setting(LINE) is not None)
        await until(lambda: not again.board.pending(LINE))
    setting = again.board.state.setting(LINE)
    assert setting is not None
    assert (setting.stand, setting.by) == (Stand.CLOSED, ANNA)
    assert again.rows == []


ITEM = (
    '{"version":1,"switches":[{"kind":"line","name":"kommunen","before":null,"setting":{"stand":'
    '"%s","until":%s,"reason":"x","who":"anna","origin":"%s","at":"2026-11-21T14:00:00%s"}}]}'
)


def test_the_file_of_the_next_test_is_sound_but_for_its_faults(tmp_path: Path) -> None:
    text = ITEM % ("free", "null", "control", "+00:00")
    (tmp_path / "switches.json").write_text(text, encoding="utf-8")
    setting = Bench(tmp_path).board.state.setting(LINE)
    assert setting is not None
    assert setting.at == NOW


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"version":2,"switches":[]}',
        "[]",
        '{"version":1}',
        ITEM % ("free", "null", "control", ""),
        ITEM % ("closed", "null", "control", "+00:00"),
        ITEM % ("on", '"2026-11-21T18:00:00+00:00"', "control", "+00:00"),
        ITEM % ("free", '"2026-11-21T18:00:00+00:00"', "control", "+00:00"),
        ITEM % ("free", "7", "control", "+00:00"),
        ITEM % ("free", "null", "fax", "+00:00"),
    ],
)
async def test_a_broken_file_is_told_and_starts_with_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / "switches.json").write_text(text, encoding="utf-8")
    with capture_logs() as logs:
        bench = Bench(tmp_path)
    assert [entry["event"] for entry in logs] == ["switch_file_refused"]
    assert (await bench.board.act(ON, ANNA)).is_taken
    document = json.loads((tmp_path / "switches.json").read_text(encoding="utf-8"))
    assert document["switches"][0]["name"] == "driftstorning"


async def test_a_full_disk_does_not_keep_a_line_open(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("in the way", encoding="utf-8")
    bench = Bench(place)
    database = FakeDatabase()
    async with bench.connected(database):
        assert (await bench.board.act(CLOSED, ANNA)).outcome is ActOutcome.DONE
    assert bench.board.file_failures == 2
    assert database.value(*LINE_KEY) is not None


async def test_what_is_written_by_hand_while_ivrd_is_down_is_obeyed_and_audited(
    bench: Bench,
) -> None:
    database = FakeDatabase()
    async with bench.connected(database):
        await bench.board.act(CLOSED, ANNA)
    database.entries["ivrd-line", "kommunen"] = f"open {EPOCH}"
    database.entries["ivrd-notice", "vattenlacka"] = EPOCH
    async with bench.connected(database):
        await until(lambda: len(bench.rows) == 3)
        await until(lambda: bench.board.waiting() == {PBX1: 0})
    assert {(row.act, row.from_where.value, row.who) for row in bench.rows[1:]} == {
        ("line_open", "hand", "somebody on pbx1"),
        ("notice_on", "hand", "somebody on pbx1"),
    }
    assert database.value(*LINE_KEY) == f"open {EPOCH}"
    # From then on it is ours: no second row when the PBX comes back once more.
    database.reads = 0
    async with bench.connected(database):
        await until(lambda: database.reads == 2 * len(bench.board.switches()))
    assert len(bench.rows) == 3


async def test_a_hand_on_one_pbx_counts_on_all(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [PBX1, PBX2])
    first, second = FakeDatabase({KEY: EPOCH}), FakeDatabase()
    async with bench.connected(second, PBX2), bench.connected(first):
        await until(lambda: second.value(*KEY) == EPOCH)


async def test_what_has_ended_is_taken_away_at_its_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switches, "END_SLACK_S", 0.0)
    database = FakeDatabase()
    async with bench.connected(database):
        bench.at = UNTIL
        bench.pass_time(milliseconds=-20)
        await bench.board.act(ON, ANNA)
        assert database.value(*KEY) == EPOCH
        bench.at = UNTIL
        await until(lambda: database.value(*KEY) is None)
    assert bench.board.state.in_force(UNTIL) == {}


async def test_a_pbx_that_refuses_is_told_at_once_and_tried_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switches, "LOOK_S", 0.02)
    database = FakeDatabase(trouble=RightMissing(["user 'ivrd' needs write=system"]))
    async with bench.connected(database):
        await until(lambda: bool(bench.board.troubles()))
        async with asyncio.timeout(60):
            result = await bench.board.act(ON, ANNA)
        assert result.outcome is ActOutcome.PENDING
        assert "write=system" in result.pending[PBX1]
        assert bench.board.faults[(PBX1,)] == 1
        database.trouble = None
        await until(lambda: database.value(*KEY) == EPOCH)
        await until(lambda: not bench.board.troubles())


async def test_a_switch_that_was_refused_is_tried_again_with_the_next_act_and_by_itself(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = FakeDatabase()
    async with bench.connected(database):
        database.trouble = RightMissing(["no"])
        assert (await bench.board.act(ON, ANNA)).outcome is ActOutcome.PENDING
        database.trouble = None
        assert (await bench.board.act(OFF, ANNA)).outcome is ActOutcome.DONE
        monkeypatch.setattr(switches, "LOOK_S", 0.02)
        database.trouble = RightMissing(["no"])
        await bench.board.act(CLOSED, ANNA)
        database.trouble = None
        await until(lambda: database.value(*LINE_KEY) is not None)


async def test_an_act_is_newer_than_what_a_look_was_reading_just_then(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switches, "LOOK_S", 0.01)
    database = FakeDatabase()
    async with bench.connected(database):
        database.entries[LINE_KEY] = f"open {EPOCH}"
        database.read_gate = asyncio.Event()
        reads = database.reads
        await until(lambda: database.reads > reads)
        acting = asyncio.create_task(bench.board.act(CLOSED, ANNA))
        await asyncio.sleep(0)
        database.read_gate.set()
        await acting
        await until(lambda: database.value(*LINE_KEY) == f"closed {EPOCH}")
    assert [row.act for row in bench.rows] == ["line_close"]


async def test_an_act_while_the_one_before_is_being_written_is_written_too(bench: Bench) -> None:
    database = FakeDatabase()
    async with bench.connected(database):
        database.gate = asyncio.Event()
        first = asyncio.create_task(bench.board.act(ON, ANNA))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        second = asyncio.create_task(bench.board.act(OFF, ANNA))
        await asyncio.sleep(0)
        database.gate.set()
        assert (await first).is_taken
        assert (await second).outcome is ActOutcome.DONE
        assert database.value(*KEY) is None


async def test_more_acts_at_once_than_people_are_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switches, "ACTS_AT_ONCE_MAX", 1)
    database = FakeDatabase()
    async with bench.connected(database):
        database.gate = asyncio.Event()
        first = asyncio.create_task(bench.board.act(ON, ANNA))
        await asyncio.sleep(0)
        second = await bench.board.act(CLOSED, ANNA)
        assert second.outcome is ActOutcome.REFUSED
        database.gate.set()
        assert (await first).outcome is ActOutcome.DONE
        assert (await bench.board.act(CLOSED, ANNA)).outcome is ActOutcome.DONE


async def test_a_pbx_that_is_silent_costs_an_act_seconds_and_the_connection(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switches, "CONFIRM_S_MAX", 0.05)
    database = FakeDatabase()
    task = asyncio.create_task(bench.board.keep(PBX1, database))
    await until(lambda: database.writes == 1)
    database.gate = asyncio.Event()
    database.trouble = PeerTimedOut("DBPut: no answer within 5 s")
    result = await bench.board.act(ON, ANNA)
    assert result.pending == {PBX1: "has not answered yet"}
    database.gate.set()
    with pytest.raises(PeerTimedOut):
        await task
    assert "not connected" in bench.board.pending(NOTICE)[PBX1]


async def test_two_at_once_one_wins_and_the_other_is_told(bench: Bench) -> None:
    seen = bench.board.state.version(LINE)
    opened = LineForced(line="kommunen", state=Stand.OPEN, until=UNTIL, reason="Klart")
    async with bench.connected(FakeDatabase()):
        first, second = await asyncio.gather(
            bench.board.act(CLOSED, ANNA, seen=seen), bench.board.act(opened, BO, seen=seen)
        )
    assert (first.outcome, second.outcome) == (ActOutcome.DONE, ActOutcome.CONFLICT)
    assert second.setting == first.setting
    assert sorted(bench.outcomes) == [
        ("line_close", "line kommunen", "done"),
        ("line_open", "line kommunen", "conflict"),
    ]


async def test_acts_in_quick_turn_leave_the_last_one_everywhere(bench: Bench) -> None:
    database = FakeDatabase()
    async with bench.connected(database):
        wishes = [ON, OFF] * 20 + [ON]
        await asyncio.gather(*(bench.board.act(act, ANNA) for act in wishes))
        await until(lambda: bench.board.waiting() == {PBX1: 0})
        assert database.value(*KEY) == EPOCH


async def test_what_is_wrong_in_itself_changes_nothing(bench: Bench) -> None:
    result = await bench.board.act(NoticeOff(notice="drifstorning"), ANNA)
    assert result.outcome is ActOutcome.REFUSED
    assert "did you mean driftstorning?" in result.faults[0]
    assert bench.rows == []
    result = await bench.board.undo(LINE, ANNA)
    assert result.faults == ("line kommunen was never switched",)


async def test_a_reload_is_an_act_too_and_comes_one_at_a_time(bench: Bench) -> None:
    bench.reloads = [Reloaded(faults=("lines[0]: no",)), Reloaded(summary="2 lines")]
    first, second = await asyncio.gather(bench.board.reload(ANNA), bench.board.reload(BO))
    assert (first.outcome, first.faults) == (ActOutcome.REFUSED, ("lines[0]: no",))
    assert (second.outcome, second.summary) == (ActOutcome.DONE, "2 lines")
    assert bench.reloading_max == 1
    assert [(row.act, row.subject, row.who) for row in bench.rows] == [
        ("reload", "configuration", "anna"),
        ("reload", "configuration", "bo"),
    ]


async def test_an_act_that_is_cut_off_is_audited_all_the_same(bench: Bench) -> None:
    database = FakeDatabase()
    async with bench.connected(database):
        await until(lambda: database.writes == 1)
        database.gate = asyncio.Event()
        task = asyncio.create_task(bench.board.act(ON, ANNA))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert bench.outcomes == [("notice_on", str(NOTICE), "pending")]


async def test_a_value_that_nobody_can_read_is_replaced_and_told(bench: Bench) -> None:
    database = FakeDatabase({LINE_KEY: "stängd"})
    with capture_logs() as logs:
        async with bench.connected(database):
            await until(lambda: database.value(*LINE_KEY) is None)
    assert "switch_unreadable" in [entry["event"] for entry in logs]
