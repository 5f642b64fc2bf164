"""The case systems in the configuration: faults in words, secrets from files."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from ivrd.config import SupportManagementConfig, WebhookConfig, check, load
from ivrd.errors import ConfigError
from ivrd.handover import building
from ivrd.handover.signing import new_secret
from tests.unit.test_config import MINIMAL

WEBHOOK = {
    "name": "tekniska",
    "kind": "webhook",
    "url": "https://arenden.example.se/ivrd",
    "secret_files": ["secret"],
}
ERRANDS = {
    "name": "kontaktcenter",
    "kind": "support_management",
    "url": "https://api.example.se/supportmanagement/15.0",
    "municipality_id": "2281",
    "namespace": "CONTACTCENTER",
    "classification": {"category": "OTHER", "type": "OTHER"},
}


def faults_of(*handover: Mapping[str, object]) -> list[str]:
    document = tomllib.loads(MINIMAL) | {"handover": list(handover)}
    with pytest.raises(ConfigError) as caught:
        check(document)
    return list(caught.value.faults)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({**WEBHOOK, "ulr": 1}, "handover[0].ulr: is not a key we know; did you mean url?"),
        ({**ERRANDS, "namespase": 1}, "handover[0].namespase: is not a key we know; did you mean"),
        ({**WEBHOOK, "kind": "fax"}, "handover[0]: kind must be webhook, mqtt, file or"),
        ({**WEBHOOK, "url": "http://a.se/"}, "handover[0].url: must be https"),
        ({**WEBHOOK, "url": "ftp://a.se/"}, "handover[0].url: must be https://HOST/PATH"),
        ({**WEBHOOK, "url": "https://a:b@c.se/"}, "handover[0].url: must hold no user"),
        ({**WEBHOOK, "secrets": ["x"]}, "handover[0].secrets: secrets do not belong here"),
        ({**WEBHOOK, "secret_files": []}, "handover[0].secret_files: Tuple should have at least"),
        ({**ERRANDS, "client_id": "ivrd"}, "handover[0]: token_url, client_id and client_secret"),
        ({**WEBHOOK, "includes_number": True}, "handover[0].includes_number: none is kept without"),
        ({"name": "a", "kind": "mqtt"}, "handover[0].kind: there is no table [mqtt]"),
    ],
)
def test_a_fault_is_told_at_its_place(table: Mapping[str, object], expected: str) -> None:
    assert faults_of(table)[0].startswith(expected)


def test_a_name_that_stands_twice_is_a_fault() -> None:
    assert any("tekniska" in fault for fault in faults_of(WEBHOOK, WEBHOOK))


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/x", "http://localhost/x", "http://[::1]/"])
def test_this_machine_may_be_spoken_to_in_clear(url: str) -> None:
    document = tomllib.loads(MINIMAL) | {"handover": [{**WEBHOOK, "url": url}]}
    assert check(document).handover[0].name == "tekniska"


def written(place: Path, text: str = "") -> Path:
    (place / "ivrd.toml").write_text(MINIMAL + text, encoding="utf-8")
    (place / "ami-secret").write_text("hush", encoding="utf-8")
    return place / "ivrd.toml"


TABLES = """
[[handover]]
name = "tekniska"
kind = "webhook"
url = "https://arenden.example.se/ivrd"
secret_files = ["new", "old"]
status_secret_files = ["status"]
includes_note = false
departments = ["teknisk"]
[[handover]]
name = "kc"
kind = "support_management"
url = "https://api.example.se/supportmanagement/15.0"
token_url = "https://api.example.se/token"
client_id = "ivrd"
client_secret_file = "gateway"
municipality_id = "2281"
namespace = "CONTACTCENTER"
classification = { category = "OTHER", type = "OTHER" }
[[handover]]
name = "arkiv"
kind = "file"
directory = "/var/lib/ivrd/handover"
"""


def test_secrets_are_read_and_destinations_made(tmp_path: Path) -> None:
    file = written(tmp_path, TABLES)
    secrets = {name: new_secret() for name in ("new", "old", "status")}
    for name, secret in secrets.items():
        (tmp_path / name).write_text(f"{secret}\n", encoding="utf-8")
    (tmp_path / "gateway").write_text("hush-hush", encoding="utf-8")
    config = load(file)
    webhook, errands, _ = config.handover
    assert isinstance(webhook, WebhookConfig)
    assert [one.get_secret_value() for one in webhook.secrets] == [secrets["new"], secrets["old"]]
    assert [one.get_secret_value() for one in webhook.status_secrets] == [secrets["status"]]
    assert isinstance(errands, SupportManagementConfig)
    assert errands.client_secret is not None
    assert "hush" not in repr(config)
    made = building.destinations(config)
    assert [one.name for one in made] == ["tekniska", "kc", "arkiv"]
    assert [table.name for table, _ in building.support_managements(made, config)] == ["kc"]
    routes = building.routes(config)
    assert [route.takes(department="teknisk", case_class="resolved") for route in routes] == [
        True
    ] * 3
    assert [route.takes(department=None, case_class="resolved") for route in routes] == [
        False,
        True,
        True,
    ]
    assert [route.includes_note for route in routes] == [False, True, True]


def test_a_secret_of_another_form_is_a_fault_and_not_repeated(tmp_path: Path) -> None:
    file = written(tmp_path, TABLES)
    for name in ("new", "old", "status"):
        (tmp_path / name).write_text("hush-hush", encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"handover\[0\]\.secret_files\[1\]: old must begin"
    ) as it:
        load(file)
    assert "hush-hush" not in str(it.value)
