"""`ivrd prompts` with the real sox and espeak-ng: listing, manuscript, import, install."""

import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ivrd.cli_prompts import cli
from ivrd.errors import ConfigError

CONFIGURATION = """
[[pbx]]
name = "pbx1"
secret_file = "none"

[[queues]]
name = "kc"
role = "guide"
service_level_threshold_s = 60

[[menus]]
name = "huvudmeny"
prompt = "huvudmeny"
choices = { 1 = "kc" }
stay_choice = "kc"

[[lines]]
name = "kommunen"
number = "0846500400"
menu = "huvudmeny"
"""

SHEET = """
languages = ["sv", "en"]
fallback = ["sv"]

[prompts.huvudmeny]
sv = "Tryck ett | eller vänta."
en = "Press one, or wait."

[prompts.sprakval]
all = "[sv] Svenska. [en] English."

[prompts.otillganglig]
sv = "Ingen kan svara."
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    sheet = f'prompt_sheet = "prompts.toml"\n{CONFIGURATION}'
    (tmp_path / "ivrd.toml").write_text(sheet, encoding="utf-8")
    (tmp_path / "prompts.toml").write_text(SHEET, encoding="utf-8")
    return tmp_path


def invoke(directory: Path, *arguments: str | Path) -> str:
    words = [*map(str, arguments), "--config", str(directory / "ivrd.toml")]
    result = CliRunner().invoke(cli, words)
    if result.exception is not None:
        raise result.exception
    return result.output


def test_what_is_missing_is_listed_before_and_after(directory: Path) -> None:
    sounds = directory / "sounds"
    before = invoke(directory, "--sounds", sounds)
    assert "no sound file" in before
    assert "3 prompts; missing or not recorded: sv 3, en 3" in before
    assert f"{sounds}: 6 sounds made, 0 kept" in invoke(directory, "install", "--sounds", sounds)
    after = invoke(directory, "--sounds", sounds)
    assert "no sound file" not in after
    assert "not recorded" in after
    assert "no text" in after, "otillganglig is not in English"
    assert f"{sounds}: 0 sounds made, 6 kept" in invoke(directory, "install", "--sounds", sounds)


def test_recordings_are_taken_with_their_levels(directory: Path) -> None:
    sounds, actor = directory / "sounds", directory / "actor"
    for place in ("sv/huvudmeny", "all/sprakval"):
        file = actor / f"{place}.wav"
        file.parent.mkdir(parents=True)
        synth = ("synth", "2", "sine", "440", "gain", "-30")
        subprocess.run(["sox", "-D", "-r", "16000", "-n", file, *synth], check=True)
    output = invoke(directory, "import", actor, "--sounds", sounds)
    assert "sv/huvudmeny\t2.1 s\t-22.0 dB\tpeak -18.9 dB" in output
    assert "all/sprakval\t2.1 s" in output
    assert f"{sounds}: 3 sounds made, 3 kept" in output
    listed = invoke(directory, "--sounds", sounds)
    assert "sv 1, en 2" in listed
    assert "sprakval" not in listed


def test_the_manuscript_names_text_length_and_file(directory: Path) -> None:
    swedish = invoke(directory, "--manuscript", "sv")
    assert "# Manuscript: sv\n\n2 recordings, about 0 min 4 s of sound." in swedish
    assert "| huvudmeny | Tryck ett \\| eller vänta. | 2.1 | sv/huvudmeny.wav |" in swedish
    assert "sprakval" not in swedish
    assert "Parts of sentences" not in swedish
    assert "all/sprakval.wav" in invoke(directory, "--manuscript", "all")
    with pytest.raises(ConfigError, match="'fi' is not a language of the prompt sheet; known: sv"):
        invoke(directory, "--manuscript", "fi")


def test_the_sample_has_a_manuscript_with_parts_of_sentences() -> None:
    sample = Path(__file__).parents[2] / "config"
    text = invoke(sample, "--manuscript", "fi")
    sentences, parts = text.split("## Parts of sentences")
    assert "| fi/huvudmeny.wav |" in sentences
    assert "| tal-21" not in text
    assert parts.count("| fi/tal-") == 39, "0 to 19, the tens, the hundreds, two thousands"


def test_a_configuration_without_a_sheet_is_told(directory: Path) -> None:
    (directory / "ivrd.toml").write_text(CONFIGURATION, encoding="utf-8")
    with pytest.raises(ConfigError, match="prompt_sheet is missing, so there are no prompts"):
        invoke(directory)


def test_an_option_that_the_command_would_not_see_is_refused(directory: Path) -> None:
    words = ["--sounds", str(directory), "install", "--config", str(directory / "ivrd.toml")]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 2
    assert "write options after install" in result.output
    assert not (directory / "sv").exists()
