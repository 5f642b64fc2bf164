"""Numbers, clock times, waits and places in a queue, as prompts to be played one after the other.

Here: which fragments, in which order. Not here: what a fragment says (the prompt sheet), and who
plays it. Rules:

1. A number is 0 to 999 999. Of common gender ("en minut") Swedish ends in *en*: 1 and 21, not 11.
   English says *and* after hundreds, and before a rest below 100 after thousands.
2. A clock time is what answers "when". Swedish: "klockan åtta och trettio", on the 24-hour clock;
   not "halv nio", which is half past eight to a Swede and half past nine to an Englishman, and not
   "åtta noll fem" but "åtta och fem". English: "at eight thirty a.m.", "at eight oh five a.m.", "at
   noon". Finnish: "kello kahdeksan kolmekymmentä", "kello kahdeksan nolla viisi".
3. A wait below one minute is "less than one minute". Others are rounded up: to whole minutes up to
   10, above that to 5 minutes. From one hour on they are spoken in hours and minutes. Up, because a
   caller who is answered sooner than promised does not mind.
4. A place in the queue is counted from 1, and the first one has a sentence of its own.
5. A language without a grammar here, such as Somali, has the order of its first fallback language
   that has one: it uses the same fragments, which are then all recorded in it, or none.

The numbers were compared with those of num2words. Written compounds
follow Svenska skrivregler: three equal consonants are two ("ettusen").
"""

import re
from collections.abc import Callable, Sequence
from datetime import time, timedelta
from enum import Enum
from typing import NewType

PromptId = NewType("PromptId", str)
"""A prompt of the sheet."""

Prompts = tuple[PromptId, ...]

NUMBER_MAX = 999_999

PREFIX = "tal-"
"""Of the fragments of a number: tal-0 to tal-19, tal-20 to tal-90, tal-100 to tal-900."""
COMMON_ONE = PromptId("tal-en")
"""Swedish "en", of common gender."""
ONE_THOUSAND = PromptId("tal-1000")
"""A number of its own: "ettusen", "tuhat"."""
THOUSANDS = PromptId("tal-tusen")
"""After a number from two on: "tusen", "tuhatta"."""

AND = PromptId("och")
AT = PromptId("klockan")
OH = PromptId("klockslag-noll")
BEFORE_NOON = PromptId("klockslag-fm")
AFTER_NOON = PromptId("klockslag-em")
NOON = PromptId("klockslag-middag")
MIDNIGHT = PromptId("klockslag-midnatt")

WAIT = PromptId("vantetid")
BELOW_MINUTE = PromptId("vantetid-under-minut")
ABOUT = PromptId("vantetid-ungefar")
MINUTE, MINUTES = PromptId("minut"), PromptId("minuter")
HOUR, HOURS = PromptId("timme"), PromptId("timmar")

FIRST_PLACE = PromptId("plats-forst")
PLACE = PromptId("plats-nummer")
IN_QUEUE = PromptId("plats-i-kon")

_MINUTE = timedelta(minutes=1)
_STEP = timedelta(minutes=5)
_EXACT_UP_TO = timedelta(minutes=10)


class Grammar(Enum):
    """How a language puts numbers and times together."""

    SWEDISH = "sv"
    ENGLISH = "en"
    FINNISH = "fi"


class Gender(Enum):
    """What a number counts; only Swedish hears the difference."""

    NEUTER = "ett"
    """Also a number by itself: "nummer ett", "klockan ett"."""
    COMMON = "en"
    """A *minut*, a *timme*."""


def grammar_of(language: str, fallback: Sequence[str] = ()) -> Grammar:
    """Return the grammar of a language, or of the first fallback language that has one.

    >>> grammar_of("fi"), grammar_of("so", ["en", "sv"])
    (<Grammar.FINNISH: 'fi'>, <Grammar.ENGLISH: 'en'>)
    """
    known = {grammar.value: grammar for grammar in Grammar}
    return next((known[each] for each in (language, *fallback) if each in known), Grammar.ENGLISH)


def number(count: int, grammar: Grammar, gender: Gender = Gender.NEUTER) -> Prompts:
    """Return a number.

    >>> number(21, Grammar.SWEDISH)
    ('tal-20', 'tal-1')
    >>> number(21, Grammar.SWEDISH, Gender.COMMON)
    ('tal-20', 'tal-en')
    >>> number(2105, Grammar.ENGLISH)
    ('tal-2', 'tal-tusen', 'tal-100', 'och', 'tal-5')

    Raises:
        ValueError: It is below 0 or above `NUMBER_MAX`.
    """
    if not 0 <= count <= NUMBER_MAX:
        raise ValueError(f"{count} is not a number from 0 to {NUMBER_MAX}")
    thousands, rest = divmod(count, 1000)
    spoken: Prompts = ()
    if thousands == 1:
        spoken = (ONE_THOUSAND,)
    elif thousands > 1:
        spoken = (*_below_thousand(thousands, grammar, Gender.NEUTER), THOUSANDS)
    if rest == 0 and thousands:
        return spoken
    has_and = grammar is Grammar.ENGLISH and thousands > 0 and rest < 100
    return (*spoken, *((AND,) if has_and else ()), *_below_thousand(rest, grammar, gender))


def _below_thousand(count: int, grammar: Grammar, gender: Gender) -> Prompts:
    hundreds, rest = count - count % 100, count % 100
    if hundreds == 0:
        return _below_hundred(rest, grammar, gender)
    if rest == 0:
        return (_fragment(hundreds),)
    link = (AND,) if grammar is Grammar.ENGLISH else ()
    return (_fragment(hundreds), *link, *_below_hundred(rest, grammar, gender))


def _below_hundred(count: int, grammar: Grammar, gender: Gender) -> Prompts:
    tens, ones = (0, count) if count < 20 else (count - count % 10, count % 10)
    if tens and not ones:
        return (_fragment(tens),)
    is_common = grammar is Grammar.SWEDISH and gender is Gender.COMMON
    last = COMMON_ONE if is_common and ones == 1 else _fragment(ones)
    return (_fragment(tens), last) if tens else (last,)


def _fragment(count: int) -> PromptId:
    return PromptId(f"{PREFIX}{count}")


def clock(at: time, grammar: Grammar) -> Prompts:
    """Return when something is, to the minute; seconds are cut off.

    >>> clock(time(16, 30), Grammar.SWEDISH)
    ('klockan', 'tal-16', 'och', 'tal-30')
    >>> clock(time(16, 30), Grammar.ENGLISH)
    ('klockan', 'tal-4', 'tal-30', 'klockslag-em')
    """
    match grammar:
        case Grammar.SWEDISH:
            minutes = (AND, *number(at.minute, grammar)) if at.minute else ()
            return (AT, *number(at.hour, grammar), *minutes)
        case Grammar.FINNISH:
            zero = (_fragment(0),) if at.minute < 10 else ()
            minutes = (*zero, *number(at.minute, grammar)) if at.minute else ()
            return (AT, *number(at.hour, grammar), *minutes)
        case Grammar.ENGLISH:
            return (AT, *_english_clock(at))


def _english_clock(at: time) -> Prompts:
    if at.minute == 0 and at.hour % 12 == 0:
        return (NOON if at.hour else MIDNIGHT,)
    hour = number(at.hour % 12 or 12, Grammar.ENGLISH)
    zero = (OH,) if 0 < at.minute < 10 else ()
    minutes = number(at.minute, Grammar.ENGLISH) if at.minute else ()
    return (*hour, *zero, *minutes, BEFORE_NOON if at.hour < 12 else AFTER_NOON)


def rounded_wait(wait: timedelta) -> timedelta:
    """Return a wait as it is spoken; zero for less than one minute.

    >>> str(rounded_wait(timedelta(minutes=4, seconds=1))), str(rounded_wait(timedelta(minutes=11)))
    ('0:05:00', '0:15:00')

    Raises:
        ValueError: It is negative.
    """
    if wait < timedelta(0):
        raise ValueError(f"a wait cannot be negative: {wait}")
    if wait < _MINUTE:
        return timedelta(0)
    step = _MINUTE if wait <= _EXACT_UP_TO else _STEP
    return -(-wait // step) * step


def expected_wait(wait: timedelta, grammar: Grammar) -> Prompts:
    """Return the sentence about an expected wait.

    >>> expected_wait(timedelta(minutes=68), Grammar.SWEDISH)
    ('vantetid', 'vantetid-ungefar', 'tal-en', 'timme', 'och', 'tal-10', 'minuter')
    >>> expected_wait(timedelta(seconds=59), Grammar.FINNISH)
    ('vantetid', 'vantetid-under-minut')

    Raises:
        ValueError: It is negative, or above `NUMBER_MAX` hours.
    """
    rounded = rounded_wait(wait)
    if not rounded:
        return (WAIT, BELOW_MINUTE)
    hours, minutes = divmod(rounded // _MINUTE, 60)
    parts = [
        (*number(count, grammar, Gender.COMMON), one if count == 1 else several)
        for count, one, several in ((hours, HOUR, HOURS), (minutes, MINUTE, MINUTES))
        if count
    ]
    link = (AND,) if len(parts) > 1 else ()
    return (WAIT, ABOUT, *parts[0], *link, *(parts[1] if link else ()))


def place(number_in_queue: int, grammar: Grammar) -> Prompts:
    """Return the sentence about a caller's place in the queue, counted from 1.

    >>> place(1, Grammar.SWEDISH), place(3, Grammar.SWEDISH)
    (('plats-forst',), ('plats-nummer', 'tal-3', 'plats-i-kon'))

    Raises:
        ValueError: It is below 1 or above `NUMBER_MAX`.
    """
    if number_in_queue < 1:
        raise ValueError(f"a place in a queue is 1 or more, not {number_in_queue}")
    if number_in_queue == 1:
        return (FIRST_PLACE,)
    # "Olet jonossa numero kolme": Finnish has named the queue already.
    tail = () if grammar is Grammar.FINNISH else (IN_QUEUE,)
    return (PLACE, *number(number_in_queue, grammar), *tail)


def fragment_ids(grammar: Grammar) -> frozenset[PromptId]:
    """Return every fragment that the sentences above can need in one language."""
    counts = (*range(20), *range(20, 100, 10), *range(100, 1000, 100))
    common = {
        *(_fragment(count) for count in counts),
        *(ONE_THOUSAND, THOUSANDS, AND, AT, WAIT, BELOW_MINUTE, ABOUT),
        *(MINUTE, MINUTES, HOUR, HOURS, FIRST_PLACE, PLACE),
    }
    match grammar:
        case Grammar.SWEDISH:
            return frozenset({*common, COMMON_ONE, IN_QUEUE})
        case Grammar.ENGLISH:
            clock_words = {OH, BEFORE_NOON, AFTER_NOON, NOON, MIDNIGHT}
            return frozenset({*common, *clock_words, IN_QUEUE})
        case Grammar.FINNISH:
            return frozenset(common)


FRAGMENT_IDS = frozenset().union(*(fragment_ids(grammar) for grammar in Grammar))
"""Of every language."""


def written(prompts: Prompts, text_of: Callable[[PromptId], str], grammar: Grammar) -> str:
    """Return how the prompts read when they are written down as one text.

    Swedish and Finnish write a number as one word; the thousands stand apart.

    >>> texts = {"tal-20": "tjugo", "tal-1": "ett"}
    >>> written(number(21, Grammar.SWEDISH), lambda prompt: texts[prompt], Grammar.SWEDISH)
    'tjugoett'
    """
    text = ""
    before: PromptId | None = None
    for prompt in prompts:
        is_compound = grammar is not Grammar.ENGLISH and _is_one_word(before, prompt)
        text += ("" if is_compound or not text else " ") + text_of(prompt)
        before = prompt
    return re.sub(r"([^\W\d_])\1\1", r"\1\1", text)


def _is_one_word(before: PromptId | None, prompt: PromptId) -> bool:
    """Tell whether two fragments are one number: an hour and its minutes are two."""
    if before is None or prompt == THOUSANDS:
        return before is not None
    first, second = _count_of(before), 1 if prompt == COMMON_ONE else _count_of(prompt)
    if first is None or second is None or second == 0:
        return False
    return (20 <= first < 100 and second < 10) or (100 <= first < 1000 and second < 100)


def _count_of(prompt: PromptId) -> int | None:
    digits = prompt.removeprefix(PREFIX)
    return int(digits) if digits.isdecimal() else None
