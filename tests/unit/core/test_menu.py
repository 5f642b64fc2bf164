"""Scenarios of the tone menu, one line per step: what comes in, what must go out."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

from ivrd.core import menu as menu_module
from ivrd.core.ids import MenuName
from ivrd.core.menu import (
    REPEATS_MAX,
    ChoiceName,
    Closed,
    Collecting,
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
    SoFar,
    WaitDigit,
    advance,
    begin,
)

PLAIN = Menu(
    name=MenuName("main"),
    prompt="ivrd/welcome",
    invalid_prompt="ivrd/invalid",
    choices={"1": ChoiceName("switchboard"), "#": ChoiceName("survey")},
    stay_choice=ChoiceName("guides"),
    stay_after=timedelta(seconds=5),
    tries=3,
)
"""With nothing that may be left out."""

FULL = replace(
    PLAIN,
    choices={
        "1": ChoiceName("switchboard"),
        "10": ChoiceName("menu:va"),
        "112": ChoiceName("number:112"),
        "27": ChoiceName("say:oppettider"),
        "8": ChoiceName("slow"),
        "9": ChoiceName("language:en"),
    },
    failure_choice=ChoiceName("menu:hjalp"),
    digit_after=timedelta(seconds=2),
    repeat_key="*",
    back_key="#",
    slow_factor=2.5,
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
            wrong = ",".join(output.wrong_keys) or 0
            again = f" again {output.repeats}" if output.repeats else ""
            return f"{output.outcome} {output.choice} {output.digit} {wrong}{again}"
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
        key-1         -> chosen switchboard 1 7
    """,
    "a_key_during_the_invalid_prompt_counts": """
                      -> play ivrd/welcome
        prompt-cut-7  -> play ivrd/invalid
        prompt-cut-1  -> chosen switchboard 1 7
    """,
    "silence_after_a_wrong_key_is_still_a_choice": """
                      -> play ivrd/welcome
        prompt-cut-7  -> play ivrd/invalid
        prompt-over   -> play ivrd/welcome
        prompt-over   -> wait 5
        silence       -> stayed guides None 7
    """,
    "the_last_try_leads_to_a_guide": """
                      -> play ivrd/welcome
        prompt-cut-7  -> play ivrd/invalid
        prompt-cut-8  -> play ivrd/invalid
        prompt-cut-9  -> gave_up guides None 7,8,9
    """,
    "a_hang_up_during_the_prompt_has_no_choice": """
                      -> play ivrd/welcome
        hang-up       -> hung_up None None 0
    """,
    "a_hang_up_during_the_invalid_prompt_keeps_the_try": """
                      -> play ivrd/welcome
        prompt-cut-7  -> play ivrd/invalid
        hang-up       -> hung_up None None 7
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

FULL_SCENARIOS = {
    "a_longer_key_is_chosen_at_its_last_digit": """
                      -> play ivrd/welcome
        prompt-over   -> wait 5
        key-1         -> wait 2
        key-0         -> chosen menu:va 10 0
    """,
    "a_whole_key_that_begins_a_longer_one_is_chosen_after_a_short_silence": """
                      -> play ivrd/welcome
        prompt-over   -> wait 5
        key-1         -> wait 2
        silence       -> chosen switchboard 1 0
    """,
    "the_first_digit_may_interrupt_the_prompt": """
                      -> play ivrd/welcome
        prompt-cut-1  -> wait 2
        key-1         -> wait 2
        key-2         -> chosen number:112 112 0
    """,
    "a_key_that_no_longer_one_begins_with_waits_for_nothing": """
                      -> play ivrd/welcome
        prompt-cut-9  -> chosen language:en 9 0
    """,
    "digits_that_no_longer_begin_a_key_are_one_try": """
                      -> play ivrd/welcome
        prompt-cut-1  -> wait 2
        key-2         -> play ivrd/invalid
        prompt-over   -> play ivrd/welcome
        prompt-cut-8  -> chosen slow 8 12
    """,
    "a_key_left_unfinished_is_one_try": """
                      -> play ivrd/welcome
        prompt-over   -> wait 5
        key-1         -> wait 2
        key-1         -> wait 2
        silence       -> play ivrd/invalid
        prompt-cut-2  -> wait 2
        silence       -> play ivrd/invalid
        prompt-over   -> play ivrd/welcome
        prompt-over   -> wait 5
        silence       -> stayed guides None 11,2
    """,
    "a_hang_up_in_the_middle_of_a_key_has_no_choice": """
                      -> play ivrd/welcome
        prompt-cut-1  -> wait 2
        hang-up       -> hung_up None None 0
    """,
    "digits_left_over_interrupt_the_invalid_prompt": """
                      -> play ivrd/welcome
        prompt-cut-2  -> wait 2
        key-1         -> play ivrd/invalid
        prompt-cut-1  -> wait 2
        key-0         -> chosen menu:va 10 21
    """,
    "the_repeat_key_is_no_try": """
                      -> play ivrd/welcome
        prompt-cut-*  -> play ivrd/welcome
        prompt-over   -> wait 5
        key-*         -> play ivrd/welcome
        prompt-cut-8  -> chosen slow 8 0 again 2
    """,
    "the_repeat_key_works_in_the_invalid_prompt": """
                      -> play ivrd/welcome
        prompt-cut-7  -> play ivrd/invalid
        prompt-cut-*  -> play ivrd/welcome
        prompt-over   -> wait 5
        silence       -> stayed guides None 7 again 1
    """,
    "the_repeat_key_inside_a_longer_key_is_wrong": """
                      -> play ivrd/welcome
        prompt-cut-1  -> wait 2
        key-*         -> play ivrd/invalid
    """,
    "the_back_key_leads_back": """
                      -> play ivrd/welcome
        prompt-cut-#  -> chosen back # 0
    """,
    "the_last_try_leads_to_the_failure_choice": """
                      -> play ivrd/welcome
        prompt-cut-7  -> play ivrd/invalid
        prompt-cut-A  -> play ivrd/invalid
        prompt-cut-0  -> gave_up menu:hjalp None 7,A,0
    """,
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_menu_scenario(name: str) -> None:
    play_through(PLAIN, SCENARIOS[name])


@pytest.mark.parametrize("name", FULL_SCENARIOS)
def test_full_menu_scenario(name: str) -> None:
    play_through(FULL, FULL_SCENARIOS[name])


def test_without_a_menu_behind_the_back_key_plays_it_again() -> None:
    heard = FULL.heard_by(is_slow=False, has_back=False)
    play_through(
        heard,
        """
                      -> play ivrd/welcome
        prompt-cut-#  -> play ivrd/welcome
        prompt-over   -> wait 5
        """,
    )
    assert FULL.heard_by(is_slow=False, has_back=True) == replace(FULL, slow_factor=1.0)


def test_in_slow_mode_both_time_outs_are_longer_once() -> None:
    slow = FULL.heard_by(is_slow=True, has_back=True)
    play_through(
        slow.heard_by(is_slow=True, has_back=True),
        """
                      -> play ivrd/welcome
        prompt-over   -> wait 12.5
        key-1         -> wait 5
        """,
    )


def test_a_repeat_too_many_is_a_try() -> None:
    step = begin(FULL)
    for _ in range(REPEATS_MAX):
        step = advance(FULL, step.state, PromptEnded(digit="*"))
        assert show(step.output) == "play ivrd/welcome"
    step = advance(FULL, step.state, PromptEnded(digit="*"))
    assert show(step.output) == "play ivrd/invalid"
    for _ in range(2):
        step = advance(FULL, step.state, PromptEnded(digit="*"))
    assert show(step.output) == f"gave_up menu:hjalp None *,*,* again {REPEATS_MAX}"


def test_without_an_invalid_prompt_the_prompt_comes_at_once() -> None:
    play_through(
        replace(PLAIN, invalid_prompt=None),
        """
                      -> play ivrd/welcome
        prompt-cut-7  -> play ivrd/welcome
        prompt-over   -> wait 5
        """,
    )


def test_one_try_gives_up_at_the_first_wrong_key() -> None:
    play_through(
        replace(PLAIN, tries=1),
        """
                      -> play ivrd/welcome
        prompt-cut-7  -> gave_up guides None 7
        """,
    )


def test_every_key_interrupts_a_prompt() -> None:
    output = begin(PLAIN).output
    assert isinstance(output, Play)
    assert set(output.escape_digits) == set("0123456789*#")


def test_what_may_be_left_out_has_a_meaning() -> None:
    assert PLAIN.digit_after == timedelta(seconds=3)
    assert (PLAIN.repeat_key, PLAIN.back_key, PLAIN.failure_choice) == (None, None, None)


CHANGES: dict[str, dict[str, object]] = {
    "an empty key": {"choices": {"": "q"}},
    "a letter": {"choices": {"x": "q"}},
    "a letter in a longer key": {"choices": {"1x": "q"}},
    "nine digits": {"choices": {"123456789": "q"}},
    "no try": {"tries": 0},
    "no time to stay": {"stay_after": timedelta(0)},
    "no time for a digit": {"digit_after": timedelta(0)},
    "a hurry": {"slow_factor": 0.5},
    "no number": {"slow_factor": float("nan")},
    "two repeat keys": {"repeat_key": "**"},
    "an empty back key": {"back_key": ""},
    "repeat is a choice": {"repeat_key": "1"},
    "back is a choice": {"back_key": "#"},
    "repeat is back": {"repeat_key": "*", "back_key": "*"},
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_menu_that_cannot_work_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="menu 'main'"):
        replace(PLAIN, **CHANGES[name])  # type: ignore[arg-type]


def test_the_table_in_the_header_is_the_code() -> None:
    assert menu_module.__doc__ is not None
    rows = re.findall(r"^    (\w+) +\| (\w+) +\| (.+)$", menu_module.__doc__, re.MULTILINE)
    table = {(state, event): text for state, event, text in rows}
    states: list[MenuState] = [
        Prompting(so_far=SoFar()),
        Correcting(so_far=SoFar()),
        Listening(so_far=SoFar()),
        Collecting(so_far=SoFar(), digits="1"),
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
    step = advance(FULL, state, event)
    if isinstance(step.output, ReportUnexpectedInput):
        assert step.state == state
        return "unexpected"
    moved = f"{type(step.state).__name__}, {type(step.output).__name__}"
    match event:
        case DigitReceived():
            return describe_digits(state)
        case PromptEnded():
            return f"no digit: {moved}; else {describe_digits(state)}"
        case SilenceEnded() if isinstance(state, Collecting):
            assert isinstance(step.output, Finished)
            wrong = advance(FULL, replace(state, digits="2"), event)
            assert isinstance(wrong.state, Correcting)
            return "key" if step.output.choice == FULL.choices[state.digits] else moved
    return moved


def describe_digits(state: MenuState) -> str:
    """Check that a digit is collected, chosen or wrong in this state, and return its word."""
    before = state.digits if isinstance(state, Collecting) else ""
    collected, chosen, wrong = ("11", "10", "13") if before else ("1", "9", "7")

    def after(digits: str) -> MenuState:
        digit = digits.removeprefix(before)
        is_playing = isinstance(state, Prompting | Correcting)
        event = PromptEnded(digit=digit) if is_playing else DigitReceived(digit=digit)
        return advance(FULL, state, event).state

    assert after(collected) == Collecting(so_far=SoFar(), digits=collected)
    assert after(chosen) == Closed()
    assert after(wrong) == Correcting(so_far=SoFar(wrong_keys=(wrong,)))
    return "digit"
