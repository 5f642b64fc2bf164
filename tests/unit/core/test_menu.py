"""Scenarios of the tone menu, one line per step: what comes in, what must go out."""

import re
from datetime import timedelta
from typing import get_args

import pytest

from ivrd.core import menu as menu_module
from ivrd.core.ids import MenuName
from ivrd.core.menu import (
    ChoiceName,
    Closed,
    Correcting,
    DigitReceived,
    Finished,
    HungUp,
    Listening,
    Menu,
    MenuInput,
    MenuOutput,
    MenuState,
    Play,
    PromptEnded,
    Prompting,
    ReportUnexpectedInput,
    SilenceEnded,
    WaitDigit,
    advance,
    begin,
)


def a_menu(*, invalid_prompt: str | None = "ivrd/invalid", tries: int = 3) -> Menu:
    return Menu(
        name=MenuName("main"),
        prompt="ivrd/welcome",
        invalid_prompt=invalid_prompt,
        choices={"1": ChoiceName("switchboard"), "#": ChoiceName("survey")},
        stay_choice=ChoiceName("guides"),
        stay_after=timedelta(seconds=5),
        tries=tries,
    )


INPUTS = {
    "prompt-over": PromptEnded(digit=None),
    "silence": SilenceEnded(),
    "hang-up": HungUp(),
}


def read_input(word: str) -> MenuInput:
    if word.startswith("prompt-cut-"):
        return PromptEnded(digit=word[-1])
    if word.startswith("key-"):
        return DigitReceived(digit=word[-1])
    return INPUTS[word]


def show(output: MenuOutput) -> str:
    match output:
        case Play():
            return f"play {output.prompt}"
        case WaitDigit():
            return f"wait {output.timeout.total_seconds():g}"
        case Finished():
            return f"{output.outcome} {output.choice} {output.digit} {output.tries}"
        case ReportUnexpectedInput():
            return f"unexpected {output.state} {output.input}"


def play_through(menu: Menu, scenario: str) -> None:
    """Run lines of "input -> output"; the first line has no input."""
    lines = [line.partition("->") for line in scenario.strip().splitlines()]
    step = begin(menu)
    assert show(step.output) == lines[0][2].strip()
    for word, _, expected in lines[1:]:
        step = advance(menu, step.state, read_input(word.strip()))
        assert show(step.output) == expected.strip()


SCENARIOS = {
    "a_key_after_the_prompt_is_chosen": """
                      -> play ivrd/welcome
        prompt-over   -> wait 5
        key-1         -> chosen switchboard 1 0
    """,
    "a_key_during_the_prompt_is_chosen": """
                      -> play ivrd/welcome
        prompt-cut-#  -> chosen survey # 0
    """,
    "staying_on_the_line_is_a_choice_and_no_try": """
                      -> play ivrd/welcome
        prompt-over   -> wait 5
        silence       -> stayed guides None 0
    """,
    "a_wrong_key_is_told_and_the_prompt_comes_again": """
                      -> play ivrd/welcome
        prompt-over   -> wait 5
        key-7         -> play ivrd/invalid
        prompt-over   -> play ivrd/welcome
        prompt-over   -> wait 5
        key-1         -> chosen switchboard 1 1
    """,
    "a_key_during_the_invalid_prompt_counts": """
                      -> play ivrd/welcome
        prompt-cut-7  -> play ivrd/invalid
        prompt-cut-1  -> chosen switchboard 1 1
    """,
    "silence_after_a_wrong_key_is_still_a_choice": """
                      -> play ivrd/welcome
        prompt-cut-7  -> play ivrd/invalid
        prompt-over   -> play ivrd/welcome
        prompt-over   -> wait 5
        silence       -> stayed guides None 1
    """,
    "the_last_try_leads_to_a_guide": """
                      -> play ivrd/welcome
        prompt-cut-7  -> play ivrd/invalid
        prompt-cut-8  -> play ivrd/invalid
        prompt-cut-9  -> gave_up guides None 3
    """,
    "a_hang_up_during_the_prompt_has_no_choice": """
                      -> play ivrd/welcome
        hang-up       -> hung_up None None 0
    """,
    "a_hang_up_during_the_invalid_prompt_keeps_the_try": """
                      -> play ivrd/welcome
        prompt-cut-7  -> play ivrd/invalid
        hang-up       -> hung_up None None 1
    """,
    "a_hang_up_in_the_silence_has_no_choice": """
                      -> play ivrd/welcome
        prompt-over   -> wait 5
        hang-up       -> hung_up None None 0
    """,
    "after_the_end_everything_is_unexpected": """
                      -> play ivrd/welcome
        prompt-cut-1  -> chosen switchboard 1 0
        hang-up       -> unexpected Closed HungUp
        key-1         -> unexpected Closed DigitReceived
    """,
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_menu_scenario(name: str) -> None:
    play_through(a_menu(), SCENARIOS[name])


def test_without_an_invalid_prompt_the_prompt_comes_at_once() -> None:
    play_through(
        a_menu(invalid_prompt=None),
        """
                      -> play ivrd/welcome
        prompt-cut-7  -> play ivrd/welcome
        prompt-over   -> wait 5
        """,
    )


def test_one_try_gives_up_at_the_first_wrong_key() -> None:
    play_through(
        a_menu(tries=1),
        """
                      -> play ivrd/welcome
        prompt-cut-7  -> gave_up guides None 1
        """,
    )


def test_every_key_interrupts_a_prompt() -> None:
    output = begin(a_menu()).output
    assert isinstance(output, Play)
    assert set(output.escape_digits) == set("0123456789*#")


@pytest.mark.parametrize(
    ("choices", "tries", "stay_after"),
    [
        ({"12": "q"}, 3, 5),
        ({"": "q"}, 3, 5),
        ({"x": "q"}, 3, 5),
        ({"1": "q"}, 0, 5),
        ({"1": "q"}, 3, 0),
    ],
)
def test_a_menu_that_cannot_work_is_refused(
    choices: dict[str, str], tries: int, stay_after: int
) -> None:
    with pytest.raises(ValueError, match="menu 'main'"):
        Menu(
            name=MenuName("main"),
            prompt="p",
            invalid_prompt=None,
            choices={key: ChoiceName(name) for key, name in choices.items()},
            stay_choice=ChoiceName("guides"),
            stay_after=timedelta(seconds=stay_after),
            tries=tries,
        )


def test_the_table_in_the_header_is_the_code() -> None:
    assert menu_module.__doc__ is not None
    rows = re.findall(r"^    (\w+) +\| (\w+) +\| (.+)$", menu_module.__doc__, re.MULTILINE)
    table = {(state, event): text for state, event, text in rows}
    states: list[MenuState] = [
        Prompting(tries=0),
        Correcting(tries=0),
        Listening(tries=0),
        Closed(),
    ]
    events: list[MenuInput] = [
        PromptEnded(digit=None),
        DigitReceived(digit="1"),
        SilenceEnded(),
        HungUp(),
    ]
    assert {type(state) for state in states} == set(get_args(MenuState))
    assert {type(event) for event in events} == set(get_args(MenuInput))
    assert len(table) == len(rows) == len(states) * len(events)
    for state in states:
        for event in events:
            text = table[type(state).__name__, type(event).__name__]
            assert describe(state, event) == text


def describe(state: MenuState, event: MenuInput) -> str:
    """Return the table's third column for a pair, from what the code does."""
    step = advance(a_menu(), state, event)
    if isinstance(step.output, ReportUnexpectedInput):
        assert step.state == state
        return "unexpected"
    moved = f"{type(step.state).__name__}, {type(step.output).__name__}"
    if isinstance(event, DigitReceived):
        return "key" if moved == "Closed, Finished" else moved
    if isinstance(event, PromptEnded):
        cut = advance(a_menu(), state, PromptEnded(digit="1"))
        assert isinstance(cut.output, Finished)
        return f"no key: {moved}; else key"
    return moved
