"""Any order of inputs: a menu ends once, within bounds, and never loses a caller."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from ivrd.core.ids import MenuName
from ivrd.core.menu import (
    KEYS,
    REPEATS_MAX,
    ChoiceName,
    Closed,
    DigitReceived,
    Finished,
    HungUp,
    Menu,
    MenuInput,
    MenuOutcome,
    Play,
    PromptEnded,
    ReportUnexpectedInput,
    SilenceEnded,
    WaitDigit,
    advance,
    begin,
)
from ivrd.core.menu_walk import PAUSE, routes, walk

NAMES = ["switchboard", "menu:va", "language:en", "slow"]
FEW = "1234*#"
"""Few, so that keys begin each other and typed rows meet them."""

digits = st.sampled_from([*FEW, *KEYS, "A", "f", "å"])
inputs: st.SearchStrategy[MenuInput] = st.one_of(
    st.builds(PromptEnded, digit=st.none() | digits),
    st.builds(DigitReceived, digit=digits),
    st.just(SilenceEnded()),
    st.just(HungUp()),
)
seconds = st.integers(1, 9).map(lambda count: timedelta(seconds=count))


@st.composite
def menus(draw: st.DrawFn) -> Menu:
    special = draw(st.lists(st.sampled_from(FEW), max_size=2, unique=True))
    choices = draw(
        st.dictionaries(
            st.text(FEW, min_size=1, max_size=4).filter(lambda key: key not in special),
            st.sampled_from(NAMES).map(ChoiceName),
            max_size=8,
        )
    )
    return Menu(
        name=MenuName("main"),
        prompt="welcome",
        invalid_prompt=draw(st.none() | st.just("invalid")),
        choices=choices,
        stay_choice=ChoiceName("guides"),
        stay_after=draw(seconds),
        tries=draw(st.integers(1, 5)),
        failure_choice=draw(st.none() | st.just(ChoiceName("help"))),
        digit_after=draw(seconds),
        repeat_key=special[0] if special else None,
        back_key=special[1] if special[1:] else None,
        slow_factor=draw(st.integers(1, 5)),
    )


typed = st.text([*FEW, *KEYS, "A", PAUSE], max_size=60)


@given(menu=menus(), events=st.lists(inputs, max_size=40))
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
    assert 0 <= end.repeats <= REPEATS_MAX
    assert (end.tries == menu.tries) == (end.outcome is MenuOutcome.GAVE_UP)
    assert (end.choice is None) == (end.outcome is MenuOutcome.HUNG_UP)
    assert (end.digit is not None) == (end.outcome is MenuOutcome.CHOSEN)
    assert not set(end.wrong_keys) & set(menu.choices)
    assert not (menu.has_back and menu.back_key in end.wrong_keys)
    again = {menu.repeat_key, menu.back_key} & set(end.wrong_keys)
    assert not again or end.repeats == REPEATS_MAX
    match end.outcome:
        case MenuOutcome.CHOSEN if end.digit == menu.back_key:
            assert end.choice == "back"
        case MenuOutcome.CHOSEN:
            assert end.choice == menu.choices[end.digit or ""]
        case MenuOutcome.STAYED:
            assert end.choice == menu.stay_choice
        case MenuOutcome.GAVE_UP:
            assert end.choice == (menu.failure_choice or menu.stay_choice)


@given(menu=menus(), keys=typed, is_slow=st.booleans(), has_back=st.booleans())
def test_whatever_is_typed_the_caller_who_does_not_hang_up_gets_a_choice(
    menu: Menu, keys: str, is_slow: bool, has_back: bool
) -> None:
    outputs = list(walk(menu, keys, is_slow=is_slow, has_back=has_back))
    end = outputs[-1]
    assert isinstance(end, Finished)
    assert end.choice is not None
    check_end(menu.heard_by(is_slow=is_slow, has_back=has_back), end)
    # For each try and repeat: invalid prompt, prompt, silence, and the digits of the longest key.
    longest = max(map(len, menu.choices), default=0)
    assert len(outputs) <= (menu.tries + REPEATS_MAX) * (3 + longest) + 1
    assert all(isinstance(output, Play | WaitDigit) for output in outputs[:-1])


@given(menu=menus(), keys=typed, is_slow=st.booleans(), has_back=st.booleans())
def test_slowness_moves_nobody_elsewhere(
    menu: Menu, keys: str, is_slow: bool, has_back: bool
) -> None:
    assert routes(menu, keys, is_slow=is_slow, has_back=has_back) == routes(
        menu, keys, is_slow=not is_slow, has_back=has_back
    )


@given(menu=menus(), keys=typed)
def test_a_wait_is_for_a_whole_or_for_a_begun_key(menu: Menu, keys: str) -> None:
    waits = {output.timeout for output in walk(menu, keys) if isinstance(output, WaitDigit)}
    assert waits <= {menu.stay_after, menu.digit_after}


@given(menu=menus(), is_slow=st.booleans(), has_back=st.booleans())
def test_a_caller_silent_for_ever_stays_on_the_line(
    menu: Menu, is_slow: bool, has_back: bool
) -> None:
    *before, end = walk(menu, "", is_slow=is_slow, has_back=has_back)
    assert end == Finished(outcome=MenuOutcome.STAYED, choice=menu.stay_choice, digit=None)
    assert len(before) == 2


@given(menu=menus(), has_back=st.booleans())
def test_every_key_is_reached_by_typing_it(menu: Menu, has_back: bool) -> None:
    for key, choice in menu.choices.items():
        end = routes(menu, key, has_back=has_back)
        assert (end.outcome, end.choice, end.digit) == (MenuOutcome.CHOSEN, choice, key)


@given(menu=menus(), keys=st.text([*FEW, "7"], min_size=1, max_size=5))
def test_a_first_key_is_chosen_only_when_it_was_typed_in_full(menu: Menu, keys: str) -> None:
    """Without the special keys, the first key is the longest beginning that could still be one."""
    end = routes(menu, keys)
    length = 1
    while any(len(key) > length and key.startswith(keys[:length]) for key in menu.choices):
        if length == len(keys):
            break
        length += 1
    first = keys[:length]
    if first in menu.choices:
        assert end.digit == first
    elif first not in (menu.repeat_key, menu.back_key):
        assert end.wrong_keys[0] == first
