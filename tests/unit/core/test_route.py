"""Whole ways in: each step of the dialplan's rules, by rows of keys."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ivrd.core.hours import OpeningState
from ivrd.core.ids import MenuName
from ivrd.core.menu import ChoiceName, Menu
from ivrd.core.route import route, walk
from ivrd.core.route_steps import (
    HANG_UP,
    Chose,
    Ended,
    EndKind,
    Forced,
    Heard,
    HeardAs,
    Left,
    LineWay,
    Listens,
    Met,
    Moment,
    NoticePlace,
    NoticeWay,
    QueueWay,
    Step,
    TurnedAway,
    Waits,
    WayIn,
    line_state,
)
from ivrd.core.switches import Stand
from ivrd.core.targets import (
    Back,
    InLanguage,
    Slowly,
    ToAnnouncement,
    ToMenu,
    ToNumber,
    ToQueue,
)

CLOSED, MEETING, OPEN = OpeningState.CLOSED, OpeningState.MEETING, OpeningState.OPEN


def a_menu(name: str, *, stay: str, failure: str | None = None, **choices: str) -> Menu:
    return Menu(
        name=MenuName(name),
        prompt=name,
        invalid_prompt="wrong",
        choices={key.removeprefix("k"): ChoiceName(label) for key, label in choices.items()},
        stay_choice=ChoiceName(stay),
        stay_after=timedelta(seconds=5),
        tries=3,
        failure_choice=None if failure is None else ChoiceName(failure),
        repeat_key="*",
        back_key="0",
    )


WAY = WayIn(
    lines={
        "town": LineWay(name="town", first=ToMenu("main"), language="sv", closed_prompt="shut"),
        "water": LineWay(name="water", first=ToMenu("water"), language="sv"),
        "old": LineWay(name="old", first=ToQueue("old"), language="sv", is_slow=True),
        "night": LineWay(
            name="night", first=ToMenu("main"), language="sv", closed_choice=ToMenu("water")
        ),
        "late": LineWay(
            name="late",
            first=ToMenu("main"),
            language="sv",
            closed_prompt="shut",
            closed_choice=ToAnnouncement("hours"),
        ),
    },
    menus={
        "main": a_menu(
            "main",
            stay="guides",
            failure="menu:help",
            k1="exchange",
            k2="menu:water",
            k3="number:0846500405",
            k8="slow",
            k9="menu:tongues",
            k112="exchange",
        ),
        "water": a_menu("water", stay="say:hours", k1="water", k2="say:hours", k3="menu:main"),
        "tongues": a_menu("tongues", stay="menu:main", k2="language:en", k3="language:fi"),
        "help": a_menu("help", stay="say:sorry", k1="menu:main"),
    },
    queues={
        name: QueueWay(name=name, catch_all=catch_all, fallback=fallback, keys={})
        for name, catch_all, fallback in (
            ("exchange", None, "guides"),
            ("water", None, None),
            ("old", "catch", "exchange"),
            ("catch", None, None),
        )
    }
    | {
        "guides": QueueWay(
            name="guides",
            catch_all="catch",
            keys={
                "1": ToQueue("exchange"),
                "2": ToAnnouncement("hours"),
                "3": InLanguage("en"),
                "4": ToMenu("water"),
                "5": ToNumber("0846500499"),
                "6": Slowly(),
            },
        )
    },
    notices=(
        NoticeWay(name="leak", prompt="leak", lines=(), place=NoticePlace.BEFORE_MENU),
        NoticeWay(name="strike", prompt="strike", lines=("town",), place=NoticePlace.BEFORE_QUEUE),
    ),
    unavailable_prompt="nobody",
    menus_max=40,
)

DAY = Moment(queue_states={})


def told(step: Step) -> str:
    """Return a step in a word."""
    match step:
        case Met():
            return f"{step.line}={step.state.value}"
        case Heard():
            sign = {HeardAs.MENU: "?", HeardAs.NOTICE: "!", HeardAs.INVALID: "!?"}
            return f"{step.prompt}.{step.language}{sign.get(step.heard_as, '.')}"
        case Listens():
            return f"{step.typed}_{step.timeout.total_seconds():g}"
        case Chose():
            return f"{step.menu}>{step.choice}"
        case TurnedAway():
            return f"{step.queue}>>{step.to}"
        case Left():
            return f"{step.queue}>{step.choice}"
        case Waits():
            return f"({step.queue})"
        case Ended():
            return f"{step.kind.value}:{step.name}"


def way_of(line: str, keys: str, moment: Moment = DAY, way: WayIn = WAY) -> str:
    return " ".join(told(step) for step in route(way, line, moment, keys).steps)


WAYS = {
    ("town", ""): "town=open main.sv? _5 main>guides (guides) queue:guides",
    ("town", "1"): "town=open main.sv? 1_3 main>exchange (exchange) queue:exchange",
    ("town", "112"): "town=open main.sv? 1_3 11_3 main>exchange (exchange) queue:exchange",
    ("town", "3"): "town=open main.sv? main>number:0846500405 number:0846500405",
    # An announcement by key, and then the same menu again; by silence, and then the end.
    ("water", "2 1"): (
        "water=open water.sv? water>say:hours hours.sv. water.sv? water>water (water) queue:water"
    ),
    ("water", ""): "water=open water.sv? _5 water>say:hours hours.sv. said:hours",
    # Back: with a menu behind, and without.
    ("town", "2 0 3"): (
        "town=open main.sv? main>menu:water water.sv? water>back main.sv?"
        " main>number:0846500405 number:0846500405"
    ),
    ("water", "0 1"): "water=open water.sv? water.sv? water>water (water) queue:water",
    # A language leads back to the menu before; silence in the language menu does not go back.
    ("town", "9 2 3"): (
        "town=open main.sv? main>menu:tongues tongues.sv? tongues>language:en main.en?"
        " main>number:0846500405 number:0846500405"
    ),
    ("town", "9-9 3 3"): (
        "town=open main.sv? main>menu:tongues tongues.sv? _5 tongues>menu:main main.sv?"
        " main>menu:tongues tongues.sv? tongues>language:fi main.fi?"
        " main>number:0846500405 number:0846500405"
    ),
    # Slow mode.
    ("town", "8"): "town=open main.sv? main>slow main.sv? _10 main>guides (guides) queue:guides",
    ("town", "8 1"): (
        "town=open main.sv? main>slow main.sv? 1_6 main>exchange (exchange) queue:exchange"
    ),
    ("old", ""): "old=open (old) queue:old",
    # Repeat and failure.
    ("town", "*3"): ("town=open main.sv? main.sv? main>number:0846500405 number:0846500405"),
    ("town", "777-"): (
        "town=open main.sv? wrong.sv!? wrong.sv!? main>menu:help help.sv? _5 help>say:sorry"
        " sorry.sv. said:sorry"
    ),
    # Failure puts a menu on the path too.
    ("town", "7770 3"): (
        "town=open main.sv? wrong.sv!? wrong.sv!? main>menu:help help.sv? help>back main.sv?"
        " main>number:0846500405 number:0846500405"
    ),
    # Keys while waiting.
    ("town", "-71"): (
        "town=open main.sv? _5 main>guides (guides) guides>exchange (exchange) queue:exchange"
    ),
    ("town", "-25"): (
        "town=open main.sv? _5 main>guides (guides) guides>say:hours hours.sv. (guides)"
        " guides>number:0846500499 number:0846500499"
    ),
    ("town", "-346x"): (
        "town=open main.sv? _5 main>guides (guides) guides>language:en (guides)"
        " guides>menu:water water.en? wrong.en!? hung_up:water"
    ),
    ("town", "-40"): (
        "town=open main.sv? _5 main>guides (guides) guides>menu:water water.sv?"
        " water.sv? _5 water>say:hours hours.sv. said:hours"
    ),
    ("town", "-6x"): (
        "town=open main.sv? _5 main>guides (guides) guides>slow (guides) hung_up:guides"
    ),
    # Hanging up.
    ("town", "x"): "town=open main.sv? hung_up:main",
    ("town", "1x"): "town=open main.sv? 1_3 hung_up:main",
    ("water", "2x"): "water=open water.sv? water>say:hours hours.sv. hung_up:water",
}


@pytest.mark.parametrize(("line", "keys"), WAYS)
def test_a_row_of_keys_leads_there(line: str, keys: str) -> None:
    assert way_of(line, keys) == WAYS[line, keys]


CLOSED_WAYS = {
    "town": "town=closed shut.sv. closed:town",
    "water": "water=closed closed:water",
    "night": "night=closed water.sv? _5 water>say:hours hours.sv. said:hours",
    "late": "late=closed shut.sv. hours.sv. said:hours",
}


@pytest.mark.parametrize("line", CLOSED_WAYS)
def test_a_closed_line_leads_there(line: str) -> None:
    assert way_of(line, "", replace(DAY, line_state=CLOSED)) == CLOSED_WAYS[line]


def test_a_menu_met_at_a_closed_line_has_nothing_behind_it() -> None:
    steps = way_of("night", "0", replace(DAY, line_state=CLOSED))
    assert steps.startswith("night=closed water.sv? water.sv?")


def test_a_line_in_a_meeting_is_open() -> None:
    meeting = Moment(line_state=MEETING, queue_states={"guides": MEETING})
    assert way_of("town", "", meeting) == (
        "town=meeting main.sv? _5 main>guides guides>>catch (catch) queue:catch"
    )


def test_notices_are_heard_where_they_belong_and_once() -> None:
    moment = Moment(queue_states={"exchange": CLOSED}, notices=frozenset({"leak", "strike"}))
    assert way_of("town", "1 2", moment) == (
        "town=open leak.sv! main.sv? 1_3 main>exchange exchange>>guides strike.sv! (guides)"
        " guides>say:hours hours.sv. (guides) queue:guides"
    )
    assert way_of("old", "", moment) == "old=open leak.sv! (old) queue:old"
    assert way_of("town", "x", moment) == "town=open leak.sv! hung_up:leak"


def test_a_closed_queue_without_a_way_on_says_so_and_hangs_up() -> None:
    moment = Moment(queue_states={"water": CLOSED})
    assert way_of("water", "1", moment).endswith("water>>None nobody.sv. unavailable:water")


def test_closed_queues_in_a_circle_end_as_a_circle() -> None:
    way = replace(
        WAY,
        queues={
            "old": QueueWay(name="old", catch_all="water", keys={}),
            "water": QueueWay(name="water", fallback="old", keys={}),
        },
    )
    moment = Moment(queue_states={"old": CLOSED, "water": MEETING})
    assert way_of("old", "", moment, way) == "old=open old>>water water>>old old>>water circle:old"


def test_whoever_wanders_for_ever_gets_where_failure_leads_in_the_end() -> None:
    end = route(WAY, "town", DAY, "2 3 " * 30).end
    assert (end.kind, end.name, end.menus) == (EndKind.SAID, "sorry", 41)
    # The 40th menu still counts: main is the odd ones, water the even ones.
    last = route(WAY, "town", DAY, "2 3 " * 19 + "2 1").end
    assert (last.kind, last.name, last.menus) == (EndKind.QUEUE, "water", 40)


def test_failure_that_leads_in_a_circle_ends_at_the_first_queue() -> None:
    menus = {
        **WAY.menus,
        "main": a_menu("main", stay="menu:help", k1="menu:main"),
        "help": a_menu("help", stay="menu:main"),
    }
    end = route(replace(WAY, menus=menus), "town", DAY, "1 " * 50).end
    assert (end.kind, end.name) == (EndKind.QUEUE, next(iter(WAY.queues)))


def test_a_choice_says_what_the_dialplan_tells() -> None:
    chosen = [
        step for step in route(WAY, "town", DAY, "9 3 7 112").steps if isinstance(step, Chose)
    ]
    assert [
        (step.menu, step.outcome.value, step.choice, step.digit, step.wrong_keys, step.language)
        for step in chosen
    ] == [
        ("main", "chosen", "menu:tongues", "9", (), "sv"),
        ("tongues", "chosen", "language:fi", "3", (), "sv"),
        ("main", "chosen", "exchange", "112", ("7",), "fi"),
    ]


def test_the_end_tells_language_and_slow_mode() -> None:
    end = route(WAY, "town", DAY, "8 9 2").end
    assert (end.language, end.is_slow, end.menus) == ("en", True, 4)


def test_a_walk_asks_step_by_step() -> None:
    walker = walk(WAY, "town", DAY)
    assert told(next(walker)) == "town=open"
    assert told(walker.send(None)) == "main.sv?"
    assert told(walker.send("1")) == "1_3"
    assert told(walker.send(HANG_UP)) == "hung_up:main"
    with pytest.raises(StopIteration):
        walker.send(None)


def test_what_no_telephone_types_is_refused() -> None:
    with pytest.raises(ValueError, match="no keys of a telephone: 'a'"):
        route(WAY, "town", DAY, "1a")


def test_a_target_that_leads_nowhere_is_refused() -> None:
    line = replace(WAY.lines["night"], closed_choice=Back())
    way = replace(WAY, lines={"night": line})
    with pytest.raises(ValueError, match="night: Back"):
        route(way, "night", replace(DAY, line_state=CLOSED))


NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("by_hours", "stand", "seconds", "state"),
    [
        (OPEN, Stand.CLOSED, 1, CLOSED),
        (MEETING, Stand.CLOSED, 1, CLOSED),
        (CLOSED, Stand.OPEN, 1, OPEN),
        (MEETING, Stand.OPEN, 1, OPEN),
        (CLOSED, Stand.OPEN, 0, CLOSED),
        (OPEN, Stand.CLOSED, 0, OPEN),
    ],
)
def test_a_line_is_forced_until_then(
    by_hours: OpeningState, stand: Stand, seconds: int, state: OpeningState
) -> None:
    forced = Forced(stand=stand, until=NOON + timedelta(seconds=seconds))
    assert line_state(by_hours, forced, at=NOON) is state
    assert line_state(by_hours, None, at=NOON) is by_hours
