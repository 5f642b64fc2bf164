"""Recordings and placeholders as sound, with the real sox and espeak-ng; levels told by sox."""

import json
import math
import re
import subprocess
import tomllib
import wave
from collections.abc import Mapping
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest

from ivrd.config.prompt_sheet import PromptSheet, check_sheet
from ivrd.core.spoken import FRAGMENT_IDS
from ivrd.errors import ConfigError, PeerRefused, PeerUnreachable
from ivrd.sounds import voice
from ivrd.sounds.importing import import_recordings
from ivrd.sounds.installing import install
from ivrd.sounds.lacking import Lack, missing
from ivrd.sounds.origin import MANIFEST, read_origins
from ivrd.sounds.shaping import LOUDNESS_DB, PEAK_DB_MAX, measure, shape
from ivrd.sounds.workshop import WORKSHOP

SAMPLE = Path(__file__).parents[2] / "config" / "prompts.toml"

HEAD = 'languages = ["sv", "en", "so"]\nfallback = ["en", "sv"]\n'
TEXTS = {
    "menu": {"sv": "Tryck ett för växeln.", "en": "Press one.", "so": "Riix kow."},
    "closed": {"sv": "Vi har stängt.", "en": "We are closed."},
    "news": {"sv": "Det finns nyheter."},
    "choose": {"all": "[sv] För svenska, tryck ett. [so] Af-Soomaali, riix afar."},
}


def sheet(texts: Mapping[str, Mapping[str, str]] = TEXTS, base: Path = Path("/")) -> PromptSheet:
    rows = [
        f"[prompts.{name}]\n"
        + "".join(
            f"{key} = {value if key == 'recording' else json.dumps(value)}\n"
            for key, value in entry.items()
        )
        for name, entry in texts.items()
    ]
    return check_sheet(tomllib.loads(HEAD + "".join(rows)), base)


def sox(*arguments: str | Path) -> str:
    return subprocess.run(
        ["sox", *map(str, arguments)], check=True, capture_output=True, text=True
    ).stderr


def tone(
    path: Path, *, seconds: float = 2, db: float = -20, hertz: int = 440, rate: int = 44100
) -> Path:
    """Make a stereo recording with silence around it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    synth = ("synth", f"{seconds}", "sine", f"{hertz}", "gain", f"{db}", "pad", "0.5", "0.8")
    sox("-D", "-n", "-r", f"{rate}", "-c", "2", "-b", "16", path, *synth)
    return path


def rms_db(path: Path) -> float:
    """Return what sox measures, without the pauses that we put around a sound."""
    report = sox(path, "-n", "trim", "0.1", "-0.1", "stat")
    found = re.search(r"RMS\s+amplitude:\s+([\d.]+)", report)
    assert found
    return 20 * math.log10(float(found[1]))


def hertz_of(path: Path) -> float:
    found = re.search(r"Rough\s+frequency:\s+(\d+)", sox(path, "-n", "trim", "0.1", "-0.1", "stat"))
    assert found
    return float(found[1])


def manifest(sounds: Path) -> dict[str, dict[str, str]]:
    content: dict[str, dict[str, dict[str, str]]] = json.loads((sounds / MANIFEST).read_text())
    assert content.keys() == {"sounds"}, "nothing is left of the change"
    return content["sounds"]


def contents(sounds: Path) -> dict[str, bytes]:
    return {
        path.relative_to(sounds).as_posix(): path.read_bytes()
        for path in sounds.rglob("*")
        if path.is_file()
    }


# Shaping.


@pytest.mark.parametrize("db", [-50, -35, -20, -6, -1])
def test_a_quiet_and_a_loud_recording_become_equally_loud(tmp_path: Path, db: float) -> None:
    sound = shape(tone(tmp_path / "in.wav", db=db), tmp_path / "out.wav")
    assert rms_db(tmp_path / "out.wav") == pytest.approx(LOUDNESS_DB, abs=0.3)
    assert sound.loudness_db == pytest.approx(LOUDNESS_DB, abs=0.3)


@pytest.mark.parametrize(("ending", "rate"), [("wav", 8000), ("flac", 48000), ("aiff", 22050)])
def test_any_recording_becomes_telephone_sound_without_its_silence(
    tmp_path: Path, ending: str, rate: int
) -> None:
    shape(tone(tmp_path / f"in.{ending}", rate=rate), tmp_path / "out.wav")
    with wave.open(str(tmp_path / "out.wav")) as file:
        assert file.getparams()[:3] == (1, 2, 8000)
        assert file.getnframes() / 8000 == pytest.approx(2 + 0.03 + 0.05, abs=0.02)
    assert hertz_of(tmp_path / "out.wav") == pytest.approx(440, rel=0.05)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"in.{ending}", "out.wav"]


def test_peaks_are_limited_where_the_gain_would_clip_them(tmp_path: Path) -> None:
    quiet, knocks = tmp_path / "quiet.wav", tmp_path / "knocks.wav"
    sox("-D", "-n", "-r", "8000", quiet, "synth", "4", "sine", "300", "gain", "-26")
    knock = ("synth", "0.002", "sine", "1000", "gain", "-1", "pad", "0", "0.998", "repeat", "3")
    sox("-D", "-n", "-r", "8000", knocks, *knock)
    sox("-D", "-m", "-v", "1", quiet, "-v", "1", knocks, tmp_path / "in.wav")
    sound = shape(tmp_path / "in.wav", tmp_path / "out.wav")
    assert sound.loudness_db == pytest.approx(LOUDNESS_DB, abs=1)
    assert -3 < sound.peak_db <= PEAK_DB_MAX + 0.1, "the knocks are still there, but lower"


def test_a_sound_is_measured_as_sox_does(tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    synth = ("synth", "1", "sine", "400", "gain", "-12")
    sox("-D", "-n", "-r", "8000", "-c", "1", "-b", "16", path, *synth)
    sound = measure(path)
    assert sound.seconds == 1
    assert sound.peak_db == pytest.approx(-12, abs=0.05)
    assert sound.loudness_db == pytest.approx(-15.01, abs=0.05)


def test_pauses_do_not_make_a_recording_louder(tmp_path: Path) -> None:
    whole = tmp_path / "in.wav"
    paused = ("synth", "1", "sine", "400", "gain", "-12", "pad", "0", "1", "repeat", "2")
    sox("-D", "-n", "-r", "8000", "-c", "1", "-b", "16", whole, *paused)
    assert measure(whole).loudness_db == pytest.approx(-15.01, abs=0.05)


def clipped(path: Path, *after: str) -> None:
    sox("-D", "-r", "44100", "-n", "-b", "16", path, "synth", "2", "sine", "440", "gain", "9")
    if after:
        path.rename(path.with_name("loud.wav"))
        sox("-D", path.with_name("loud.wav"), path, *after)


REFUSED = {
    "clipped": (clipped, "is clipped: "),
    "clipped, then lowered": (lambda path: clipped(path, "gain", "-6"), "is clipped: "),
    "silent": (lambda path: sox("-n", "-r", "8000", path, "trim", "0", "2"), "is silent"),
    "nearly silent": (lambda path: tone(path, db=-70), "is silent"),
    "too short": (lambda path: tone(path, seconds=0.03), "has only 0.1"),
    "too long": (lambda path: tone(path, seconds=61), "has 61 s of sound; 60 s is the most"),
    "no sound": (lambda path: path.write_text("Hej!"), "cannot be read as sound"),
    "empty": (lambda path: path.touch(), "cannot be read as sound"),
    "not there": (lambda path: None, "there is no such file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_recording_that_cannot_be_used_is_refused(tmp_path: Path, name: str) -> None:
    make, fault = REFUSED[name]
    make(tmp_path / "in.wav")
    with pytest.raises(ConfigError) as caught:
        shape(tmp_path / "in.wav", tmp_path / "out.wav")
    assert f"{tmp_path}/in.wav: {fault}" in str(caught.value)
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize(("gain_db", "is_clipped"), [(0, False), (2, True), (12, True)])
def test_speech_that_was_recorded_too_loud_is_refused(
    tmp_path: Path, gain_db: int, is_clipped: bool
) -> None:
    voice.speak("Välkommen till kommunen. Tryck ett för växeln.", "sv", tmp_path / "voice.wav")
    sox("-D", tmp_path / "voice.wav", tmp_path / "in.wav", "norm", "gain", f"{gain_db}")
    if is_clipped:
        with pytest.raises(ConfigError, match=r"is clipped: .* peaks are cut flat at 0\.0 dB"):
            shape(tmp_path / "in.wav", tmp_path / "out.wav")
    else:
        shape(tmp_path / "in.wav", tmp_path / "out.wav")


def test_a_name_that_sox_would_follow_is_refused(tmp_path: Path) -> None:
    for name in ("list.m3u", "list.pls", "noise"):
        (tmp_path / name).write_text("|touch /tmp/never\n")
        with pytest.raises(ConfigError, match="is not a recording; known: aif"):
            shape(tmp_path / name, tmp_path / "out.wav")


# Placeholders.


def test_placeholders_are_equally_loud_and_differ_by_language(tmp_path: Path) -> None:
    said = {
        language: voice.speak("Station fem.", language, tmp_path / f"{language}.wav")
        for language in ("sv", "en", "fi")
    }
    for sound in said.values():
        assert sound.loudness_db == pytest.approx(LOUDNESS_DB, abs=0.5)
        assert sound.peak_db <= PEAK_DB_MAX + 0.1
        assert 0.5 < sound.seconds < 3
    assert len({(tmp_path / f"{language}.wav").read_bytes() for language in said}) == 3


def test_the_same_text_is_always_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        voice.speak("Tryck ett. [en] Press one.", "sv", tmp_path / name)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2, "nothing else is left"


def test_each_part_of_a_text_is_spoken_if_there_is_a_voice(tmp_path: Path) -> None:
    one = voice.speak("Tryck ett för växeln.", "sv", tmp_path / "one.wav")
    two = voice.speak("Tryck ett för växeln. [en] Press one.", "sv", tmp_path / "two.wav")
    three = voice.speak("[sv] Tryck ett för växeln. [so] Riix afar.", "", tmp_path / "three.wav")
    assert two.seconds > one.seconds + 0.4
    assert three == one, "Somali has no voice"


def test_a_missing_program_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PeerUnreachable, match=r"espeak-ng is missing; install the package"):
        install(sheet(), tmp_path / "sounds")
    assert contents(tmp_path / "sounds").keys() <= {f"{WORKSHOP}/lock"}


# Installing.


def test_a_fresh_system_speaks_every_prompt_in_every_language(tmp_path: Path) -> None:
    done = install(sheet(), tmp_path)
    kinds = {
        name: (each["kind"], each.get("language")) for name, each in manifest(tmp_path).items()
    }
    assert kinds == {
        "sv/ivrd/menu.wav": ("placeholder", None),
        "en/ivrd/menu.wav": ("placeholder", None),
        "so/ivrd/menu.wav": ("fallback", "en"),
        "sv/ivrd/closed.wav": ("placeholder", None),
        "en/ivrd/closed.wav": ("placeholder", None),
        "so/ivrd/closed.wav": ("fallback", "en"),
        "sv/ivrd/news.wav": ("placeholder", None),
        "en/ivrd/news.wav": ("fallback", "sv"),
        "so/ivrd/news.wav": ("fallback", "sv"),
        "sv/ivrd/choose.wav": ("placeholder", None),
        "en/ivrd/choose.wav": ("placeholder", None),
        "so/ivrd/choose.wav": ("placeholder", None),
    }
    assert set(done.made) == kinds.keys()
    assert done.silent == ()
    files = contents(tmp_path)
    assert files["so/ivrd/menu.wav"] == files["en/ivrd/menu.wav"]
    assert files["so/ivrd/choose.wav"] == files["sv/ivrd/choose.wav"]
    assert files["sv/ivrd/menu.wav"] != files["en/ivrd/menu.wav"]
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))
    assert (tmp_path / "sv/ivrd/menu.wav").stat().st_mode & 0o777 == 0o644


def test_installing_is_deterministic_and_does_nothing_twice(tmp_path: Path) -> None:
    install(sheet(), tmp_path / "a")
    install(sheet(), tmp_path / "b")
    before = contents(tmp_path / "a")
    assert before == contents(tmp_path / "b")
    again = install(sheet(), tmp_path / "a")
    assert (again.made, len(again.kept)) == ((), 12)
    assert contents(tmp_path / "a") == before


def test_a_changed_text_renews_its_placeholder_and_the_copies_of_it(tmp_path: Path) -> None:
    install(sheet(), tmp_path)
    changed = {**TEXTS, "closed": {**TEXTS["closed"], "en": "We are closed today."}}
    lacks = {(each.language, each.prompt): each.lack for each in missing(sheet(changed), tmp_path)}
    assert lacks["en", "closed"] is Lack.CHANGED
    assert lacks["sv", "closed"] is Lack.RECORDING
    done = install(sheet(changed), tmp_path)
    assert done.made == ("en/ivrd/closed.wav", "so/ivrd/closed.wav")


def test_a_prompt_that_the_sheet_no_longer_has_is_removed_unless_recorded(tmp_path: Path) -> None:
    install(sheet(), tmp_path)
    tone(tmp_path / "sv/ivrd/news.wav", rate=8000)
    rest = {name: TEXTS[name] for name in ("menu", "closed", "choose")}
    assert install(sheet(rest), tmp_path).gone == ("en/ivrd/news.wav", "so/ivrd/news.wav")
    assert (tmp_path / "sv/ivrd/news.wav").exists()
    assert not (tmp_path / "en/ivrd/news.wav").exists()


def test_a_sound_that_a_person_put_there_is_kept_and_copied_to_the_others(tmp_path: Path) -> None:
    install(sheet(), tmp_path)
    ours = tone(tmp_path / "en/ivrd/closed.wav", rate=8000).read_bytes()
    done = install(sheet({**TEXTS, "closed": {"en": "Another text."}}), tmp_path)
    assert manifest(tmp_path)["en/ivrd/closed.wav"]["kind"] == "recorded"
    assert (tmp_path / "en/ivrd/closed.wav").read_bytes() == ours
    assert (tmp_path / "so/ivrd/closed.wav").read_bytes() == ours
    assert done.made == ("so/ivrd/closed.wav", "sv/ivrd/closed.wav")


def test_the_recording_that_the_sheet_names_is_heard_and_renewed(tmp_path: Path) -> None:
    tone(tmp_path / "closed.wav", hertz=500)
    named = {**TEXTS, "closed": {**TEXTS["closed"], "recording": '{ en = "closed.wav" }'}}
    sounds = tmp_path / "sounds"
    install(sheet(named, tmp_path), sounds)
    assert manifest(sounds)["en/ivrd/closed.wav"]["kind"] == "recorded"
    assert hertz_of(sounds / "so/ivrd/closed.wav") == pytest.approx(500, rel=0.05)
    assert install(sheet(named, tmp_path), sounds).made == ()
    tone(tmp_path / "closed.wav", hertz=700)
    install(sheet(named, tmp_path), sounds)
    assert hertz_of(sounds / "en/ivrd/closed.wav") == pytest.approx(700, rel=0.05)


def test_a_named_recording_that_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "closed.wav").write_text("no sound")
    named = {**TEXTS, "closed": {**TEXTS["closed"], "recording": '{ en = "closed.wav" }'}}
    with pytest.raises(ConfigError, match=r"prompts\.closed\.en: .*closed\.wav: cannot be read"):
        install(sheet(named, tmp_path), tmp_path / "sounds")
    assert contents(tmp_path / "sounds").keys() == {f"{WORKSHOP}/lock"}


def test_an_interrupted_installation_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cut after some files and before the last manifest must not make ours look recorded."""
    install(sheet(), tmp_path)
    changed = {**TEXTS, "menu": {"sv": "Nytt.", "en": "New.", "so": "Cusub."}}

    def cut(self: Path, target: Path) -> Path:
        if target.parts[-3:] == ("so", "ivrd", "menu.wav"):
            raise KeyboardInterrupt
        return replace(self, target)

    replace = Path.replace
    with monkeypatch.context() as context:
        context.setattr(Path, "replace", cut)
        with pytest.raises(KeyboardInterrupt):
            install(sheet(changed), tmp_path)
    assert {each.kind for each in read_origins(tmp_path).values()} == {"placeholder", "fallback"}
    # As after a kill, which leaves the drafts behind.
    (tmp_path / WORKSHOP / "drafts").mkdir()
    done = install(sheet(changed), tmp_path)
    assert done.made == ("so/ivrd/menu.wav", "sv/ivrd/menu.wav")
    install(sheet(changed), tmp_path / "fresh")
    assert manifest(tmp_path) == manifest(tmp_path / "fresh")


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    install(sheet(), tmp_path)
    with (tmp_path / WORKSHOP / "lock").open("w") as lock:
        flock(lock, LOCK_EX)
        with pytest.raises(PeerRefused, match="another `ivrd prompts` is at work"):
            install(sheet(), tmp_path)


def test_a_broken_manifest_is_told_and_nothing_is_overwritten(tmp_path: Path) -> None:
    install(sheet(), tmp_path)
    (tmp_path / MANIFEST).write_text("{")
    before = contents(tmp_path)
    with pytest.raises(ConfigError, match="is not a manifest of ours"):
        install(sheet(), tmp_path)
    assert contents(tmp_path) == before


# Importing.


def test_recordings_are_taken_and_never_overwritten_by_placeholders(tmp_path: Path) -> None:
    sounds, actor = tmp_path / "sounds", tmp_path / "actor"
    install(sheet(), sounds)
    tone(actor / "sv/menu.flac", db=-40, hertz=400)
    tone(actor / "so/menu.wav", db=-3, hertz=600)
    tone(actor / "all/choose.wav", hertz=800)
    (actor / "README.txt").touch()
    taken = import_recordings(sheet(), actor, sounds)
    assert {(each.language, each.prompt) for each in taken} == {
        ("sv", "menu"),
        ("so", "menu"),
        ("all", "choose"),
    }
    assert install(sheet(), sounds).made == ()
    install(sheet({**TEXTS, "menu": {"sv": "Ny text.", "en": "Press one."}}), sounds)
    expected = {"sv/ivrd/menu": 400, "so/ivrd/menu": 600} | {
        f"{language}/ivrd/choose": 800 for language in ("sv", "en", "so")
    }
    for name, hertz in expected.items():
        assert hertz_of(sounds / f"{name}.wav") == pytest.approx(hertz, rel=0.05)
        assert rms_db(sounds / f"{name}.wav") == pytest.approx(LOUDNESS_DB, abs=1)
        assert manifest(sounds)[f"{name}.wav"]["kind"] == "recorded"


def test_a_recording_of_an_earlier_text_is_told(tmp_path: Path) -> None:
    tone(tmp_path / "actor/sv/closed.wav")
    import_recordings(sheet(), tmp_path / "actor", tmp_path / "sounds")
    install(sheet(), tmp_path / "sounds")
    changed = sheet({**TEXTS, "closed": {"sv": "Vi har fortfarande stängt.", "en": "Closed."}})
    lacks = {(each.language, each.prompt): each for each in missing(changed, tmp_path / "sounds")}
    assert lacks["sv", "closed"].lack is Lack.RERECORDING
    assert lacks["sv", "closed"].heard == "recorded"
    assert ("sv", "closed") not in {
        (each.language, each.prompt) for each in missing(sheet(), tmp_path / "sounds")
    }


MISNAMED = {
    "sv/menyu.wav": "the sheet has no prompt 'menyu'; is it menu?",
    "se/menu.wav": "'se' is not one of sv, en, so, all",
    "menu.wav": "must be LANGUAGE/ID with an ending",
    "a/sv/menu.wav": "must be LANGUAGE/ID with an ending",
    "so/closed.wav": "the sheet has no text of closed in so",
    "sv/choose.wav": "put it into all/",
}


@pytest.mark.parametrize("name", MISNAMED)
def test_a_recording_of_no_prompt_is_refused_and_nothing_is_taken(
    tmp_path: Path, name: str
) -> None:
    tone(tmp_path / "actor/sv/closed.wav")
    tone(tmp_path / "actor" / name)
    with pytest.raises(ConfigError) as caught:
        import_recordings(sheet(), tmp_path / "actor", tmp_path / "sounds")
    assert MISNAMED[name] in str(caught.value)
    assert contents(tmp_path / "sounds") == {}


def test_every_recording_that_cannot_be_used_is_named_at_once(tmp_path: Path) -> None:
    actor, sounds = tmp_path / "actor", tmp_path / "sounds"
    tone(actor / "sv/menu.wav", seconds=30)
    clipped(tone(actor / "en/menu.wav"))
    tone(actor / "sv/closed.wav")
    with pytest.raises(ConfigError) as caught:
        import_recordings(sheet(), actor, sounds)
    clip, long = caught.value.faults
    assert "en/menu.wav: is clipped" in clip
    assert re.search(r"sv/menu\.wav: takes 30\.\d s, but its text about 2\.1 s", long)
    assert not list(sounds.glob("*/ivrd/*.wav"))


def test_two_recordings_of_the_same_prompt_are_refused(tmp_path: Path) -> None:
    tone(tmp_path / "sv/menu.wav")
    tone(tmp_path / "sv/menu.flac")
    with pytest.raises(ConfigError, match=r"menu\.wav: is there twice: also as menu\.flac"):
        import_recordings(sheet(), tmp_path, tmp_path / "sounds")


def test_an_empty_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no recording such as sv/huvudmeny\.wav"):
        import_recordings(sheet(), tmp_path, tmp_path / "sounds")


def test_some_somali_numbers_alone_are_refused(tmp_path: Path) -> None:
    document = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))
    for name, entry in document["prompts"].items():
        if "en" in entry and name in FRAGMENT_IDS:
            entry["so"] = "kow"
    full = check_sheet(document, SAMPLE.parent)
    tone(tmp_path / "so/tal-1.wav", seconds=0.5)
    with pytest.raises(ConfigError, match="so: some parts of sentences are recorded, but not"):
        import_recordings(full, tmp_path, tmp_path / "sounds")
