"""Rows of keys, then silence: how a menu ends, and what is heard on the way."""

from datetime import timedelta

import pytest

from ivrd.core.ids import MenuName
from ivrd.core.menu import KEYS, ChoiceName, Finished, Menu, MenuOutcome, Play, WaitDigit
from ivrd.core.menu_walk import routes, walk

MENU = Menu(
    name=MenuName("main"),
    prompt="ivrd/welcome",
    invalid_prompt="ivrd/invalid",
    choices={
        "1": ChoiceName("switchboard"),
        "10": ChoiceName("menu:va"),
        "112": ChoiceName("number:112"),
        "8": ChoiceName("slow"),
    },
    stay_choice=ChoiceName("guides"),
    stay_after=timedelta(seconds=5),
    tries=3,
    failure_choice=ChoiceName("menu:hjalp"),
    digit_after=timedelta(seconds=2),
    repeat_key="*",
    back_key="#",
)

ENDS = {
    "": "stayed guides -",
    " ": "stayed guides -",
    "1": "chosen switchboard 1",
    "1 ": "chosen switchboard 1",
    "10": "chosen menu:va 10",
    "1 0": "chosen switchboard 1",
    "112": "chosen number:112 112",
    "112112": "chosen number:112 112",
    "11": "stayed guides -",
    "11 2": "stayed guides -",
    "11 8": "chosen slow 8",
    "13": "stayed guides -",
    "138": "chosen slow 8",
    "777": "gave_up menu:hjalp -",
    "7 7 7 8": "gave_up menu:hjalp -",
    "778": "chosen slow 8",
    "**8": "chosen slow 8",
    "*" * 12: "stayed guides -",
    "*" * 13: "gave_up menu:hjalp -",
    "#": "chosen back #",
    "A8": "chosen slow 8",
}


def show(end: Finished) -> str:
    return f"{end.outcome} {end.choice} {end.digit or '-'}"


@pytest.mark.parametrize("keys", ENDS)
def test_a_row_of_keys_ends_somewhere(keys: str) -> None:
    assert show(routes(MENU, keys, has_back=True)) == ENDS[keys]


def test_back_plays_the_first_menu_again() -> None:
    end = routes(MENU, "#")
    assert (end.wrong_keys, end.repeats) == ((), 1)


def test_a_walk_tells_what_is_heard() -> None:
    told = [
        output.prompt if isinstance(output, Play) else getattr(output, "timeout", None)
        for output in walk(MENU, "713", is_slow=True)
    ]
    assert told == [
        "ivrd/welcome",
        "ivrd/invalid",
        timedelta(seconds=4),
        "ivrd/invalid",
        "ivrd/welcome",
        timedelta(seconds=10),
        None,
    ]


@pytest.mark.parametrize("key", [*KEYS, "A"])
def test_a_key_that_is_stuck_ends_the_menu(key: str) -> None:
    """A DTMF storm: the same digit for ever."""
    outputs = list(walk(MENU, key * 1000, has_back=False))
    assert isinstance(outputs[-1], Finished)
    assert outputs[-1].outcome in (MenuOutcome.CHOSEN, MenuOutcome.GAVE_UP)
    assert len([output for output in outputs if isinstance(output, Play)]) <= 14
    assert len([output for output in outputs if isinstance(output, WaitDigit)]) <= 6
