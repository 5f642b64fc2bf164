"""The price list: what is wrong with one is told with its place, and the sample is in order."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from ivrd import config
from ivrd.core.prices import Charge, PriceList
from ivrd.errors import ConfigError

REPOSITORY = Path(__file__).resolve().parents[2]

PRICE = '[[price]]\ncharge = "call"\nkr = "18.00"\nvalid_from = 2026-01-01\n'
KEY = '[[key]]\nname = "poster"\nvalid_from = 2026-01-01\nshares = { bygg = 1 }\n'
FIXED = '[[fixed]]\nname = "vaxel"\nkr = "1.00"\nkey = "poster"\nvalid_from = 2026-01-01\n'


def load(tmp_path: Path, text: str, departments: list[str] | None = None) -> PriceList:
    path = tmp_path / "prices.toml"
    path.write_text(text, encoding="utf-8")
    return config.load_prices(path, departments=departments or [])


def test_the_sample_is_in_order_and_names_every_department() -> None:
    settings = config.load(REPOSITORY / "config" / "ivrd.toml", with_secrets=False)
    assert settings.price_list == Path("prices.toml")
    codes = [each.code for each in settings.department]
    prices = config.load_prices(REPOSITORY / "config" / "prices.toml", departments=codes)
    assert prices.charges == (Charge.CALL, Charge.MINUTE, Charge.CASE)
    for key in prices.keys:
        assert set(key.shares) == set(codes)


def test_kronor_become_ore_exactly(tmp_path: Path) -> None:
    prices = load(tmp_path, PRICE.replace("18.00", "0.0825"))
    assert prices.prices[0].ore == Decimal("8.25")
    assert prices.prices[0].valid_from == date(2026, 1, 1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "neither"),
        (PRICE.replace('"18.00"', "18.00"), r"price\[0\].kr"),
        (PRICE.replace("18.00", "-1"), r"price\[0\].kr"),
        (PRICE.replace("18.00", "1,50"), r"price\[0\].kr"),
        (PRICE.replace('"call"', '"calls"'), r"price\[0\].charge"),
        (PRICE + 'pris = "1"\n', r"price\[0\].pris"),
        (PRICE + PRICE, r"price\[1\]: stands twice"),
        (PRICE + 'case_class = "resolved"\n', "belongs to charge = case"),
        (PRICE + 'department = "byg"\n', r"price\[0\].department.*did you mean bygg"),
        (
            PRICE.replace('"call"', '"minute"') + PRICE.replace('"call"', '"started_minute"'),
            "not as both",
        ),
        (FIXED, r"fixed\[0\].key.*known: none"),
        (KEY + FIXED.replace("01-01", "01-15"), r"fixed\[0\].valid_from.*whole months"),
        (KEY + FIXED + FIXED.replace("2026", "2027"), r"fixed\[1\].*twice at the same time"),
        (KEY.replace("bygg = 1", "bygg = 0") + FIXED, r"key\[0\].shares.*above 0"),
        (KEY.replace("bygg = 1", "bugg = 1") + FIXED, r"key\[0\].shares.*did you mean bygg"),
        (KEY + KEY + FIXED, r"key\[1\].*twice"),
    ],
)
def test_a_fault_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        load(tmp_path, text, ["bygg", "skola"])


def test_one_fixed_cost_may_follow_another(tmp_path: Path) -> None:
    text = KEY + FIXED + "valid_to = 2026-12-31\n" + FIXED.replace("2026", "2027")
    assert len(load(tmp_path, text).fixed) == 2
