"""What stands about people is for whoever asked for it, and for nobody else on the machine."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivrd import private_file
from ivrd.errors import ConfigError


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """Let new files be everybody's, as a careless account does."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_its_owners_alone_before_anything_is_in_it(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    with private_file.create(page) as file:
        assert mode_of(page) == 0o600
        file.write(b"0701740605")
    assert (mode_of(page), page.read_bytes()) == (0o600, b"0701740605")


def test_a_new_file_takes_nobodys_place(tmp_path: Path) -> None:
    page, elsewhere = tmp_path / "page.html", tmp_path / "elsewhere"
    page.symlink_to(elsewhere)
    with pytest.raises(FileExistsError):
        private_file.create(page)
    assert not elsewhere.exists()


def test_a_file_that_others_could_read_is_replaced_by_one_that_they_cannot(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("older", encoding="utf-8")
    page.chmod(0o644)
    with page.open("rb") as reader:
        private_file.replace(page, b"0701740605")
        assert reader.read() == b"older"
    assert (mode_of(page), page.read_bytes()) == (0o600, b"0701740605")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_what_is_no_file_is_left_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ConfigError, match="is no file"):
        private_file.replace(pipe, b"0701740605")
    assert pipe.is_fifo()
