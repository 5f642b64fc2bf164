"""Each kind of target has one label, and each label one target."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivrd.core.targets import (
    Back,
    InLanguage,
    Slowly,
    Target,
    ToAnnouncement,
    ToCallback,
    ToMenu,
    ToNumber,
    ToQueue,
    label_of,
    target_of,
)

LABELS: dict[str, Target] = {
    "kc": ToQueue("kc"),
    "menu:va": ToMenu("va"),
    "say:oppettider": ToAnnouncement("oppettider"),
    "number:0846500405": ToNumber("0846500405"),
    "number:+46846500405": ToNumber("+46846500405"),
    "language:fi": InLanguage("fi"),
    "slow": Slowly(),
    "back": Back(),
    "callback": ToCallback(),
}


def test_every_kind_of_target_has_an_example() -> None:
    assert {type(target) for target in LABELS.values()} == set(get_args(Target))


@pytest.mark.parametrize("label", LABELS)
def test_a_label_leads_to_its_target_and_back(label: str) -> None:
    assert target_of(label) == LABELS[label]
    assert label_of(LABELS[label]) == label


@pytest.mark.parametrize(
    "label",
    [
        "",
        "menu:",
        ":va",
        "slow:1",
        "queue:kc",
        "shout:loud",
        "language:",
        "menu:va:va",
        "kc,va",
        "kc|va",
        "say:a b",
        "kc\n",
        "x" * 81,
    ],
)
def test_a_label_of_nobody_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match="no target of a menu") as caught:
        target_of(label)
    assert repr(label) in str(caught.value)


@pytest.mark.parametrize(
    "target", [ToQueue("slow"), ToQueue("back"), ToQueue("menu:va"), ToMenu(""), ToMenu("a,b")]
)
def test_a_target_whose_label_would_lead_elsewhere_has_none(target: Target) -> None:
    with pytest.raises(ValueError, match=r"would not lead|no target"):
        label_of(target)


@given(st.text(max_size=20) | st.from_regex(r"(menu|say|number|language|x):[a-z0-9_+,|:]{0,9}"))
def test_any_text_is_refused_or_is_exactly_one_label(label: str) -> None:
    try:
        target = target_of(label)
    except ValueError:
        return
    assert label_of(target) == label
    assert not set(label) & set("|, \n")
