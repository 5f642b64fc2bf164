"""Callers and agents as told: of one moment, and written again only when something has changed."""

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from ivrd.core.live_view import MemberView, StaffViews, members_of
from ivrd.core.tracker import Tracker
from ivrd.web.floor_people import CALLERS_PER_TURN, PeopleBook, agent_status
from tests.unit.core.story import SYSTEM, at, new_tracker, read

WAITING = 3 * CALLERS_PER_TURN


def a_tracker(text: str) -> Tracker:
    tracker = new_tracker()
    for event in read(text):
        tracker.apply(event)
    return tracker


def people_of(tracker: Tracker) -> PeopleBook:
    return PeopleBook(lambda: {SYSTEM: tracker.book}, now=lambda: at(100))


def everybody(_views: Sequence[MemberView]) -> bool:
    return True


async def test_callers_are_of_one_moment_though_others_get_turns() -> None:
    waiting = ",".join(f"c{number}:guides:{number}" for number in range(WAITING))
    tracker = a_tracker(f"0 snapshot waiting={waiting}")
    people = people_of(tracker)
    looking = asyncio.create_task(people.callers(lambda queue, line: True, limit=WAITING - 1))
    await asyncio.sleep(0)
    assert not looking.done(), "others get a turn"
    for event in read(f"1 left c{WAITING - 1} guides\n1 joined d1 guides\n1 rang c0 guides olle"):
        tracker.apply(event)
    found = await looking
    assert found.empty.total == WAITING
    assert [view.call_id for view in found.views] == [
        f"pbx/c{number}" for number in range(WAITING - 1, 0, -1)
    ]
    assert [view.place for view in found.views] == list(range(1, WAITING))
    later = await people.callers(lambda queue, line: queue == "guides", limit=1)
    assert (later.empty.total, later.views[0].call_id) == (WAITING, f"pbx/c{WAITING - 2}")
    assert (await people.callers(lambda queue, line: False, limit=1)).empty.total == 0


changes = st.lists(
    st.one_of(
        st.builds(
            "{} member {} {} state={}".format,
            st.integers(1, 9),
            st.sampled_from(["guides", "switchboard"]),
            st.sampled_from(["anna", "olle"]),
            st.sampled_from([1, 2, 5, 6]),
        ),
        st.builds(
            "{} member_gone {} {}".format,
            st.integers(1, 9),
            st.sampled_from(["guides", "switchboard"]),
            st.sampled_from(["anna", "olle"]),
        ),
        st.just("9 snapshot members=guides:anna:1"),
    ),
    max_size=12,
)


@given(changes)
def test_kept_views_and_texts_are_what_would_be_made_now(lines: list[str]) -> None:
    tracker = a_tracker("0 snapshot members=guides:anna:1,switchboard:anna:1")
    views, people = StaffViews(), people_of(tracker)
    for line in ["0 member guides vera state=1", *lines]:
        for event in read(line):
            tracker.apply(event)
        fresh: dict[str, list[MemberView]] = {}
        for view in members_of(tracker.book):
            fresh.setdefault(view.agent, []).append(view)
        assert views.agents(tracker.book) == fresh
        found = people.agents(everybody)
        assert found.views == list(fresh.values())
        for agent in found.views:
            assert people.agent_text(agent) == agent_status(agent).model_dump_json()


def test_who_has_not_changed_is_not_viewed_again() -> None:
    tracker = a_tracker("0 snapshot members=guides:anna:1,switchboard:olle:1")
    people = people_of(tracker)
    before = people.agents_of(tracker.book)
    for event in read("1 member guides anna state=2"):
        tracker.apply(event)
    after = people.agents_of(tracker.book)
    assert after["olle"][0] is before["olle"][0]
    assert after["anna"] != before["anna"]
