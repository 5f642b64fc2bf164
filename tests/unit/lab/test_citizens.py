"""What a citizen becomes in SIPp's injection file."""

import pytest

from tests.lab.citizens import STAYS_MS, Citizen


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
