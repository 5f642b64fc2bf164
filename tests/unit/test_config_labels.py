"""The tree of departments and subjects in the configuration: each fault names its place."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from ivrd import config
from ivrd.core.labels import dead_ends
from ivrd.errors import ConfigError
from ivrd.labels import label_tree

SAMPLE = Path(__file__).resolve().parents[2] / "config" / "ivrd.toml"


@pytest.fixture
def document() -> dict[str, Any]:
    return tomllib.loads(SAMPLE.read_text(encoding="utf-8"))


def faults_of(document: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        config.check(document)
    return list(refused.value.faults)


def test_the_sample_has_nine_departments_and_each_subject_a_code(document: dict[str, Any]) -> None:
    tree = label_tree(config.check(document).department)
    assert len(tree.departments) == 9
    assert all(subject.phone_code for subject, _ in tree)
    assert len(tree.phone_codes) == len(list(tree)) > 50
    assert len(dead_ends(tree.phone_codes)) < 50, "each is a feature of its own on the PBX"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"phone_code": "22"},
            "department[1].subject[1].phone_code: '22' is the code of 'reception'"
            " (department[0].subject[0]) already; take another",
        ),
        (
            {"phone_code": "2"},
            "department[1].subject[0].phone_code: '21' begins with '2', the code of 'reception'"
            " (department[0].subject[0]); take another",
        ),
        (
            {"phone_code": "211"},
            "department[1].subject[0].phone_code: '21' is the beginning of '211', the code of"
            " 'reception' (department[0].subject[0])",
        ),
        (
            {"code": "teknisk"},
            "department[4].code: 'teknisk' stands at department[0].subject[0] already;"
            " take another",
        ),
        (
            {"lines": ["avfal"]},
            "department[0].subject[0].lines[0]: no line is named 'avfal'; did you mean avfall?",
        ),
        (
            {"choices": ["vaa:1"]},
            "department[0].subject[0].choices[0]: no menu is named 'vaa'; did you mean va?",
        ),
        (
            {"queues": ["kd"]},
            "department[0].subject[0].queues[0]: no queue is named 'kd'; did you mean kc?",
        ),
    ],
)
def test_a_code_or_name_that_does_not_fit_is_a_fault(
    document: dict[str, Any], change: dict[str, object], told: str
) -> None:
    document["department"][0]["subject"][0].update(change)
    assert told in faults_of(document)


@pytest.mark.parametrize("phone_code", ["1234", "", "*1", "1a"])
def test_a_phone_code_is_one_to_three_digits(document: dict[str, Any], phone_code: str) -> None:
    document["department"][0]["subject"][0]["phone_code"] = phone_code
    [fault] = faults_of(document)
    assert fault.startswith("department[0].subject[0].phone_code: ")


def test_a_queues_department_is_one_of_the_tree(document: dict[str, Any]) -> None:
    document["queues"][2]["department"] = "tekniska"
    assert (
        "queues[2].department: no department has the code 'tekniska'; did you mean teknisk?"
        in faults_of(document)
    )


@pytest.mark.parametrize("options", ["tF", "th"])
def test_codes_by_telephone_keep_their_options_and_keys(
    document: dict[str, Any], options: str
) -> None:
    document["queues"][1]["options"] = options
    [fault] = faults_of(document)
    assert fault.startswith("queues[1].options: F and h do not go with labels_by_phone")


def test_codes_by_telephone_need_guides_and_labels(document: dict[str, Any]) -> None:
    document["queues"][0]["labels_by_phone"] = True
    assert (
        "queues[0].labels_by_phone: only guides have cases; the role here is switchboard"
        in faults_of(document)
    )
    del document["department"], document["queues"][0]["labels_by_phone"]
    assert (
        "queues[1].labels_by_phone: needs [[department]] with subjects: there is no label yet"
        in faults_of(document)
    )
