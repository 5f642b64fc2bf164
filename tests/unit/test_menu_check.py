"""`ivrd menu check`: the sample is in order, and each planted fault is found at its place."""

import copy
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ivrd import config
from ivrd.config import Config
from ivrd.config.prompt_sheet import check_sheet
from ivrd.menu_check import check_menus
from ivrd.menu_faults import Finding, Kind, Severity
from ivrd.sounds.origin import sound_name

SAMPLES = Path(__file__).resolve().parents[2] / "config"
SAMPLE = tomllib.loads((SAMPLES / "ivrd.toml").read_text(encoding="utf-8"))
SHEET = tomllib.loads((SAMPLES / "prompts.toml").read_text(encoding="utf-8"))

HUVUDMENY, VA, SPRAK = 0, 1, 2
KC, WATER = 1, 2


@dataclass(frozen=True)
class Town:
    """The sample, to be spoilt."""

    document: dict[str, Any]
    prompts: dict[str, dict[str, Any]]
    languages: list[str]


def sample() -> Town:
    sheet = copy.deepcopy(SHEET)
    return Town(copy.deepcopy(SAMPLE), sheet["prompts"], sheet["languages"])


def checked(town: Town) -> Config:
    document = {key: value for key, value in town.document.items() if key != "prompt_sheet"}
    sheet = check_sheet({**SHEET, "languages": town.languages, "prompts": town.prompts}, SAMPLES)
    return config.check(document).model_copy(update={"sheet": sheet})


def found(town: Town, sounds: Path | None = None) -> list[Finding]:
    return list(check_menus(checked(town), sounds=sounds))


def faults(town: Town, sounds: Path | None = None) -> list[tuple[str, str]]:
    return [
        (one.kind.value, one.place) for one in found(town, sounds) if one.severity is Severity.FAULT
    ]


Plant = Callable[[Town], object]


def replaced(prompt: str, language: str, old: str, new: str) -> Plant:
    def plant(town: Town) -> None:
        text = town.prompts[prompt][language]
        assert old in text, "the sample has changed"
        town.prompts[prompt][language] = text.replace(old, new)

    return plant


def choice(menu: int, key: str, target: object) -> Plant:
    return lambda town: town.document["menus"][menu]["choices"].update({key: target})


def menu_set(menu: int, **values: object) -> Plant:
    return lambda town: town.document["menus"][menu].update(values)


def queue_set(queue: int, **values: object) -> Plant:
    return lambda town: town.document["queues"][queue].update(values)


def several(*plants: Plant) -> Plant:
    return lambda town: [plant(town) for plant in plants]


def without_text(prompt: str, *languages: str) -> Plant:
    return lambda town: [town.prompts[prompt].pop(language) for language in languages]


def menu_of_languages_first(town: Town) -> None:
    town.document["lines"][0]["menu"] = "sprak"


def nobody_comes_to_languages(town: Town) -> None:
    del town.document["menus"][HUVUDMENY]["choices"]["9"]
    for language, phrase in (
        ("sv", " Tryck nio för andra språk. [en] For other languages, press nine. [sv]"),
        ("en", " Press nine for other languages."),
        ("fi", " Paina yhdeksän, jos haluat vaihtaa kieltä."),
        ("so", " Riix sagaal si aad luqad kale u doorato."),
    ):
        replaced("huvudmeny", language, phrase, "")(town)


def silence_and_failure_in_a_circle(town: Town) -> None:
    menu_set(HUVUDMENY, failure_choice={"menu": "sprak"})(town)
    menu_set(SPRAK, failure_choice="kc")(town)


WORDS = "Vi har många saker att säga om vatten och avlopp i dag. " * 8

PLANTED: Mapping[str, tuple[Plant, set[tuple[str, str]]]] = {
    "a prompt speaks of a key that is not there": (
        replaced("huvudmeny", "sv", "Tryck ett", "Tryck sju"),
        {
            ("key not there", "prompts.huvudmeny.sv"),
            ("key not in each language", "prompts.huvudmeny.sv"),
        },
    ),
    "a key that no prompt speaks of": (
        choice(VA, "7", "kc"),
        {("key not spoken of", "menus[1].choices.7")},
    ),
    "a key said in three languages of four": (
        replaced("va-meny", "fi", "Paina kaksi", "Odota"),
        {("key not in each language", "prompts.va-meny.fi")},
    ),
    "a menu that nobody comes to": (
        nobody_comes_to_languages,
        {("unreachable", "menus[2]")},
    ),
    "a dead key: back, with no menu before": (
        several(
            menu_set(HUVUDMENY, back_key="0"),
            menu_set(SPRAK, stay_choice="kc"),
            replaced("huvudmeny", "sv", "igen.", "igen. Tryck noll för att gå tillbaka."),
            replaced("huvudmeny", "en", "again.", "again. Press zero to go back."),
            replaced("huvudmeny", "fi", "uudelleen.", "uudelleen. Paina nolla, jos haluat pois."),
            replaced("huvudmeny", "so", "maqasho.", "maqasho. Riix eber."),
            menu_set(HUVUDMENY, stay_after_s=9),
        ),
        {
            ("dead key", "menus[0].back_key"),
            ("too long", "prompts.huvudmeny.so"),
            ("too long", "prompts.huvudmeny.fi"),
        },
    ),
    "a dead key: longer time-outs, times one": (
        menu_set(HUVUDMENY, slow_factor=1),
        {("dead key", "menus[0].choices.8")},
    ),
    "a dead key in a queue: the same queue": (
        queue_set(KC, exit_keys={"1": "kc"}),
        {("dead key", "queues[1].exit_keys.1")},
    ),
    "a loop: a key leads to its own menu": (
        choice(VA, "2", {"menu": "va"}),
        {("loop", "menus[1].choices.2")},
    ),
    "a loop: silence and wrong keys": (
        silence_and_failure_in_a_circle,
        {("loop", "menus[0]"), ("loop", "menus[2]")},
    ),
    "a loop: languages before any other menu": (
        menu_of_languages_first,
        {("loop", "menus[2].choices")},
    ),
    "a text too long to listen to": (
        lambda town: town.prompts["oppettider-atervinning"].update(sv=WORDS),
        {("too long", "prompts.oppettider-atervinning.sv")},
    ),
    "a menu's text missing in a language that is offered": (
        without_text("va-meny", "fi"),
        {("language lacking", "prompts.va-meny.fi")},
    ),
    "no time to find the key": (
        menu_set(HUVUDMENY, stay_after_s=3),
        {("too hasty", "menus[0].stay_after_s")},
    ),
    "no time to find the next digit": (
        menu_set(
            VA, digit_s=1, choices={"1": "va", "2": {"announcement": "oppettider"}, "11": "va"}
        ),
        {("too hasty", "menus[1].digit_s"), ("key not spoken of", "menus[1].choices.11")},
    ),
    "a key in an announcement, where none counts": (
        replaced("stangt-kc", "en", "You find", "Press one or find"),
        {("key not there", "prompts.stangt-kc.en")},
    ),
    "the key of a queue that nobody offers": (
        queue_set(WATER, exit_keys={"5": "kc"}),
        {("key not spoken of", "queues[2].exit_keys.5")},
    ),
    "an offer of another key": (
        queue_set(KC, exit_keys={"2": "vaxel"}),
        {
            *(("key not there", f"prompts.alternativ-i-ko.{one}") for one in ("sv", "en", "fi")),
            ("key not spoken of", "queues[1].exit_keys.2"),
        },
    ),
    "a closed line leads to a queue that is closed with it": (
        several(
            queue_set(WATER, hours="avfall"),
            lambda town: town.document["lines"][1].update(closed_choice="va"),
        ),
        {("no way on", "lines[1].closed_choice")},
    ),
}


def test_the_sample_is_in_order() -> None:
    assert faults(sample()) == []


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found_at_its_place(name: str) -> None:
    plant, expected = PLANTED[name]
    town = sample()
    plant(town)
    assert set(faults(town)) == expected


@pytest.mark.parametrize("name", PLANTED)
def test_each_finding_says_how_to_mend_it(name: str) -> None:
    town = sample()
    PLANTED[name][0](town)
    for finding in found(town):
        assert finding.text
        assert finding.way_out
        assert len(finding.text) < 200


def test_ten_different_faults_are_planted() -> None:
    kinds = {kind for _, expected in PLANTED.values() for kind, _ in expected}
    assert len(PLANTED) >= 10
    assert kinds >= {kind.value for kind in Kind if kind not in NOT_BY_TEXT}


NOT_BY_TEXT = {Kind.NO_SOUND, Kind.OLD_SOUND, Kind.PLACEHOLDER, Kind.NOT_LOOKED_AT}
"""Found in the sounds directory, or only told."""


def put_sounds(directory: Path, town: Town) -> None:
    """Put something for every prompt and language that may be heard; by hand, so it is recorded."""
    for language in town.languages:
        for prompt in town.prompts:
            path = directory / sound_name(language, prompt)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"RIFF")


def test_a_missing_recording_is_found(tmp_path: Path) -> None:
    town = sample()
    put_sounds(tmp_path, town)
    assert faults(town, tmp_path) == []
    (tmp_path / "fi" / "ivrd" / "va-meny.wav").unlink()
    (tmp_path / "so" / "ivrd" / "tal-7.wav").unlink()
    (tmp_path / "so" / "ivrd" / "klockslag-fm.wav").unlink()
    # Played nowhere.
    (tmp_path / "sv" / "ivrd" / "stangt.wav").unlink()
    assert set(faults(town, tmp_path)) == {
        ("no sound", "prompts.va-meny.fi"),
        ("no sound", "prompts.tal-7.so"),
        ("no sound", "prompts.klockslag-fm.so"),
    }


def test_sounds_that_are_not_there_at_all_are_a_note(tmp_path: Path) -> None:
    notes = [one for one in found(sample(), tmp_path / "none") if one.kind is Kind.NOT_LOOKED_AT]
    assert [(note.severity, note.place) for note in notes] == [(Severity.NOTE, "--sounds")]


def test_a_fallback_outside_the_menus_is_a_note() -> None:
    town = sample()
    del town.prompts["driftstorning"]["fi"]
    town.document["notices"][0]["place"] = "before_queue"
    notes = {one.place for one in found(town) if one.kind is Kind.LANGUAGE_LACKING}
    assert "prompts.driftstorning.fi" in notes
    assert faults(town) == []


def test_without_a_sheet_the_ways_are_still_checked() -> None:
    town = sample()
    town.document["queues"][1]["exit_keys"] = {"1": "kc"}
    settings = checked(town).model_copy(update={"sheet": None})
    findings = check_menus(settings, sounds=None)
    assert [(one.kind, one.place) for one in findings] == [
        (Kind.DEAD_KEY, "queues[1].exit_keys.1"),
        (Kind.NOT_LOOKED_AT, "prompt_sheet"),
    ]


def test_a_key_that_begins_another_is_a_note() -> None:
    town = sample()
    choice(VA, "11", "kc")(town)
    (note,) = (one for one in found(town) if one.place == "menus[1].choices.1")
    assert note.severity is Severity.NOTE
    assert "waits 3 s" in note.text
