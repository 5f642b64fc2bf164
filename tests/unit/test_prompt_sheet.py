"""The prompt sheet: what is refused, with which words, and what callers of a language hear."""

import tomllib
from pathlib import Path

import pytest

from ivrd.config.prompt_sheet import ALL, PromptSheet, Said, check_sheet, load_sheet
from ivrd.core.prompt_keys import keys_spoken
from ivrd.core.prompt_text import estimated_length
from ivrd.core.spoken import FRAGMENT_IDS, Grammar
from ivrd.errors import ConfigError

SAMPLE = Path(__file__).parents[2] / "config" / "prompts.toml"

HEAD = 'languages = ["sv", "en", "so"]\nfallback = ["en", "sv"]\n'
MENU = '[prompts.menu]\nsv = "Tryck ett."\nen = "Press one."\n'


def read(text: str, base: Path = Path("/nowhere")) -> PromptSheet:
    return check_sheet(tomllib.loads(text), base)


FAULTS = {
    "no languages": (MENU, "languages: is missing"),
    "no prompts": (HEAD, "prompts: is missing"),
    "empty prompts": (HEAD + "[prompts]\n", "prompts: Dictionary should have at least 1 item"),
    "prompts no table": (HEAD + "prompts = 3\n", "prompts: must be tables"),
    "prompt no table": (HEAD + 'prompts.menu = "Tryck"\n', "prompts.menu: must be a table"),
    "unknown key": (
        'fallbacks = ["en"]\n' + HEAD + MENU,
        "fallbacks: is not a key we know; did you mean fallback?",
    ),
    "unknown language": (
        HEAD + MENU + 'se = "x"\n',
        "prompts.menu.se: is not one of languages; did you mean",
    ),
    "language no code": (
        HEAD.replace('"so"', '"swedish"') + MENU,
        "languages[2]: String should match pattern",
    ),
    "language twice": (
        HEAD.replace('"so"', '"sv"') + MENU,
        "languages[2]: 'sv' stands there twice",
    ),
    "fallback unknown": (
        HEAD.replace('["en", "sv"]', '["en", "fi"]') + MENU,
        "fallback[1]: 'fi' is not one of languages",
    ),
    "fallback in a circle": (
        HEAD.replace('["en", "sv"]', '["en", "sv", "en"]') + MENU,
        "fallback[2]: 'en' stands there twice, which leads in a circle",
    ),
    "silent language": (
        HEAD + '[prompts.menu]\nso = "Riix kow."\n',
        "prompts.menu: has no text in en or sv, so callers of sv, en hear nothing",
    ),
    "empty text": (
        HEAD + MENU.replace("Tryck ett.", "  "),
        "prompts.menu.sv: is empty; leave it out to have the fallback language",
    ),
    "no word": (HEAD + MENU.replace("Tryck ett.", "..."), "prompts.menu.sv: has no word to say"),
    "text not text": (
        HEAD + MENU.replace('"Tryck ett."', "true"),
        "prompts.menu.sv: must be a text",
    ),
    "text of two lines": (
        HEAD + MENU.replace("ett.", "ett.\\n"),
        "prompts.menu.sv: must be one line of printable text",
    ),
    "text too long": (
        HEAD + MENU.replace("Tryck ett.", "a" * 601),
        "prompts.menu.sv: String should have at most 600 characters",
    ),
    "id with a capital": (HEAD + MENU.replace("menu", "Menu"), "prompts.Menu: a prompt's id is"),
    "id too long": (HEAD + MENU.replace("menu", "m" * 41), "at most 40 characters"),
    "id with a path": (HEAD + MENU.replace("menu", '"../x"'), "prompts.../x: a prompt's id is"),
    "marker unknown": (
        HEAD + MENU.replace("Tryck ett.", "Tryck ett. [de] Eins."),
        "prompts.menu.sv: [de] is not one of languages",
    ),
    "all and another": (
        HEAD + MENU + 'all = "[sv] Tryck."\n',
        "prompts.menu: has a text for all, so it can have none for a language",
    ),
    "all without a marker": (
        HEAD + '[prompts.menu]\nall = "Tryck."\n',
        "prompts.menu.all: must begin with the language it is in",
    ),
    "recording no table": (
        HEAD + MENU + 'recording = "menu.wav"\n',
        "prompts.menu.recording: must be a table",
    ),
    "recording misspelt": (
        HEAD + MENU + 'recordings = { sv = "menu.wav" }\n',
        "prompts.menu.recordings: must be a text; did you mean recording?",
    ),
    "recording no path": (
        HEAD + MENU + "recording = { sv = 1 }\n",
        "prompts.menu.recording: each value must be a file's path",
    ),
    "recording without text": (
        HEAD + MENU + 'recording = { so = "menu.wav" }\n',
        "prompts.menu.recording.so: has no text in so",
    ),
    "recording not there": (
        HEAD + MENU + 'recording = { sv = "voice/menu.wav" }\n',
        "prompts.menu.recording.sv: there is no file /nowhere/voice/menu.wav",
    ),
    "parts of sentences": (
        HEAD + MENU + '[prompts.tal-1]\nsv = "ett"\nen = "one"\n',
        "prompts: sv has parts of sentences, but not klockan, minut, minuter ...: a sentence",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_with_its_place(name: str) -> None:
    text, fault = FAULTS[name]
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert any(found.startswith(fault) or fault in found for found in caught.value.faults), (
        caught.value.faults
    )


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        read(HEAD.replace('"sv"]\n', '"fi"]\n') + MENU + 'xx = "a"\n[prompts.b]\nen = ""\n')
    assert len(caught.value.faults) == 3


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "prompts.toml"
    for content, fault in (
        (None, "cannot be read: No such file"),
        (b"\xff", "is not UTF-8 text (byte 0)"),
        (b"[", "is not TOML"),
        (HEAD.encode(), "prompts: is missing"),
    ):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigError, match=r"prompts\.toml: ") as caught:
            load_sheet(path)
        assert fault in str(caught.value)


def test_a_recording_is_found_beside_the_sheet(tmp_path: Path) -> None:
    (tmp_path / "menu.wav").touch()
    sheet = read(HEAD + MENU + 'recording = { sv = "menu.wav" }\n', tmp_path)
    assert sheet.prompts["menu"].recordings == {"sv": tmp_path / "menu.wav"}


def test_a_missing_language_is_replaced_in_the_stated_order() -> None:
    sheet = read(
        HEAD
        + MENU
        + '[prompts.news]\nsv = "Nytt."\n[prompts.choose]\nall = "[sv] Svenska. [en] English."\n'
    )
    assert sheet.said("menu", "sv") == Said(language="sv", text="Tryck ett.")
    assert sheet.said("menu", "so") == Said(language="en", text="Press one.")
    assert sheet.said("news", "so") == Said(language="sv", text="Nytt.")
    assert sheet.said("choose", "so") == Said(language=ALL, text="[sv] Svenska. [en] English.")
    assert sheet.said("unknown", "sv") is None


def test_a_language_needs_only_the_fragments_of_its_grammar() -> None:
    sheet = load_sheet(SAMPLE)
    assert sheet.is_needed("klockslag-fm", "en")
    assert sheet.is_needed("klockslag-fm", "so"), "Somali speaks in the order of English"
    assert not sheet.is_needed("klockslag-fm", "sv")
    assert sheet.is_needed("huvudmeny", "sv")


def test_sentences_have_the_order_of_the_language_that_their_parts_are_heard_in() -> None:
    document = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))
    sample = check_sheet(document, SAMPLE.parent)
    assert [sample.grammar(each) for each in ("sv", "fi", "so")] == [
        Grammar.SWEDISH,
        Grammar.FINNISH,
        Grammar.ENGLISH,
    ]
    for name, entry in document["prompts"].items():
        if name in FRAGMENT_IDS:
            entry.pop("fi", None)
    without = check_sheet(document, SAMPLE.parent)
    assert without.grammar("fi") is Grammar.ENGLISH
    assert without.grammar("sv") is Grammar.SWEDISH


def test_the_sample_speaks_of_the_same_keys_in_every_language() -> None:
    for name, entry in load_sheet(SAMPLE).prompts.items():
        keys = {keys_spoken(text, language) for language, text in entry.texts.items()}
        assert len(keys) == 1, name


def test_the_sample_has_no_text_that_is_too_long_to_listen_to() -> None:
    for name, entry in load_sheet(SAMPLE).prompts.items():
        for language, text in entry.texts.items():
            assert estimated_length(text, language).total_seconds() <= 30, (name, language)


def test_the_sample_is_whole_in_swedish_english_and_finnish() -> None:
    sheet = load_sheet(SAMPLE)
    lacking = [
        (name, language)
        for name, entry in sheet.prompts.items()
        for language in ("sv", "en", "fi")
        if sheet.is_needed(name, language) and not {language, ALL} & entry.texts.keys()
    ]
    assert lacking == []
