"""A whole visit to one menu at once: the keys are known, then there is silence.

Here: the answers that a caller with given keys makes to a menu's outputs. Not here: what the menu
does with them (menu.py), and what the choice leads to (the caller's way through several menus is
the dialplan's).

This is what `ivrd menu try` shows, and what the static menus of the dialplan are compared with.
"""

from collections.abc import Iterator

from ivrd.core.menu import (
    Collecting,
    Correcting,
    DigitReceived,
    Finished,
    Menu,
    MenuInput,
    MenuOutput,
    MenuState,
    PromptEnded,
    Prompting,
    SilenceEnded,
    advance,
    begin,
)

PAUSE = " "
"""In a row of keys: a silence that ends an unfinished key, but is no staying on the line. It
changes nothing at any other time."""


def routes(menu: Menu, keys: str, *, is_slow: bool = False, has_back: bool = False) -> Finished:
    """Return how a menu ends for a caller who types these keys and then stays on the line."""
    *_, end = walk(menu, keys, is_slow=is_slow, has_back=has_back)
    assert isinstance(end, Finished)
    return end


def walk(
    menu: Menu, keys: str, *, is_slow: bool = False, has_back: bool = False
) -> Iterator[MenuOutput]:
    """Yield what the menu does for a caller who types these keys and then stays on the line.

    Each digit comes as early as it can: it interrupts the prompt that is playing. The last output,
    and only that, is `Finished`; keys that are left then are lost.

    Args:
        menu: The menu as configured.
        keys: One character for each digit, and `PAUSE`.
        is_slow: See `Menu.heard_by`.
        has_back: See `Menu.heard_by`.
    """
    heard = menu.heard_by(is_slow=is_slow, has_back=has_back)
    rest = iter(keys)
    step = begin(heard)
    yield step.output
    while not isinstance(step.output, Finished):
        step = advance(heard, step.state, _answer(step.state, rest))
        yield step.output


def _answer(state: MenuState, rest: Iterator[str]) -> MenuInput:
    """Return the caller's next input, and take the keys that it uses up."""
    digit = next(rest, None)
    while digit == PAUSE and not isinstance(state, Collecting):
        digit = next(rest, None)
    if isinstance(state, Prompting | Correcting):
        return PromptEnded(digit=digit)
    if digit is None or digit == PAUSE:
        return SilenceEnded()
    return DigitReceived(digit=digit)
