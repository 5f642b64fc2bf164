"""The tone menu of one caller: what is heard, what a key means, and how it ends.

Here: the only place where a menu changes state. Not here: sockets and AGI words (agi/session.py),
nor what a choice leads to (the dialplan queues the caller).

Words. A *try* is a wrong key. A *choice* is the name that the configuration gives to a key or to
silence. *Barge-in*: a key during a prompt counts as if it came after it.

Rules.

1. Staying on the line is a real choice: silence of `stay_after` after the prompt ends the menu as
   `stayed` with `stay_choice`. It is never counted as an error or a try.
2. A key of `choices` ends the menu as `chosen`, whether it comes during a prompt or after it.
3. Any other key is a try: the invalid prompt (when there is one), then the prompt again.
4. The wrong key number `tries` ends the menu as `gave_up` with `stay_choice`: the caller meets a
   guide and is never dropped.
5. A hang-up ends the menu as `hung_up`, with no choice.
6. Each input gives exactly one output. An input that does not fit gives `ReportUnexpectedInput` and
   changes nothing.

States and inputs; a test compares this table with the code. "key" is rule 2, 3 or 4:

    Prompting  | PromptEnded   | no key: Listening, WaitDigit; else key
    Prompting  | DigitReceived | unexpected
    Prompting  | SilenceEnded  | unexpected
    Prompting  | HungUp        | Closed, Finished
    Correcting | PromptEnded   | no key: Prompting, Play; else key
    Correcting | DigitReceived | unexpected
    Correcting | SilenceEnded  | unexpected
    Correcting | HungUp        | Closed, Finished
    Listening  | PromptEnded   | unexpected
    Listening  | DigitReceived | key
    Listening  | SilenceEnded  | Closed, Finished
    Listening  | HungUp        | Closed, Finished
    Closed     | PromptEnded   | unexpected
    Closed     | DigitReceived | unexpected
    Closed     | SilenceEnded  | unexpected
    Closed     | HungUp        | unexpected

Room to grow. A choice is looked up in one function, `_after_key`. Choices of several digits become
a fifth state that holds the digits so far and waits the (shorter) inter-digit time; a submenu
becomes a `Finished` whose choice names another menu. Neither changes an existing state.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import NewType, assert_never

from ivrd.core.ids import MenuName

ChoiceName = NewType("ChoiceName", str)
"""What a key or silence stands for, by its name in our configuration; today a queue's name."""

KEYS = "0123456789*#"
"""The keys of a telephone: all of them interrupt a prompt, so that a wrong key is noticed too."""


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
        ValueError: when a key is not one telephone key, or `tries` or `stay_after` is not positive.
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
    """Wrong keys until the caller is given `stay_choice`; at least 1."""

    def __post_init__(self) -> None:
        wrong = [key for key in self.choices if len(key) != 1 or key not in KEYS]
        if wrong:
            raise ValueError(f"menu {self.name!r}: not one telephone key: {wrong!r}")
        if self.tries < 1:
            raise ValueError(f"menu {self.name!r}: tries must be at least 1, not {self.tries}")
        if self.stay_after <= timedelta(0):
            raise ValueError(f"menu {self.name!r}: stay_after must be positive")


# States.


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompting:
    """The menu's prompt is playing."""

    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Correcting:
    """The invalid prompt is playing; the prompt follows."""

    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """The prompt is over; a key, or silence long enough, decides."""

    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """Terminal: the menu has ended."""


MenuState = Prompting | Correcting | Listening | Closed


# Inputs.


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptEnded:
    """A prompt was heard to its end, was interrupted by a key, or could not be played."""

    digit: str | None
    """The key that interrupted it; None when it ran out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitReceived:
    """A key came while we waited in silence."""

    digit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceEnded:
    """The whole of `WaitDigit.timeout` passed without a key."""


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
    """Wait for a key; answer with `DigitReceived` or `SilenceEnded`."""

    timeout: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The menu has ended; nothing more comes."""

    outcome: MenuOutcome
    choice: ChoiceName | None
    """None only when the caller hung up."""
    digit: str | None
    """The accepted key; None unless `chosen`."""
    tries: int
    """Wrong keys before the end."""


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
    return _prompt(menu, tries=0)


def advance(menu: Menu, state: MenuState, event: MenuInput) -> Step:
    """Return the step after one input; the caller of this function carries out its output."""
    match state:
        case Prompting():
            return _prompting(menu, state, event)
        case Correcting():
            return _correcting(menu, state, event)
        case Listening():
            return _listening(menu, state, event)
        case Closed():
            return _unexpected(state, event)
        case _:
            assert_never(state)


def _prompting(menu: Menu, state: Prompting, event: MenuInput) -> Step:
    match event:
        case PromptEnded(digit=digit):
            if digit is not None:
                return _after_key(menu, digit, tries=state.tries)
            return Step(
                state=Listening(tries=state.tries), output=WaitDigit(timeout=menu.stay_after)
            )
        case HungUp():
            return _close(MenuOutcome.HUNG_UP, choice=None, digit=None, tries=state.tries)
        case DigitReceived() | SilenceEnded():
            return _unexpected(state, event)
        case _:
            assert_never(event)


def _correcting(menu: Menu, state: Correcting, event: MenuInput) -> Step:
    match event:
        case PromptEnded(digit=digit):
            if digit is not None:
                return _after_key(menu, digit, tries=state.tries)
            return _prompt(menu, tries=state.tries)
        case HungUp():
            return _close(MenuOutcome.HUNG_UP, choice=None, digit=None, tries=state.tries)
        case DigitReceived() | SilenceEnded():
            return _unexpected(state, event)
        case _:
            assert_never(event)


def _listening(menu: Menu, state: Listening, event: MenuInput) -> Step:
    match event:
        case DigitReceived(digit=digit):
            return _after_key(menu, digit, tries=state.tries)
        case SilenceEnded():
            return _close(
                MenuOutcome.STAYED, choice=menu.stay_choice, digit=None, tries=state.tries
            )
        case HungUp():
            return _close(MenuOutcome.HUNG_UP, choice=None, digit=None, tries=state.tries)
        case PromptEnded():
            return _unexpected(state, event)
        case _:
            assert_never(event)


def _after_key(menu: Menu, digit: str, *, tries: int) -> Step:
    choice = menu.choices.get(digit)
    if choice is not None:
        return _close(MenuOutcome.CHOSEN, choice=choice, digit=digit, tries=tries)
    tries += 1
    if tries >= menu.tries:
        return _close(MenuOutcome.GAVE_UP, choice=menu.stay_choice, digit=None, tries=tries)
    if menu.invalid_prompt is None:
        return _prompt(menu, tries=tries)
    return Step(
        state=Correcting(tries=tries), output=Play(prompt=menu.invalid_prompt, escape_digits=KEYS)
    )


def _prompt(menu: Menu, *, tries: int) -> Step:
    return Step(state=Prompting(tries=tries), output=Play(prompt=menu.prompt, escape_digits=KEYS))


def _close(
    outcome: MenuOutcome, *, choice: ChoiceName | None, digit: str | None, tries: int
) -> Step:
    return Step(
        state=Closed(),
        output=Finished(outcome=outcome, choice=choice, digit=digit, tries=tries),
    )


def _unexpected(state: MenuState, event: MenuInput) -> Step:
    return Step(
        state=state,
        output=ReportUnexpectedInput(state=type(state).__name__, input=type(event).__name__),
    )
