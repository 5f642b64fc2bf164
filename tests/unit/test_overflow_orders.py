"""Rules switched and callers moved by hand: through the board, with audit, and to the engine."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from ivrd.core.effects import MoveEnd, RecordMove, TellNotMoved
from ivrd.core.events import Event, OrderGiven
from ivrd.core.ids import CallId, QueueName, SystemName
from ivrd.core.overflow_rules import RuleMode
from ivrd.core.overflow_state import HandMove, RuleOrders
from ivrd.core.switches import (
    ActOutcome,
    LineForced,
    Names,
    RuleReleased,
    RuleSet,
    Stand,
    Switch,
    SwitchKind,
)
from ivrd.overflow_orders import OverflowOrders, Wish
from ivrd.switch_file import SwitchFile
from tests.unit.boards import ANNA, BO, NOW, PBX1, TURNS, UNTIL, Bench, FakeDatabase

RULE = Switch(kind=SwitchKind.RULE, name="rush")
CALL = CallId("pbx1/1772442000.1")
WISH = Wish(call="1772442000.1", to_queue="kc", reason="Sjuk")


class Calls:
    """One live call."""

    def knows(self, call_id: CallId) -> bool:
        return call_id == CALL


class Desk:
    """Orders with a board, and the events that went to the engine."""

    def __init__(self, directory: Path) -> None:
        self.bench = Bench(directory)
        self.bench.board.names = Names(rules=frozenset({"rush"}), lines=frozenset({"kommunen"}))
        self.events: list[OrderGiven] = []
        self.got = asyncio.Event()
        self.is_full = False
        self.orders = OverflowOrders(
            board=self.bench.board,
            calls={PBX1: Calls()},
            clocks={PBX1: lambda: self.bench.at},
            submit=self.submit,
        )

    def submit(self, event: Event) -> None:
        if self.is_full:
            raise asyncio.QueueFull
        assert isinstance(event, OrderGiven)
        self.events.append(event)
        self.got.set()

    async def has(self, count: int) -> None:
        """Wait until so many events have come."""
        async with asyncio.timeout(60):
            while len(self.events) < count:
                self.got.clear()
                await self.got.wait()

    def modes(self) -> list[dict[str, RuleMode | None]]:
        return [
            {name: order.mode for name, order in event.order.orders.items()}
            for event in self.events
            if isinstance(event.order, RuleOrders)
        ]

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.orders.keep_rules())
        await turns()
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])


async def turns() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def a_set(stand: Stand = Stand.DRY_RUN, **parts: object) -> RuleSet:
    told: dict[str, object] = {"rule": "rush", "state": stand, "until": UNTIL, "reason": "Prov"}
    return RuleSet(**(told | parts))  # type: ignore[arg-type]


async def test_a_rule_is_switched_at_once_and_no_pbx_hears_of_it(desk: Desk) -> None:
    database = FakeDatabase()
    async with desk.bench.connected(database), desk.kept():
        result = await desk.bench.board.act(a_set(), ANNA)
        await turns()
        assert (result.outcome, dict(result.pending)) == (ActOutcome.DONE, {})
        assert desk.modes() == [{"rush": RuleMode.DRY_RUN}]
        await desk.bench.board.act(RuleReleased(rule="rush"), ANNA)
        await turns()
    assert desk.modes() == [{"rush": RuleMode.DRY_RUN}, {}]
    assert database.entries == {}
    assert desk.bench.outcomes == [
        ("rule_dry_run", "rule rush", "done"),
        ("rule_release", "rule rush", "done"),
    ]


async def test_a_rule_is_released_at_its_end(desk: Desk) -> None:
    soon = NOW + timedelta(seconds=1)
    async with desk.kept():
        await desk.bench.board.act(a_set(until=soon), ANNA)
        await turns()
        desk.bench.at = soon
        await desk.has(2)
    assert desk.modes() == [{"rush": RuleMode.DRY_RUN}, {}]


async def test_a_rule_has_conflict_undo_and_outlives_a_restart(desk: Desk) -> None:
    board = desk.bench.board
    await board.act(a_set(Stand.OFF), ANNA)
    conflict = await board.act(a_set(Stand.ON), BO)
    assert conflict.outcome is ActOutcome.CONFLICT
    await board.act(a_set(Stand.FORCED), ANNA)
    undone = await board.undo(RULE, ANNA)
    assert undone.setting is not None
    assert undone.setting.stand is Stand.OFF
    stored = SwitchFile(desk.bench.directory).load().setting(RULE)
    assert stored == undone.setting
    last = await board.undo(RULE, ANNA)
    assert last.setting is not None


@pytest.mark.parametrize(
    ("act", "fault"),
    [
        (a_set(rule="rus"), "did you mean rush?"),
        (a_set(reason=" "), "reason: say why"),
        (a_set(Stand.OPEN), "a rule is on, off, dry_run or forced"),
        (a_set(until=NOW), "is not in the future"),
        (LineForced(line="kommunen", state=Stand.OFF, until=UNTIL, reason="x"), "forced open"),
    ],
)
async def test_what_is_wrong_with_an_act_is_said(desk: Desk, act: RuleSet, fault: str) -> None:
    result = await desk.bench.board.act(act, ANNA)
    assert result.outcome is ActOutcome.REFUSED
    assert fault in " ".join(result.faults)


async def test_a_full_engine_gets_its_orders_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ivrd.overflow_orders.AGAIN_S", 0.01)
    desk.is_full = True
    async with desk.kept():
        await desk.bench.board.act(a_set(), ANNA)
        await turns()
        desk.is_full = False
        await desk.has(1)
    assert desk.modes()[0] == {"rush": RuleMode.DRY_RUN}


def ended(end: MoveEnd, reason: str = "by-hand") -> RecordMove:
    return RecordMove(
        at=NOW,
        system=PBX1,
        call_id=CALL,
        from_queue=QueueName("vaxel"),
        to_queue=QueueName("kc"),
        reason=reason,
        end=end,
    )


@pytest.mark.parametrize(
    ("end", "outcome", "text"),
    [
        (MoveEnd.LANDED, ActOutcome.DONE, "the caller is there"),
        (MoveEnd.ANSWERED_FIRST, ActOutcome.REFUSED, "an agent answered first"),
        (MoveEnd.HUNG_UP_FIRST, ActOutcome.REFUSED, "hung up first"),
        (MoveEnd.REFUSED, ActOutcome.REFUSED, "the place is kept"),
        (MoveEnd.LAPSED, ActOutcome.REFUSED, "not moved in time"),
    ],
)
async def test_what_came_of_a_move_by_hand_is_told_and_audited(
    desk: Desk, end: MoveEnd, outcome: ActOutcome, text: str
) -> None:
    task = asyncio.create_task(desk.orders.move(WISH, ANNA))
    await turns()
    [event] = desk.events
    assert (event.system, event.order) == (
        PBX1,
        HandMove(call_id=CALL, to_queue=QueueName("kc"), who="anna", why="Sjuk"),
    )
    second = await desk.orders.move(WISH, BO)
    assert second.outcome is ActOutcome.CONFLICT
    desk.orders.observe(ended(end, reason="rush"))
    await turns()
    assert not task.done(), "that was another move"
    desk.orders.observe(ended(end))
    result = await task
    assert result.outcome is outcome
    assert text in result.text
    assert desk.bench.outcomes == [
        ("move_caller", f"call {CALL} to kc", "conflict"),
        ("move_caller", f"call {CALL} to kc", outcome.value),
    ]
    assert desk.bench.rows[-1].reason == "Sjuk"


async def test_why_a_caller_is_not_moved_is_the_answer(desk: Desk) -> None:
    task = asyncio.create_task(desk.orders.move(WISH, ANNA))
    await turns()
    move = HandMove(call_id=CALL, to_queue=QueueName("kc"), who="anna", why="Sjuk")
    told = TellNotMoved(at=NOW, system=PBX1, move=move, because="nobody serves in kc")
    desk.orders.observe(told)
    result = await task
    assert (result.outcome, result.text) == (ActOutcome.REFUSED, "nobody serves in kc")


async def test_a_move_that_takes_long_is_pending(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ivrd.overflow_orders.LANDING_S_MAX", 0.0)
    assert (await desk.orders.move(WISH, ANNA)).outcome is ActOutcome.PENDING
    desk.orders.observe(ended(MoveEnd.LANDED))


@pytest.mark.parametrize(
    ("wish", "text"),
    [
        (Wish(call="1772442000.9", to_queue="kc", reason="Sjuk"), "no live call has the id"),
        (Wish(call=CALL, to_queue="kc", reason="  "), "reason: say why"),
        (Wish(call=CALL, to_queue="kc", reason="a\nb"), "reason: one line"),
        (Wish(call=CALL, to_queue="kc", reason="a" * 201), "reason: one line"),
    ],
)
async def test_a_wish_that_is_wrong_in_itself_goes_nowhere(
    desk: Desk, wish: Wish, text: str
) -> None:
    result = await desk.orders.move(wish, ANNA)
    assert result.outcome is ActOutcome.REFUSED
    assert text in result.text
    assert desk.events == []
    assert desk.bench.rows == []


async def test_a_busy_engine_is_told(desk: Desk) -> None:
    desk.is_full = True
    result = await desk.orders.move(WISH, ANNA)
    assert (result.outcome, "busy" in result.text) == (ActOutcome.REFUSED, True)


def test_a_pbx_gets_all_orders_with_its_connection(desk: Desk) -> None:
    desk.orders.give(SystemName("pbx1"), NOW)
    assert desk.modes() == [{}]
