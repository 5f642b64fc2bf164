"""Any order of inputs: a menu ends once, within bounds, and never loses a caller."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from ivrd.core.ids import MenuName
from ivrd.core.menu import (
    KEYS,
    ChoiceName,
    Closed,
    DigitReceived,
    Finished,
    HungUp,
    Menu,
    MenuInput,
    MenuOutcome,
    PromptEnded,
    ReportUnexpectedInput,
    SilenceEnded,
    advance,
    begin,
)

digits = st.sampled_from([*KEYS, "A", "f", "å"])
inputs: st.SearchStrategy[MenuInput] = st.one_of(
    st.builds(PromptEnded, digit=st.none() | digits),
    st.builds(DigitReceived, digit=digits),
    st.just(SilenceEnded()),
    st.just(HungUp()),
)
menus = st.builds(
    Menu,
    name=st.just(MenuName("main")),
    prompt=st.just("welcome"),
    invalid_prompt=st.none() | st.just("invalid"),
    choices=st.dictionaries(st.sampled_from(KEYS), st.just(ChoiceName("switchboard"))),
    stay_choice=st.just(ChoiceName("guides")),
    stay_after=st.just(timedelta(seconds=5)),
    tries=st.integers(1, 5),
)


@given(menu=menus, events=st.lists(inputs, max_size=30))
def test_any_inputs_end_a_menu_at_most_once_and_within_its_tries(
    menu: Menu, events: list[MenuInput]
) -> None:
    step = begin(menu)
    finished: list[Finished] = []
    for event in events:
        before = step.state
        step = advance(menu, before, event)
        match step.output:
            case Finished():
                finished.append(step.output)
                assert step.state == Closed()
            case ReportUnexpectedInput():
                assert step.state == before
            case _:
                assert step.state != Closed()
    assert len(finished) <= 1
    for end in finished:
        check_end(menu, end)


def check_end(menu: Menu, end: Finished) -> None:
    assert 0 <= end.tries <= menu.tries
    assert (end.tries == menu.tries) == (end.outcome is MenuOutcome.GAVE_UP)
    assert (end.choice is None) == (end.outcome is MenuOutcome.HUNG_UP)
    assert (end.digit is not None) == (end.outcome is MenuOutcome.CHOSEN)
    if end.digit is not None:
        assert end.choice == menu.choices[end.digit]
    elif end.choice is not None:
        assert end.choice == menu.stay_choice


@given(menu=menus, keys=st.lists(st.none() | digits, max_size=60))
def test_a_caller_who_does_not_hang_up_always_gets_a_choice(
    menu: Menu, keys: list[str | None]
) -> None:
    """Answer each output as the shell does; when the keys are used up there is only silence."""
    step = begin(menu)
    turns = 0
    rest = iter(keys)
    while not isinstance(step.output, Finished):
        key = next(rest, None)
        is_listening = type(step.state).__name__ == "Listening"
        event: MenuInput
        if is_listening:
            event = SilenceEnded() if key is None else DigitReceived(digit=key)
        else:
            event = PromptEnded(digit=key)
        step = advance(menu, step.state, event)
        assert not isinstance(step.output, ReportUnexpectedInput)
        turns += 1
        # Invalid prompt, prompt and silence for each try at the most.
        assert turns <= 3 * menu.tries
    assert step.output.choice is not None
