"""What a citizen becomes in SIPp's injection file, and which of SIPp's reports are errors."""

from pathlib import Path

import pytest

from tests.lab.citizens import STAYS_MS, Citizen, CitizenStream
from tests.lab.processes import Child


def test_a_citizen_who_stays_has_no_keys_and_endless_patience() -> None:
    row = Citizen(caller="0701740605", number="8000", key_delay_ms=0).row()
    assert row == ["0701740605", "", "8000", "-1", "0", "-1", "0", str(STAYS_MS)]


def test_keys_become_the_codes_of_the_scenario() -> None:
    citizen = Citizen(
        caller="0701740605",
        number="8000",
        key="*",
        key_delay_ms=100,
        second_key="1",
        second_key_delay_ms=700,
        patience_ms=2000,
        caller_name="Åsa",
    )
    assert citizen.row() == ["0701740605", "Åsa", "8000", "10", "100", "1", "700", "2000"]


@pytest.mark.parametrize("name", ["a;b", 'a"b', "a\r\nb", "[field0]", "a\\b"])
def test_what_sipp_would_misread_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot inject"):
        Citizen(caller="0701740605", number="8000", caller_name=name).row()


def test_a_key_that_no_telephone_has_is_refused() -> None:
    with pytest.raises(ValueError, match="no key"):
        Citizen(caller="0701740605", number="8000", key="12").row()


def test_a_sipp_that_stood_still_made_no_error(tmp_path: Path) -> None:
    stream = CitizenStream(child=Child.__new__(Child), directory=tmp_path)
    at = "2026-11-22\t11:49:38.457923\t1795348178.457923: "
    still = f"{at}Overload warning: the minor watchdog timer 500ms has been tripped (564), "
    wrong = f"{at}Aborting call on unexpected message for Call-Id '1-2@127.0.0.1'"
    lines = ["The following events occurred:", f"{still}119 trips remaining.", wrong, ""]
    assert stream.errors() == ""
    for reported, error in ((lines[:2], ""), (lines, wrong), ([*lines[:1], wrong], wrong)):
        (tmp_path / "errors.log").write_text("\n".join(reported), encoding="utf-8")
        assert stream.errors() == error
