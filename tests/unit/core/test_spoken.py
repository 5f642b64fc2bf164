"""What a caller hears of numbers, times, waits and places, read off the sample's prompt sheet."""

from datetime import time, timedelta
from pathlib import Path

import pytest

from ivrd.config.prompt_sheet import load_sheet
from ivrd.core.spoken import (
    FRAGMENT_IDS,
    NUMBER_MAX,
    Gender,
    Grammar,
    PromptId,
    Prompts,
    clock,
    expected_wait,
    fragment_ids,
    grammar_of,
    number,
    place,
    rounded_wait,
    written,
)

HERE = Path(__file__).parent
SHEET = load_sheet(HERE.parents[2] / "config" / "prompts.toml")
WORDS = [
    line.split("\t")
    for line in (HERE / "numbers_in_words.tsv").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
SV, EN, FI = Grammar.SWEDISH, Grammar.ENGLISH, Grammar.FINNISH


def heard(prompts: Prompts, grammar: Grammar) -> str:
    """Return what is heard; a fragment that the language lacks fails."""
    texts: dict[PromptId, str] = {
        PromptId(name): entry.texts[grammar.value]
        for name, entry in SHEET.prompts.items()
        if grammar.value in entry.texts
    }
    return written(prompts, texts.__getitem__, grammar)


@pytest.mark.parametrize("grammar", Grammar)
def test_numbers_are_those_of_an_independent_table(grammar: Grammar) -> None:
    column = {SV: 1, EN: 2, FI: 3}[grammar]
    table = {int(row[0]): row[column] for row in WORDS}
    assert {*range(121), 1000, 999_999} <= table.keys()
    assert {count: heard(number(count, grammar), grammar) for count in table} == table


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "noll"),
        (1, "en"),
        (2, "två"),
        (11, "elva"),
        (21, "tjugoen"),
        (31, "trettioen"),
        (101, "etthundraen"),
        (111, "etthundraelva"),
        (121, "etthundratjugoen"),
        (1001, "ettusen en"),
        (21_000, "tjugoettusen"),
        (21_021, "tjugoettusen tjugoen"),
    ],
)
def test_swedish_counts_minutes_in_the_common_gender(count: int, words: str) -> None:
    assert heard(number(count, SV, Gender.COMMON), SV) == words


def test_other_languages_do_not_hear_the_gender() -> None:
    for count in (*range(200), 1001, 21_021):
        for grammar in (EN, FI):
            assert number(count, grammar, Gender.COMMON) == number(count, grammar)


@pytest.mark.parametrize("count", [-1, NUMBER_MAX + 1])
def test_a_number_without_words_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="is not a number from 0 to 999999"):
        number(count, SV)


CLOCKS = [
    ((8, 0), "klockan åtta", "at eight a.m.", "kello kahdeksan"),
    ((8, 30), "klockan åtta och trettio", "at eight thirty a.m.", "kello kahdeksan kolmekymmentä"),
    ((8, 9), "klockan åtta och nio", "at eight oh nine a.m.", "kello kahdeksan nolla yhdeksän"),
    ((8, 5), "klockan åtta och fem", "at eight oh five a.m.", "kello kahdeksan nolla viisi"),
    (
        (16, 45),
        "klockan sexton och fyrtiofem",
        "at four forty five p.m.",
        "kello kuusitoista neljäkymmentäviisi",
    ),
    ((1, 1), "klockan ett och ett", "at one oh one a.m.", "kello yksi nolla yksi"),
    (
        (21, 21),
        "klockan tjugoett och tjugoett",
        "at nine twenty one p.m.",
        "kello kaksikymmentäyksi kaksikymmentäyksi",
    ),
    ((12, 0), "klockan tolv", "at noon", "kello kaksitoista"),
    (
        (12, 30),
        "klockan tolv och trettio",
        "at twelve thirty p.m.",
        "kello kaksitoista kolmekymmentä",
    ),
    ((0, 0), "klockan noll", "at midnight", "kello nolla"),
    ((0, 10), "klockan noll och tio", "at twelve ten a.m.", "kello nolla kymmenen"),
]


@pytest.mark.parametrize(("hour_minute", "swedish", "english", "finnish"), CLOCKS)
def test_a_clock_time_answers_when(
    hour_minute: tuple[int, int], swedish: str, english: str, finnish: str
) -> None:
    at = time(*hour_minute)
    assert [heard(clock(at, grammar), grammar) for grammar in (SV, EN, FI)] == [
        swedish,
        english,
        finnish,
    ]


@pytest.mark.parametrize("grammar", Grammar)
def test_no_two_minutes_of_a_day_sound_alike(grammar: Grammar) -> None:
    times = [time(hour, minute) for hour in range(24) for minute in range(60)]
    assert len({heard(clock(at, grammar), grammar) for at in times}) == 1440


WAITS = [
    (0, "mindre än en minut", "less than one minute", "alle yksi minuutti"),
    (59, "mindre än en minut", "less than one minute", "alle yksi minuutti"),
    (60, "ungefär en minut", "about one minute", "noin yksi minuutti"),
    (61, "ungefär två minuter", "about two minutes", "noin kaksi minuuttia"),
    (300, "ungefär fem minuter", "about five minutes", "noin viisi minuuttia"),
    (301, "ungefär sex minuter", "about six minutes", "noin kuusi minuuttia"),
    (600, "ungefär tio minuter", "about ten minutes", "noin kymmenen minuuttia"),
    (601, "ungefär femton minuter", "about fifteen minutes", "noin viisitoista minuuttia"),
    (
        1801,
        "ungefär trettiofem minuter",
        "about thirty five minutes",
        "noin kolmekymmentäviisi minuuttia",
    ),
    (3301, "ungefär en timme", "about one hour", "noin yksi tunti"),
    (
        3601,
        "ungefär en timme och fem minuter",
        "about one hour and five minutes",
        "noin yksi tunti ja viisi minuuttia",
    ),
    (
        4200,
        "ungefär en timme och tio minuter",
        "about one hour and ten minutes",
        "noin yksi tunti ja kymmenen minuuttia",
    ),
    (7200, "ungefär två timmar", "about two hours", "noin kaksi tuntia"),
    (
        21 * 3600,
        "ungefär tjugoen timmar",
        "about twenty one hours",
        "noin kaksikymmentäyksi tuntia",
    ),
]


@pytest.mark.parametrize(("seconds", "swedish", "english", "finnish"), WAITS)
def test_a_wait_is_a_sentence(seconds: int, swedish: str, english: str, finnish: str) -> None:
    wait = timedelta(seconds=seconds)
    assert [heard(expected_wait(wait, grammar), grammar) for grammar in (SV, EN, FI)] == [
        f"Väntetiden är {swedish}",
        f"The waiting time is {english}",
        f"Odotusaika on {finnish}",
    ]


def test_a_wait_is_never_rounded_down_nor_by_five_minutes_or_more() -> None:
    for seconds in range(60, 3 * 3600):
        wait = timedelta(seconds=seconds)
        over = rounded_wait(wait) - wait
        limit = timedelta(minutes=1) if seconds <= 600 else timedelta(minutes=5)
        assert timedelta(0) <= over < limit


def test_a_negative_wait_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be negative"):
        expected_wait(timedelta(seconds=-1), SV)


PLACES = [
    (1, "Du är först i kön.", "You are first in the queue.", "Olet jonossa ensimmäisenä."),
    (
        2,
        "Du är nummer två i kön.",
        "You are number two in the queue.",
        "Olet jonossa numero kaksi",
    ),
    (
        3,
        "Du är nummer tre i kön.",
        "You are number three in the queue.",
        "Olet jonossa numero kolme",
    ),
    (
        21,
        "Du är nummer tjugoett i kön.",
        "You are number twenty one in the queue.",
        "Olet jonossa numero kaksikymmentäyksi",
    ),
    (
        101,
        "Du är nummer etthundraett i kön.",
        "You are number one hundred and one in the queue.",
        "Olet jonossa numero satayksi",
    ),
]


@pytest.mark.parametrize(("count", "swedish", "english", "finnish"), PLACES)
def test_a_place_is_a_sentence(count: int, swedish: str, english: str, finnish: str) -> None:
    assert [heard(place(count, grammar), grammar) for grammar in (SV, EN, FI)] == [
        swedish,
        english,
        finnish,
    ]


def test_nobody_is_before_the_first() -> None:
    with pytest.raises(ValueError, match="1 or more, not 0"):
        place(0, SV)


@pytest.mark.parametrize("grammar", Grammar)
def test_a_language_has_each_fragment_that_is_used_and_no_other(grammar: Grammar) -> None:
    used = {prompt for count in range(NUMBER_MAX // 100) for prompt in number(count, grammar)}
    for seconds in range(0, 4 * 3600, 15):
        used.update(expected_wait(timedelta(seconds=seconds), grammar))
    for minutes in range(1440):
        used.update(clock(time(minutes // 60, minutes % 60), grammar))
    for count in range(1, 200):
        used.update(place(count, grammar))
    assert used == fragment_ids(grammar)
    assert used <= FRAGMENT_IDS


def test_a_language_without_grammar_has_that_of_its_fallback() -> None:
    assert grammar_of("so", ["sv", "en"]) is SV
    assert grammar_of("so", ["ar", "fi"]) is FI
    assert grammar_of("so") is EN
    assert grammar_of("sv", ["en"]) is SV


def test_the_page_shows_what_is_heard() -> None:
    page = (HERE.parents[2] / "docs" / "prompts.md").read_text(encoding="utf-8")
    spoken: dict[str, list[Prompts]] = {
        "16.30": [clock(time(16, 30), grammar) for grammar in Grammar],
        "59 s": [expected_wait(timedelta(seconds=59), grammar)[1:] for grammar in Grammar],
        "66 minutes": [expected_wait(timedelta(minutes=66), grammar)[1:] for grammar in Grammar],
        "third": [place(3, grammar) for grammar in Grammar],
    }
    for name, each in spoken.items():
        texts = [heard(prompts, grammar) for prompts, grammar in zip(each, Grammar, strict=True)]
        assert f"| {name} | {' | '.join(texts)} |" in page
