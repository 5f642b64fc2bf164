"""Sealed numbers open for their own row only; caller keys find repeats and link nothing more."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivrd.privacy.sealing import SealBroken, Sealer, new_key_line, secrets_of

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
OLD = "k1 " + "A" * 43 + "="
NEW = "k2 " + "B" * 42 + "A="
NUMBER = "+46701740605"
PERIOD = timedelta(days=30)


def a_sealer(*lines: str) -> Sealer:
    return Sealer(secrets_of(lines or (OLD,)), period=PERIOD)


@given(st.from_regex(r"\+[1-9][0-9]{5,14}", fullmatch=True), st.text(max_size=60))
def test_a_sealed_number_opens_again(number: str, row: str) -> None:
    sealer = a_sealer()
    sealed = sealer.seal(number, bound_to=row)
    assert number[1:] not in sealed
    assert sealer.unseal(sealed, bound_to=row) == number


def test_two_seals_of_one_number_have_nothing_in_common_but_their_length() -> None:
    sealer = a_sealer()
    sealed = [sealer.seal(number, bound_to="row") for number in (NUMBER, NUMBER, "112")]
    assert len({*sealed}) == 3
    assert len({len(text) for text in sealed}) == 1


def test_a_number_moved_to_another_row_does_not_open() -> None:
    sealer = a_sealer()
    with pytest.raises(SealBroken, match="row"):
        sealer.unseal(sealer.seal(NUMBER, bound_to="pbx1/1.1"), bound_to="pbx1/1.2")


@pytest.mark.parametrize(
    "text", ["", "1", "1.k1", "1.k1.", "1.k1.AAAA", "2.k1.AAAA", "1.k9.AAAA", "1.k1.!", NUMBER]
)
def test_what_is_no_sealed_number_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(SealBroken) as caught:
        a_sealer().unseal(text, bound_to="row")
    assert NUMBER not in str(caught.value)


def test_every_changed_character_is_noticed() -> None:
    sealer = a_sealer()
    sealed = sealer.seal(NUMBER, bound_to="row")
    start = len("1.k1.")
    for place in range(start, len(sealed) - 1):
        other = "A" if sealed[place] != "A" else "B"
        with pytest.raises(SealBroken):
            sealer.unseal(sealed[:place] + other + sealed[place + 1 :], bound_to="row")


def test_a_new_key_seals_and_the_old_one_still_opens() -> None:
    before = a_sealer(OLD)
    sealed, key = before.seal(NUMBER, bound_to="row"), before.caller_key(NUMBER, AT)
    after = a_sealer(NEW, OLD)
    assert after.unseal(sealed, bound_to="row") == NUMBER
    assert after.seal(NUMBER, bound_to="row").startswith("1.k2.")
    assert key != after.caller_key(NUMBER, AT)
    assert key in after.earlier_keys(NUMBER, AT)
    with pytest.raises(SealBroken, match="'k1' is not in the key file"):
        a_sealer(NEW).unseal(sealed, bound_to="row")


def test_one_caller_has_one_key_in_a_period_and_others_have_others() -> None:
    sealer = a_sealer()
    assert sealer.caller_key(NUMBER, AT) == sealer.caller_key(NUMBER, AT + timedelta(hours=1))
    assert sealer.caller_key(NUMBER, AT) != sealer.caller_key("+46701740606", AT)


@given(st.integers(0, 400 * 24), st.integers(0, 30 * 24))
def test_a_repeat_within_a_period_is_found_across_its_end(first_h: int, later_h: int) -> None:
    sealer = a_sealer()
    first = AT + timedelta(hours=first_h)
    again = first + timedelta(hours=later_h)
    stored = sealer.caller_key(NUMBER, first)
    known = {sealer.caller_key(NUMBER, again), *sealer.earlier_keys(NUMBER, again)}
    assert stored in known


def test_keys_of_distant_periods_are_not_among_those_of_now() -> None:
    sealer = a_sealer()
    old = sealer.caller_key(NUMBER, AT - 2 * PERIOD)
    assert old not in {sealer.caller_key(NUMBER, AT), *sealer.earlier_keys(NUMBER, AT)}
    assert old in set(sealer.keys_between(NUMBER, AT - 3 * PERIOD, AT))


def test_a_list_of_protected_numbers_outlasts_periods_and_keys() -> None:
    [before] = a_sealer(OLD).list_hashes(NUMBER)
    assert before in a_sealer(NEW, OLD).list_hashes(NUMBER)
    assert before not in a_sealer(OLD).caller_key(NUMBER, AT)


def test_a_new_key_line_is_one() -> None:
    [secret] = secrets_of([new_key_line(AT)])
    assert (secret.id, len(secret.data)) == ("k20260302", 32)
    assert "data" not in repr(secret)


def test_the_key_before_is_told_in_the_first_days_of_a_period_only() -> None:
    sealer = a_sealer()
    week = timedelta(days=7)
    begins = datetime(1970, 1, 1, tzinfo=UTC) + 700 * PERIOD
    before = sealer.caller_key(NUMBER, begins - timedelta(microseconds=1))
    assert sealer.key_before(NUMBER, begins, within=week) == before
    assert sealer.key_before(NUMBER, begins + week, within=week) == before
    assert sealer.key_before(NUMBER, begins + week + timedelta(seconds=1), within=week) is None
