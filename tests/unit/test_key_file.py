"""The key file: found, refused with the way out, and never quoted."""

from pathlib import Path

import pytest

from ivrd.config.key_file import read_keys
from ivrd.errors import ConfigError

SECRET = "Qm9ydCBtZWQgbnlja2VsbiBmcsOlbiBsb2dnZW4uLi4="
LINE = f"k20260302 {SECRET}"


def a_file(directory: Path, text: str, *, mode: int = 0o600) -> Path:
    path = directory / "privacy-key"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def faults_of(directory: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_keys(Path("privacy-key"), directory)
    assert SECRET[:20] not in str(caught.value)
    assert str(caught.value).startswith("privacy.key_file: ")
    return str(caught.value)


def test_keys_are_read_newest_first_and_comments_passed_over(tmp_path: Path) -> None:
    a_file(tmp_path, f"# ours\n\n{LINE}\nk1 {SECRET}\n")
    keys = [key.get_secret_value() for key in read_keys(Path("privacy-key"), tmp_path)]
    assert keys == [LINE, f"k1 {SECRET}"]


def test_systemds_credential_comes_first_and_has_its_own_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    a_file(credentials, f"k2 {SECRET}", mode=0o440)
    a_file(tmp_path, LINE)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    [key] = read_keys(Path("privacy-key"), tmp_path)
    assert key.get_secret_value().startswith("k2 ")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = a_file(tmp_path, LINE, mode=mode)
    assert f"{path} has mode {mode:04o}; chmod 600 it" in faults_of(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no key"),
        ("# nothing\n", "holds no key"),
        (SECRET, "line 1: is no key"),
        (f"{LINE}\nk1 {SECRET[:-4]}", "line 2: is no key"),
        (f"K1 {SECRET}", "line 1: is no key"),
        (f"{LINE}\n{LINE}", "line 2: k20260302 stands there twice"),
        ("k1 \N{GREEK SMALL LETTER ALPHA}", "cannot be read"),
    ],
)
def test_what_is_no_key_file_is_refused_with_the_way_out(
    tmp_path: Path, text: str, told: str
) -> None:
    a_file(tmp_path, text)
    assert told in faults_of(tmp_path)


def test_a_missing_file_names_where_we_looked(tmp_path: Path) -> None:
    assert "`ivrd key new` prints a line for it" in faults_of(tmp_path)
