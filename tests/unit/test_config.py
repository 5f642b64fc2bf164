"""Unit tests of the configuration: each fault is named with its place and the way out."""

import copy
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivrd.config import Config, check, json_schema, load
from ivrd.errors import ConfigError

SAMPLE = Path(__file__).parents[2] / "config" / "ivrd.toml"

Document = dict[str, Any]


@pytest.fixture
def document() -> Document:
    return tomllib.loads(SAMPLE.read_text(encoding="utf-8"))


def faults_of(document: object) -> list[str]:
    assert isinstance(document, dict)
    with pytest.raises(ConfigError) as caught:
        check(document)
    return list(caught.value.faults)


def write(directory: Path, document: str) -> Path:
    file = directory / "ivrd.toml"
    file.write_text(document, encoding="utf-8")
    return file


MINIMAL = """
[[pbx]]
name = "pbx1"
secret_file = "ami-secret"
[[queues]]
name = "kc"
role = "guide"
service_level_threshold_s = 60
[[menus]]
name = "main"
prompt = "main"
choices = { 1 = "kc" }
stay_choice = "kc"
[[lines]]
name = "main"
number = "0846500401"
menu = "main"
"""


def test_the_sample_is_a_valid_configuration(document: Document) -> None:
    config = check(document)
    assert [queue.name for queue in config.queues][:2] == ["vaxel", "kc"]


def test_every_default_in_the_sample_is_the_real_default(document: Document) -> None:
    minimal = check(tomllib.loads(MINIMAL))
    sample = check(document)
    assert sample.agi == minimal.agi
    assert sample.web == minimal.web
    assert sample.database == minimal.database
    assert sample.log == minimal.log
    assert sample.cases == minimal.cases
    for name in ("host", "port", "username", "queue_log_file"):
        assert getattr(sample.pbx[0], name) == getattr(minimal.pbx[0], name)
    for name in ("short_abandon_s", "timeout_s", "options"):
        assert getattr(sample.queues[0], name) == getattr(minimal.queues[0], name)


def test_the_sample_mentions_every_key() -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    hidden = {"secret", "password", "client_secret"}
    for name, model in json_schema()["$defs"].items():  # type: ignore[attr-defined]
        for key in set(model["properties"]) - hidden:
            assert f"{key} = " in text or f".{key}]" in text, f"{name}.{key}"


@pytest.mark.parametrize(
    ("path", "key", "expected"),
    [
        ((), "databse", "databse: is not a key we know; did you mean database?"),
        (("pbx", 0), "prot", "pbx[0].prot: is not a key we know; did you mean port?"),
        (("agi",), "session_s", "agi.session_s: is not a key we know; did you mean session_s_max?"),
        (("queues", 1), "rolle", "queues[1].rolle: is not a key we know; did you mean role?"),
        (("overflow", 0), "start", "overflow[0].start: is not a key we know; did you mean"),
    ],
)
def test_an_unknown_key_names_its_place_and_the_nearest_known_key(
    document: Document, path: tuple[str | int, ...], key: str, expected: str
) -> None:
    table: Any = document
    for part in path:
        table = table[part]
    table[key] = 1
    [fault] = faults_of(document)
    assert fault.startswith(expected)


def test_a_key_like_nothing_lists_what_is_known(document: Document) -> None:
    document["web"]["zzz"] = 1
    assert faults_of(document) == ["web.zzz: is not a key we know; known here: host, port"]


NO_KCC = "no queue is named 'kcc'; did you mean kc?"


@pytest.mark.parametrize(
    ("section", "number", "key", "expected"),
    [
        (
            "menus",
            0,
            "stay_choice",
            "menus[0].stay_choice: no queue is named 'kcc'; did you mean kc?",
        ),
        ("queues", 0, "fallback", f"queues[0].fallback: {NO_KCC}"),
        (
            "overflow",
            0,
            "to_queue",
            "overflow[0].to_queue: no queue is named 'kcc'; did you mean kc?",
        ),
        ("lines", 1, "menu", "lines[1].menu: no menu is named 'kcc'; known: huvudmeny, va, sprak"),
    ],
)
def test_a_name_that_points_nowhere_is_a_fault(
    document: Document, section: str, number: int, key: str, expected: str
) -> None:
    document[section][number][key] = "kcc"
    assert faults_of(document) == [expected]


def test_every_fault_is_told_and_not_only_the_first(document: Document) -> None:
    document["pbx"][0]["port"] = 0
    document["web"]["hots"] = "x"
    del document["lines"][0]["menu"]
    faults = faults_of(document)
    assert [fault.split(":")[0] for fault in faults] == ["pbx[0].port", "web.hots", "lines[0]"]


def test_a_name_that_stands_twice_is_a_fault(document: Document) -> None:
    document["queues"][1]["name"] = "vaxel"
    assert "queues[1].name: 'vaxel' stands twice; each must be its own" in faults_of(document)


def test_fallbacks_in_a_circle_are_a_fault(document: Document) -> None:
    document["queues"][1]["fallback"] = "vaxel"
    assert faults_of(document) == [
        "queues[0].fallback: leads back to 'vaxel'; break the circle",
        "queues[1].fallback: leads back to 'kc'; break the circle",
    ]


def test_an_overflow_that_cannot_end_is_a_fault(document: Document) -> None:
    document["overflow"][0]["stop_waiting"] = 6
    assert faults_of(document) == ["overflow[0]: stop_waiting must be lower than start_waiting"]


@pytest.mark.parametrize(
    "name", ["kc\n", "kc,1", "kc)", "${EXTEN}", "KC", "", "kc/1", "kc+", "k" * 31, "kö"]
)
def test_a_name_that_means_something_to_asterisk_or_a_topic_is_refused(
    document: Document, name: str
) -> None:
    document["queues"][1]["name"] = name
    assert any(fault.startswith("queues[1].name: ") for fault in faults_of(document))


@pytest.mark.parametrize("prompt", ["../../etc/passwd", "a&b", "a b", "/abs", "a,b", "a\n"])
def test_a_prompt_that_is_no_plain_name_is_refused(document: Document, prompt: str) -> None:
    document["menus"][0]["prompt"] = prompt
    assert any(fault.startswith("menus[0].prompt: ") for fault in faults_of(document))


# Databases


@pytest.mark.parametrize(
    "url",
    [
        "mysql://ivrd@127.0.0.1/ivrd",
        "sqlite:////var/lib/ivrd/ivrd.sqlite",
        "sqlite+aiosqlite:///",
        "sqlite+aiosqlite:///:memory:",
        "postgresql+asyncpg://",
        "postgresql+asyncpg://ivrd@127.0.0.1",
        "postgresql+asyncpg://ivrd@127.0.0.1:port/ivrd",
        "",
    ],
)
def test_a_database_that_could_keep_nothing_is_refused(document: Document, url: str) -> None:
    document["database"]["url"] = url
    assert any(fault.startswith("database") for fault in faults_of(document))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://ivrd:hush@127.0.0.1/ivrd",
        "postgresql+asyncpg://ivrd@127.0.0.1/ivrd?password=hush",
    ],
)
def test_a_password_in_the_url_is_refused_and_not_repeated(document: Document, url: str) -> None:
    document["database"]["url"] = url
    [fault] = faults_of(document)
    assert "password_file" in fault
    assert "hush" not in fault


# Secrets


def test_a_secret_in_the_file_is_refused_and_not_repeated(document: Document) -> None:
    document["pbx"][0]["secret"] = "hush"
    document["database"]["password"] = "hush"
    faults = faults_of(document)
    assert [fault.split(":")[0] for fault in faults] == ["pbx[0].secret", "database.password"]
    assert "hush" not in "".join(faults)


def test_secrets_are_read_from_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "ami-secret").write_text("hush\n", encoding="utf-8")
    config = load(write(tmp_path, MINIMAL))
    assert config.pbx[0].secret.get_secret_value() == "hush"
    for text in (repr(config), str(config), config.model_dump_json()):
        assert "hush" not in text


def test_systemds_credentials_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "ami-secret").write_text("from systemd", encoding="utf-8")
    (tmp_path / "ami-secret").write_text("from beside", encoding="utf-8")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    config = load(write(tmp_path, MINIMAL))
    assert config.pbx[0].secret.get_secret_value() == "from systemd"


def test_a_missing_secret_names_where_we_looked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"pbx\[0\]\.secret_file: there is no .*/ami-secret"):
        load(write(tmp_path, MINIMAL))
    without = load(write(tmp_path, MINIMAL), with_secrets=False)
    assert without.pbx[0].secret.get_secret_value() == ""


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines", b"\xff\xfe", b"nul\0"])
def test_a_secret_that_is_not_one_line_of_text_is_a_fault(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ami-secret").write_bytes(content)
    with pytest.raises(ConfigError, match="secret_file"):
        load(write(tmp_path, MINIMAL))


@pytest.mark.parametrize("name", [".", "a\\u0000b", "x/" * 3000])
def test_a_secret_file_that_cannot_be_one_is_a_fault(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="secret_file"):
        load(write(tmp_path, MINIMAL.replace("ami-secret", name)))


# Files


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read: No such file"):
        load(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"pbx = [", "is not TOML"),
        (b"\xff", "is not UTF-8 text"),
        (b"a = 1\na = 2", "is not TOML"),
        (b"a = " + b"[" * 100_000, "is not TOML"),
    ],
)
def test_a_file_that_cannot_be_read_as_toml_is_a_fault(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    file = tmp_path / "ivrd.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=expected):
        load(file)


def test_the_schema_is_json_and_offers_no_secret() -> None:
    text = json.dumps(json_schema())
    assert '"secret_file"' in text
    assert '"secret"' not in text
    assert '"password"' not in text


def test_the_configuration_cannot_be_changed(document: Document) -> None:
    config = check(document)
    with pytest.raises(ValueError, match="frozen"):
        config.web.port = 1  # type: ignore[misc]


def test_true_is_no_number(document: Document) -> None:
    document["web"]["port"] = True
    assert any(fault.startswith("web.port: ") for fault in faults_of(document))


# Anything at all

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def places(value: object) -> Iterator[tuple[Any, Any]]:
    """Yield every container in a document with each of its keys."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield value, key
        yield from places(value[key])  # type: ignore[index]


def configuration_or_faults(document: Document) -> Config | tuple[str, ...]:
    try:
        return check(document)
    except ConfigError as error:
        return error.faults


ORIGINAL = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))


@given(st.integers(min_value=0), values, st.text())
def test_whatever_stands_in_the_file_is_a_configuration_or_a_list_of_faults(
    where: int, value: object, key: str
) -> None:
    document = copy.deepcopy(ORIGINAL)
    found = list(places(document))
    container, place = found[where % len(found)]
    container[place] = value
    if isinstance(container, dict):
        container[key] = value
    assert isinstance(configuration_or_faults(document), Config | tuple)


# The way in


def test_a_closed_line_must_lead_somewhere(document: Document) -> None:
    document["lines"][0]["closed_choice"] = {"slow": True}
    [fault] = faults_of(document)
    assert fault.startswith("lines[0]: closed_choice must lead somewhere")


def test_queues_that_lead_round_by_turns_are_a_fault(document: Document) -> None:
    document["queues"][4]["fallback"] = "kc"
    assert faults_of(document) == [
        "queues[1].catch_all: leads back to 'kc'; break the circle",
        "queues[4].fallback: leads back to 'uppsamling'; break the circle",
    ]


def test_slow_means_nothing_to_who_waits(document: Document) -> None:
    document["queues"][1]["exit_keys"] = {"1": {"slow": True}}
    assert faults_of(document) == ["queues[1].exit_keys.1: slow means nothing to who waits"]
