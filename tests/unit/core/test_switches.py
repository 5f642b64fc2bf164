"""Acts, conflicts, ends and undo."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ivrd.core.switches import (
    FRESH,
    NEVER_SET,
    REASON_CHARACTERS_MAX,
    UNTIL_MAX,
    Act,
    Actor,
    Conflict,
    LineForced,
    LineReleased,
    Names,
    NoticeOff,
    NoticeOn,
    Origin,
    Setting,
    Stand,
    Switch,
    SwitchKind,
    SwitchState,
    Taken,
    Version,
    faults,
    switch_of,
    take,
    undo_of,
)

NOW = datetime(2026, 11, 21, 14, 0, 0, 123456, tzinfo=UTC)
LATER = NOW + 2 * FRESH
UNTIL = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
NAMES = Names(notices=frozenset({"driftstorning", "vattenlacka"}), lines=frozenset({"kommunen"}))
ANNA = Actor(who="anna", origin=Origin.CONTROL)
BO = Actor(who="bo", origin=Origin.API)
NOTICE = Switch(kind=SwitchKind.NOTICE, name="driftstorning")
LINE = Switch(kind=SwitchKind.LINE, name="kommunen")
ON = NoticeOn(notice="driftstorning", until=UNTIL, reason="Vattenläcka i Solna")
OFF = NoticeOff(notice="driftstorning")
CLOSED = LineForced(line="kommunen", state=Stand.CLOSED, until=UNTIL, reason="Utrymning")


def taken(
    state: SwitchState,
    act: Act,
    by: Actor = ANNA,
    *,
    now: datetime = NOW,
    seen: Version | None = None,
) -> Taken:
    result = take(state, act, by, now=now, seen=seen)
    assert isinstance(result, Taken), result
    return result


def in_force(state: SwitchState, now: datetime = NOW) -> dict[Switch, Stand]:
    return {switch: setting.stand for switch, setting in state.in_force(now).items()}


def test_an_act_is_in_force_until_its_end_and_not_that_second() -> None:
    state = taken(SwitchState(), ON).state
    assert in_force(state, UNTIL - timedelta(microseconds=1)) == {NOTICE: Stand.ON}
    assert in_force(state, UNTIL) == {}
    assert state.next_end(NOW) == UNTIL
    assert state.next_end(UNTIL) is None


def test_an_end_is_cut_to_the_second_that_the_dialplan_compares() -> None:
    act = NoticeOn(notice="driftstorning", until=UNTIL + timedelta(milliseconds=999), reason="x")
    assert taken(SwitchState(), act).setting.until == UNTIL


def test_off_ends_a_notice_and_release_frees_a_line() -> None:
    state = taken(taken(SwitchState(), ON).state, CLOSED).state
    assert in_force(state) == {LINE: Stand.CLOSED, NOTICE: Stand.ON}
    state = taken(state, OFF).state
    assert in_force(state) == {LINE: Stand.CLOSED}
    assert in_force(taken(state, LineReleased(line="kommunen")).state) == {}


def test_two_who_saw_the_same_cannot_both_win() -> None:
    first = taken(SwitchState(), CLOSED, ANNA, seen=NEVER_SET)
    opened = LineForced(line="kommunen", state=Stand.OPEN, until=UNTIL, reason="Klart")
    conflict = take(first.state, opened, BO, now=LATER, seen=NEVER_SET)
    assert isinstance(conflict, Conflict)
    assert conflict.setting == first.setting
    again = taken(first.state, opened, BO, now=LATER, seen=first.setting.version)
    assert in_force(again.state) == {LINE: Stand.OPEN}


def test_who_names_a_version_conflicts_also_with_what_has_been_freed_since() -> None:
    first = taken(SwitchState(), ON)
    freed = taken(first.state, OFF, now=LATER)
    longer = NoticeOn(notice="driftstorning", until=UNTIL + timedelta(hours=1), reason="Ännu")
    assert isinstance(
        take(freed.state, longer, BO, now=LATER, seen=first.setting.version), Conflict
    )


@pytest.mark.parametrize(
    ("by", "after", "is_conflict"),
    [
        (BO, FRESH - timedelta(seconds=1), True),
        (BO, FRESH, False),
        (ANNA, timedelta(seconds=1), False),
        (BO, -timedelta(seconds=1), True),
        (BO, -timedelta(hours=1), False),
    ],
)
def test_who_names_no_version_conflicts_with_another_ones_fresh_act_only(
    by: Actor, after: timedelta, is_conflict: bool
) -> None:
    state = taken(SwitchState(), ON).state
    result = take(state, OFF, by, now=NOW + after, seen=None)
    assert isinstance(result, Conflict) == is_conflict


def test_to_ask_for_what_is_so_changes_nothing_and_is_no_conflict() -> None:
    first = taken(SwitchState(), ON)
    again = taken(first.state, ON, BO, seen=NEVER_SET)
    assert not again.is_new
    assert again.state is first.state
    assert again.setting.by == ANNA
    longer = NoticeOn(notice="driftstorning", until=UNTIL + timedelta(hours=1), reason="x")
    assert taken(first.state, longer).is_new


def test_what_has_ended_is_off_already() -> None:
    state = taken(SwitchState(), ON).state
    assert not taken(state, OFF, now=UNTIL).is_new


def test_versions_grow_also_when_the_clock_steps_back() -> None:
    first = taken(SwitchState(), ON)
    second = taken(first.state, OFF, now=NOW - timedelta(hours=1))
    assert second.setting.version == first.setting.version + 1
    assert first.setting.version == Version(1795269600123)


def test_undo_frees_what_was_free_and_undo_of_undo_sets_it_again() -> None:
    state = taken(SwitchState(), CLOSED).state
    undone = undo_of(state, LINE, now=NOW)
    assert undone == LineReleased(line="kommunen", reason="undone: Utrymning")
    state = taken(state, undone).state
    assert in_force(state) == {}
    assert undo_of(state, LINE, now=NOW) == CLOSED


def test_undo_restores_the_setting_before_unless_it_has_ended() -> None:
    state = taken(taken(SwitchState(), ON).state, OFF).state
    assert undo_of(state, NOTICE, now=NOW) == ON
    assert isinstance(undo_of(state, NOTICE, now=UNTIL), NoticeOff)
    assert undo_of(state, LINE, now=NOW) is None


def test_the_reason_of_an_undo_is_never_too_long() -> None:
    act = NoticeOn(notice="driftstorning", until=UNTIL, reason="x" * REASON_CHARACTERS_MAX)
    undone = undo_of(taken(SwitchState(), act).state, NOTICE, now=NOW)
    assert undone is not None
    assert faults(undone, NAMES, now=NOW) == []


def test_an_act_without_faults_has_none() -> None:
    for act in (ON, OFF, CLOSED, LineReleased(line="kommunen")):
        assert faults(act, NAMES, now=NOW) == []


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (NoticeOff(notice="drifstorning"), "did you mean driftstorning?"),
        (LineReleased(line="xyz"), "no line is named 'xyz'; known: kommunen"),
        (NoticeOff(notice="driftstorning", reason="a\nb"), "control character"),
        (NoticeOff(notice="driftstorning", reason="x" * 201), "201 characters"),
        (NoticeOn(notice="driftstorning", until=UNTIL, reason=" "), "say why"),
        (NoticeOn(notice="driftstorning", until=NOW, reason="x"), "not in the future"),
        (
            NoticeOn(notice="driftstorning", until=UNTIL.replace(tzinfo=None), reason="x"),
            "no time zone",
        ),
        (
            NoticeOn(
                notice="driftstorning", until=NOW + UNTIL_MAX + timedelta(seconds=1), reason="x"
            ),
            "366 days",
        ),
        (
            LineForced(line="kommunen", state=Stand.ON, until=UNTIL, reason="x"),
            "open or closed, not on",
        ),
    ],
)
def test_a_fault_is_told(act: Act, told: str) -> None:
    found = faults(act, NAMES, now=NOW)
    assert len(found) == 1
    assert told in found[0]


def test_the_last_moment_allowed_is_allowed() -> None:
    act = NoticeOn(notice="driftstorning", until=NOW + UNTIL_MAX, reason="x")
    assert faults(act, NAMES, now=NOW) == []


def test_an_end_within_this_second_is_none() -> None:
    act = NoticeOn(notice="driftstorning", until=NOW + timedelta(microseconds=1), reason="x")
    assert len(faults(act, NAMES, now=NOW)) == 1


def test_a_moment_of_another_zone_is_the_same_moment() -> None:
    swedish = UNTIL.astimezone(timezone(timedelta(hours=1)))
    act = NoticeOn(notice="driftstorning", until=swedish, reason="x")
    setting: Setting = taken(SwitchState(), act).setting
    assert setting.until == UNTIL
    assert setting.until.tzinfo is UTC


def test_every_act_is_about_its_switch() -> None:
    assert [switch_of(act) for act in (ON, OFF)] == [NOTICE, NOTICE]
    assert [switch_of(act) for act in (CLOSED, LineReleased(line="kommunen"))] == [LINE, LINE]
    assert [str(switch) for switch in NAMES.switches()] == [
        "notice driftstorning",
        "notice vattenlacka",
        "line kommunen",
    ]
