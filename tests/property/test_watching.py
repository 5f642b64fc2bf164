"""What is kept to be shown again is what would be written now; nothing is lost or doubled."""

import asyncio
import dataclasses
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from ivrd.access import Deed, Grant, Person, Role
from ivrd.core.expected_wait import Expectation, WaitModel
from ivrd.core.floor import QueueView
from ivrd.core.ids import QueueName, SystemName
from ivrd.core.service_level import Counts
from ivrd.web import events
from ivrd.web.events import EventStream
from ivrd.web.status import QueueList, QueueTitle, StatusBook

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PBX = SystemName("pbx1")
TITLES = ("", "Kö", '","at":"', ',"longest_wait_s":1,"oldest_arrival_at":', "\\", "a\nb")

views = st.builds(
    QueueView,
    system=st.just(PBX),
    queue=st.sampled_from([QueueName("kc"), QueueName('"at":')]),
    is_synced=st.booleans(),
    waiting=st.integers(min_value=0, max_value=3),
    oldest_arrival_at=st.none() | st.sampled_from([AT, AT - timedelta(seconds=90.5)]),
    members_available=st.integers(min_value=0, max_value=1),
    members_busy=st.just(0),
    members_paused=st.just(0),
    members_unavailable=st.just(0),
    counts=st.builds(Counts, joined=st.integers(min_value=0, max_value=2)),
    counted_since=st.none() | st.just(AT),
    expected=st.none()
    | st.just(Expectation(model=WaitModel.AGENT_TIME, wait=timedelta(seconds=1.5))),
)


def a_title(queue: str, text: str) -> QueueTitle:
    return QueueTitle(
        system=PBX,
        queue=QueueName(queue),
        role="guide",
        title_sv=text,
        title_en=text,
        service_level_threshold=timedelta(seconds=60),
        short_abandon=timedelta(seconds=5),
    )


@dataclasses.dataclass
class AFloor:
    view: QueueView

    def queues(self) -> Sequence[QueueView]:
        return [self.view]

    def queue(self, system: SystemName, queue: QueueName) -> QueueView | None:
        return self.view if (self.view.system, self.view.queue) == (system, queue) else None


@given(
    st.lists(
        st.tuples(views, st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=1))),
        min_size=1,
        max_size=6,
    ),
    st.lists(st.sampled_from(TITLES), min_size=1, max_size=6),
)
def test_a_kept_status_is_what_would_be_written_now(
    moments: list[tuple[QueueView, timedelta]], titles: list[str]
) -> None:
    now = [AT]
    floor = AFloor(moments[0][0])
    book = StatusBook(floor, now=lambda: now[0], titles=[])
    for number, (view, passed) in enumerate(moments):
        floor.view, now[0] = view, AT + passed
        if number < len(titles):
            book.change_titles([a_title(view.queue, titles[number])])
        [told] = book.texts()
        assert told.text == book.every()[0].model_dump_json()
        assert QueueList.model_validate_json(f'{{"queues":[{told.text}]}}').queues == book.every()


viewer_steps = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.sampled_from(["kommunen", "avfall", None])),
        st.tuples(st.just("take"), st.sampled_from(["all", "one"])),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(viewer_steps, st.integers(min_value=1, max_value=400))
def test_each_viewer_gets_each_event_that_it_may_see_once_and_in_order(
    steps: list[tuple[str, str | None]], piece_bytes: int
) -> None:
    async def play() -> None:
        stream = EventStream(start="x", now=lambda: AT)
        people = {
            "all": Person(name="vera", grants=(Grant(role=Role.VIEWER),)),
            "one": Person(
                name="ava", grants=(Grant(role=Role.VIEWER, lines=frozenset({"avfall"})),)
            ),
        }
        seen: dict[str, list[int]] = {name: [] for name in people}
        watches = {
            name: stream.watch(lambda person=person: person, last_id=None)  # type: ignore[misc]
            for name, person in people.items()
        }
        for watch in watches.values():
            while b"event: present" not in await anext(watch):
                pass
        wanted: dict[str, list[int]] = {name: [] for name in people}
        number = 0
        for what, who in [*steps, ("take", "all"), ("take", "one")]:
            if what == "publish":
                number += 1
                lines = None if who is None else frozenset({who})
                told = json.dumps({"number": number})
                stream.publish("queue", str(number), told, deed=Deed.SEE_FLOOR, lines=lines)
                wanted["all"].append(number)
                if who != "kommunen":
                    wanted["one"].append(number)
                continue
            assert who is not None
            while seen[who] != wanted[who]:
                piece = await asyncio.wait_for(anext(watches[who]), 10)
                seen[who] += [
                    json.loads(line.removeprefix("data: "))["number"]
                    for line in piece.decode().splitlines()
                    if line.startswith("data: ")
                ]
        assert seen == wanted
        for watch in watches.values():
            await watch.aclose()  # type: ignore[attr-defined]
        assert stream.viewers == 0

    usual, events.PIECE_BYTES = events.PIECE_BYTES, piece_bytes
    try:
        asyncio.run(play())
    finally:
        events.PIECE_BYTES = usual
