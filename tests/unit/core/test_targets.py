"""Targets and their labels."""

import pytest

from ivrd.core.targets import (
    Back,
    InLanguage,
    Slowly,
    Target,
    ToAnnouncement,
    ToMenu,
    ToNumber,
    ToQueue,
    label_of,
    target_of,
)


@pytest.mark.parametrize(
    "target",
    [
        ToQueue("kc"),
        ToMenu("va"),
        ToAnnouncement("oppettider"),
        ToNumber("0846500405"),
        InLanguage("fi"),
        Slowly(),
        Back(),
    ],
)
def test_a_label_leads_back_to_its_target(target: Target) -> None:
    assert target_of(label_of(target)) == target


@pytest.mark.parametrize("label", ["", "menu:", ":va", "slow:1", "shout:loud", "language:"])
def test_a_label_of_nobody_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match="no target"):
        target_of(label)
