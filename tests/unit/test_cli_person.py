"""A page about one caller is for whoever asked for it, and for nobody else on the machine."""

import os
import stat
from pathlib import Path

import pytest

from ivrd.cli_person import write_private
from ivrd.errors import ConfigError


def test_a_page_is_readable_by_whoever_wrote_it_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    before = os.umask(0)
    try:
        write_private(page, "0701740605")
    finally:
        os.umask(before)
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert page.read_text(encoding="utf-8") == "0701740605"


def test_a_page_takes_nobodys_place_whose_readers_are_others(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("older", encoding="utf-8")
    page.chmod(0o644)
    with pytest.raises(ConfigError, match="it is not written over"):
        write_private(page, "0701740605")
    assert page.read_text(encoding="utf-8") == "older"
