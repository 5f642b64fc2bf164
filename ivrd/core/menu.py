"""The tone menu of one caller: what is heard, what a key means, and how it ends.

Here: the only place where a menu changes state. Not here: sockets and AGI words (agi/session.py),
nor what a choice leads to (core/targets.py names it, the dialplan goes there).

Words. A *key* is what the caller types: one digit or several, "*" and "#" among them. A *try* is a
wrong key. A *choice* is the label that the configuration gives to a key or to silence. *Barge-in*:
a digit during a prompt counts as if it came after it.

Rules.

1. Staying on the line is a real choice: silence of `stay_after` after the prompt ends the menu as
   `stayed` with `stay_choice`. It is never counted as an error or a try.
2. Digits are collected while a longer key may still come of them, each for `digit_after` at most.
   So "1" beside "112" is decided by that silence, and "12" there is wrong as a whole, at its second
   digit. Asterisk's own WaitExten() decides the same (main/pbx.c, `collect_digits`; compared on
   22.10.1, where keys during the invalid prompt need Background(): Playback() loses them).
3. A key of `choices` ends the menu as `chosen`, whether it comes during a prompt or after it. So
   does the back key, with the label "back".
4. The repeat key plays the prompt again. It is no try, but after `REPEATS_MAX` it is a wrong key.
5. Any other key is a try: the invalid prompt (when there is one), then the prompt again.
6. The wrong key number `tries` ends the menu as `gave_up` with `failure_choice`, or `stay_choice`
   when there is none: the caller meets a guide and is never dropped.
7. A hang-up ends the menu as `hung_up`, with no choice.
8. Each input gives exactly one output. An input that does not fit gives `ReportUnexpectedInput` and
   changes nothing.

A slower menu, a changed language and a submenu are no states: they end this menu as `chosen`, and
the dialplan enters a menu anew. `Menu.heard_by` makes the menu that one caller meets.

States and inputs; a test compares this table with the code. "digit" is rule 2, "key" 3 to 6:

    Prompting  | PromptEnded   | no digit: Listening, WaitDigit; else digit
    Prompting  | DigitReceived | unexpected
    Prompting  | SilenceEnded  | unexpected
    Prompting  | HungUp        | Closed, Finished
    Correcting | PromptEnded   | no digit: Prompting, Play; else digit
    Correcting | DigitReceived | unexpected
    Correcting | SilenceEnded  | unexpected
    Correcting | HungUp        | Closed, Finished
    Listening  | PromptEnded   | unexpected
    Listening  | DigitReceived | digit
    Listening  | SilenceEnded  | Closed, Finished
    Listening  | HungUp        | Closed, Finished
    Collecting | PromptEnded   | unexpected
    Collecting | DigitReceived | digit
    Collecting | SilenceEnded  | key
    Collecting | HungUp        | Closed, Finished
    Closed     | PromptEnded   | unexpected
    Closed     | DigitReceived | unexpected
    Closed     | SilenceEnded  | unexpected
    Closed     | HungUp        | unexpected
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import NewType, assert_never

from ivrd.core.ids import MenuName
from ivrd.core.targets import BACK

ChoiceName = NewType("ChoiceName", str)
"""What a key or silence stands for: the label of a target (core/targets.py), often a queue."""

KEYS = "0123456789*#"
"""The keys of a telephone: all of them interrupt a prompt, so that a wrong key is noticed too."""

KEY_DIGITS_MAX = 8
"""Digits of one choice's key; a longer one is a typing error in the configuration."""

REPEATS_MAX = 10
"""Repeats that are no tries. Nobody needs more, and a telephone that sends "*" for ever ends."""

DIGIT_AFTER = timedelta(seconds=3)
"""Silence that ends a key, when the configuration says nothing; as Asterisk's WaitExten()."""


class MenuOutcome(StrEnum):
    """How a menu ended."""

    CHOSEN = "chosen"
    STAYED = "stayed"
    GAVE_UP = "gave_up"
    HUNG_UP = "hung_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Menu:
    """One tone menu as configured; the same value serves every caller.

    Raises:
        ValueError: when a key is none that a telephone can send or has two meanings, or when
            `tries`, a time-out or `slow_factor` is too small.
    """

    name: MenuName
    prompt: str
    """Sound file without its ending, as Asterisk finds it for the channel's language."""
    invalid_prompt: str | None
    """Heard after a wrong key; None goes straight to the prompt."""
    choices: Mapping[str, ChoiceName] = field(hash=False)
    stay_choice: ChoiceName
    stay_after: timedelta
    """Silence after the prompt that means "I stay on the line"."""
    tries: int
    """Wrong keys until the caller is given `failure_choice`; at least 1."""
    failure_choice: ChoiceName | None = None
    """None: `stay_choice`."""
    digit_after: timedelta = DIGIT_AFTER
    """Silence after a digit that ends a key which might still be longer."""
    repeat_key: str | None = None
    """One key that plays the prompt again; None when there is none."""
    back_key: str | None = None
    """One key that leads to the menu before; None when there is none."""
    has_back: bool = True
    """Whether a menu is before; where none is, the back key plays the prompt again: the prompt
    speaks of it, and a caller who presses it has done nothing wrong."""
    slow_factor: float = 2.0
    """How much longer both time-outs are for a caller in slow mode."""

    def __post_init__(self) -> None:
        for fault in self._faults():
            raise ValueError(f"menu {self.name!r}: {fault}")

    def _faults(self) -> Iterator[str]:
        wrong = [key for key in self.choices if not _is_key(key, digits_max=KEY_DIGITS_MAX)]
        if wrong:
            yield f"not 1 to {KEY_DIGITS_MAX} telephone keys: {wrong!r}"
        special = [key for key in (self.repeat_key, self.back_key) if key is not None]
        if not all(_is_key(key, digits_max=1) for key in special):
            yield f"repeat and back key must be one telephone key, not {special!r}"
        if len({*special, *self.choices}) < len(special) + len(self.choices):
            yield f"repeat or back key has another meaning: {special!r}"
        if self.tries < 1:
            yield f"tries must be at least 1, not {self.tries}"
        if self.stay_after <= timedelta(0):
            yield "stay_after must be positive"
        if self.digit_after <= timedelta(0):
            yield "digit_after must be positive"
        if not self.slow_factor >= 1:
            yield f"slow_factor must be at least 1, not {self.slow_factor}"

    def heard_by(self, *, is_slow: bool, has_back: bool) -> "Menu":
        """Return the menu that one caller meets; hand it to `begin` and `advance`.

        Args:
            is_slow: The caller, or the caller's line, is in slow mode: both time-outs are longer.
            has_back: The caller came from another menu; otherwise the back key plays it again.
        """
        factor = self.slow_factor if is_slow else 1.0
        return replace(
            self,
            stay_after=self.stay_after * factor,
            digit_after=self.digit_after * factor,
            slow_factor=1.0,
            has_back=has_back,
        )


# States.


@dataclass(frozen=True, slots=True, kw_only=True)
class SoFar:
    """What the caller has done in this menu until now."""

    wrong_keys: tuple[str, ...] = ()
    """In order; one for each try."""
    repeats: int = 0

    @property
    def tries(self) -> int:
        """Wrong keys until now."""
        return len(self.wrong_keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompting:
    """The menu's prompt is playing."""

    so_far: SoFar


@dataclass(frozen=True, slots=True, kw_only=True)
class Correcting:
    """The invalid prompt is playing; the prompt follows."""

    so_far: SoFar


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """The prompt is over; a digit, or silence long enough, decides."""

    so_far: SoFar


@dataclass(frozen=True, slots=True, kw_only=True)
class Collecting:
    """Digits have come that begin a longer key; the next digit, or a short silence, decides."""

    so_far: SoFar
    digits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """Terminal: the menu has ended."""


MenuState = Prompting | Correcting | Listening | Collecting | Closed


# Inputs.


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptEnded:
    """A prompt was heard to its end, was interrupted by a digit, or could not be played."""

    digit: str | None
    """The digit that interrupted it; None when it ran out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitReceived:
    """A digit came while we waited in silence."""

    digit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceEnded:
    """The whole of `WaitDigit.timeout` passed without a digit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HungUp:
    """The caller is gone."""


MenuInput = PromptEnded | DigitReceived | SilenceEnded | HungUp


# Outputs.


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """Play a prompt until it ends or a key of `escape_digits` comes; answer with `PromptEnded`."""

    prompt: str
    escape_digits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitDigit:
    """Wait for a digit; answer with `DigitReceived` or `SilenceEnded`."""

    timeout: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The menu has ended; nothing more comes."""

    outcome: MenuOutcome
    choice: ChoiceName | None
    """None only when the caller hung up."""
    digit: str | None
    """The accepted key with all its digits; None unless `chosen`."""
    wrong_keys: tuple[str, ...] = ()
    """The tries, in order; an unfinished key holds the digits that came."""
    repeats: int = 0
    """How often the prompt was asked for again."""

    @property
    def tries(self) -> int:
        """Wrong keys before the end."""
        return len(self.wrong_keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportUnexpectedInput:
    """Count and log an input that does not fit the state; nothing was changed."""

    state: str
    input: str


MenuOutput = Play | WaitDigit | Finished | ReportUnexpectedInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The new state, and the one thing to do now."""

    state: MenuState
    output: MenuOutput


def begin(menu: Menu) -> Step:
    """Return the first step: the prompt, with no try used."""
    return _prompt(menu, SoFar())


def advance(menu: Menu, state: MenuState, event: MenuInput) -> Step:
    """Return the step after one input; the caller of this function carries out its output."""
    match state:
        case Prompting():
            return _prompting(menu, state, event)
        case Correcting():
            return _correcting(menu, state, event)
        case Listening():
            return _listening(menu, state, event)
        case Collecting():
            return _collecting(menu, state, event)
        case Closed():
            return _unexpected(state, event)
        case _:
            assert_never(state)


def _prompting(menu: Menu, state: Prompting, event: MenuInput) -> Step:
    match event:
        case PromptEnded(digit=digit):
            if digit is not None:
                return _after_digits(menu, digit, state.so_far)
            return Step(
                state=Listening(so_far=state.so_far), output=WaitDigit(timeout=menu.stay_after)
            )
        case HungUp():
            return _hung_up(state.so_far)
        case DigitReceived() | SilenceEnded():
            return _unexpected(state, event)
        case _:
            assert_never(event)


def _correcting(menu: Menu, state: Correcting, event: MenuInput) -> Step:
    match event:
        case PromptEnded(digit=digit):
            if digit is not None:
                return _after_digits(menu, digit, state.so_far)
            return _prompt(menu, state.so_far)
        case HungUp():
            return _hung_up(state.so_far)
        case DigitReceived() | SilenceEnded():
            return _unexpected(state, event)
        case _:
            assert_never(event)


def _listening(menu: Menu, state: Listening, event: MenuInput) -> Step:
    match event:
        case DigitReceived(digit=digit):
            return _after_digits(menu, digit, state.so_far)
        case SilenceEnded():
            return _close(state.so_far, MenuOutcome.STAYED, choice=menu.stay_choice)
        case HungUp():
            return _hung_up(state.so_far)
        case PromptEnded():
            return _unexpected(state, event)
        case _:
            assert_never(event)


def _collecting(menu: Menu, state: Collecting, event: MenuInput) -> Step:
    match event:
        case DigitReceived(digit=digit):
            return _after_digits(menu, state.digits + digit, state.so_far)
        case SilenceEnded():
            return _after_key(menu, state.digits, state.so_far)
        case HungUp():
            return _hung_up(state.so_far)
        case PromptEnded():
            return _unexpected(state, event)
        case _:
            assert_never(event)


def _after_digits(menu: Menu, digits: str, so_far: SoFar) -> Step:
    """Wait for more when a longer key may still come of these digits (rule 2), else decide."""
    if any(len(key) > len(digits) and key.startswith(digits) for key in menu.choices):
        return Step(
            state=Collecting(so_far=so_far, digits=digits),
            output=WaitDigit(timeout=menu.digit_after),
        )
    return _after_key(menu, digits, so_far)


def _after_key(menu: Menu, key: str, so_far: SoFar) -> Step:
    is_back = key == menu.back_key
    choice = ChoiceName(BACK) if is_back and menu.has_back else menu.choices.get(key)
    if choice is not None:
        return _close(so_far, MenuOutcome.CHOSEN, choice=choice, digit=key)
    if (is_back or key == menu.repeat_key) and so_far.repeats < REPEATS_MAX:
        return _prompt(menu, replace(so_far, repeats=so_far.repeats + 1))
    return _after_wrong_key(menu, replace(so_far, wrong_keys=(*so_far.wrong_keys, key)))


def _after_wrong_key(menu: Menu, so_far: SoFar) -> Step:
    if so_far.tries >= menu.tries:
        choice = menu.stay_choice if menu.failure_choice is None else menu.failure_choice
        return _close(so_far, MenuOutcome.GAVE_UP, choice=choice)
    if menu.invalid_prompt is None:
        return _prompt(menu, so_far)
    return Step(
        state=Correcting(so_far=so_far),
        output=Play(prompt=menu.invalid_prompt, escape_digits=KEYS),
    )


def _prompt(menu: Menu, so_far: SoFar) -> Step:
    return Step(state=Prompting(so_far=so_far), output=Play(prompt=menu.prompt, escape_digits=KEYS))


def _hung_up(so_far: SoFar) -> Step:
    return _close(so_far, MenuOutcome.HUNG_UP, choice=None)


def _close(
    so_far: SoFar, outcome: MenuOutcome, *, choice: ChoiceName | None, digit: str | None = None
) -> Step:
    return Step(
        state=Closed(),
        output=Finished(
            outcome=outcome,
            choice=choice,
            digit=digit,
            wrong_keys=so_far.wrong_keys,
            repeats=so_far.repeats,
        ),
    )


def _unexpected(state: MenuState, event: MenuInput) -> Step:
    return Step(
        state=state,
        output=ReportUnexpectedInput(state=type(state).__name__, input=type(event).__name__),
    )


def _is_key(text: str, *, digits_max: int) -> bool:
    return 1 <= len(text) <= digits_max and set(text) <= set(KEYS)
