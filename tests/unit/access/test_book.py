"""From tokens and sign-ins to people: found, scoped, and out when they are taken out."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from ivrd import config
from ivrd.access import Role
from ivrd.access.book import AccessBook
from ivrd.access.limits import BUCKETS_MAX, RateLimit
from ivrd.access.sessions import OidcSession, Sessions, TokenSession, session_key
from ivrd.access.tokens import fingerprint, new_token
from ivrd.config import AccessConfig
from ivrd.errors import ConfigError

KEY = b"k" * 32
TOKEN = new_token()
ENTRY = {"name": "anna", "role": "viewer", "lines": ["avfall"], "sha256": fingerprint(TOKEN)}
SHIFT = {
    "name": "kc",
    "people": ["bo", "anna"],
    "first_week": "2026-01-05",
    "week": {"mon-fri": "8.00-16.00"},
}
OIDC = {
    "issuer": "https://login.example",
    "client_id": "ivrd",
    "client_secret_file": "secret",
    "roles": [
        {"value": "guides", "role": "guide"},
        {"value": "leads", "role": "supervisor", "lines": ["avfall"]},
    ],
}


class Wall:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def section(**more: object) -> AccessConfig:
    return AccessConfig.model_validate({"token": [ENTRY], **more})


def book_of(wall: Wall, **more: object) -> AccessBook:
    return AccessBook(section(**more), zone="Europe/Stockholm", now=wall)


def test_a_token_names_its_owner_and_no_other_text_does() -> None:
    book = book_of(Wall())
    anna = book.by_token(TOKEN)
    assert anna is not None
    assert (anna.name, anna.roles) == ("anna", {Role.VIEWER})
    for text in ("", TOKEN[:-1], TOKEN + "x", fingerprint(TOKEN), "ä" * 40, "x" * 10_000):
        assert book.by_token(text) is None


def test_the_shift_lead_is_a_supervisor_as_long_as_the_shift_lasts() -> None:
    wall = Wall()
    book = book_of(wall, shift=[SHIFT])

    def roles() -> frozenset[Role]:
        anna = book.by_token(TOKEN)
        assert anna is not None
        return anna.roles

    assert roles() == {Role.VIEWER}
    wall.now = datetime(2026, 1, 12, 14, 59, 59, tzinfo=UTC)
    assert roles() == {Role.VIEWER, Role.SUPERVISOR}
    wall.now = datetime(2026, 1, 12, 15, 0, tzinfo=UTC)
    assert roles() == {Role.VIEWER}


def test_whoever_is_taken_out_of_the_configuration_is_out_at_once() -> None:
    book = book_of(Wall())
    sessions = Sessions(KEY)
    session = sessions.read(sessions.cookie(TokenSession(sha256=fingerprint(TOKEN))), within_s=60)
    assert session is not None
    assert book.by_session(session) is not None
    book.change(AccessConfig(), zone="Europe/Stockholm")
    assert book.by_token(TOKEN) is None
    assert book.by_session(session) is None


def test_a_sign_in_has_the_roles_of_its_values_only() -> None:
    book = book_of(Wall(), public_url="https://ivrd.example", oidc=OIDC)
    values = book.known_values(["leads", "cooks"])
    person = book.by_session(OidcSession(name="bo", values=values, agent="PJSIP/bo"))
    assert person is not None
    [grant] = person.grants
    assert (grant.role, grant.lines, person.agent) == (Role.SUPERVISOR, {"avfall"}, "PJSIP/bo")
    assert book.by_session(OidcSession(name="bo", values=(), agent=None)) is None
    assert book_of(Wall()).by_session(OidcSession(name="bo", values=values, agent=None)) is None


def test_a_cookie_that_was_changed_is_nobodys() -> None:
    sessions = Sessions(KEY)
    cookie = sessions.cookie(OidcSession(name="bo", values=("guides",), agent=None))
    assert sessions.read(cookie, within_s=60) == OidcSession(
        name="bo", values=("guides",), agent=None
    )
    assert sessions.read(cookie, within_s=-1) is None
    assert Sessions(b"x" * 32).read(cookie, within_s=60) is None
    for changed in ("", cookie[:-1], "x" + cookie, cookie.upper(), sessions.note({"n": "bo"})):
        assert sessions.read(changed, within_s=60) is None


def test_the_key_of_sessions_lasts_and_is_ours_alone(tmp_path: Path) -> None:
    key = session_key(tmp_path / "state")
    assert session_key(tmp_path / "state") == key
    assert (tmp_path / "state" / "session.key").stat().st_mode & 0o777 == 0o600
    blocked = tmp_path / "file"
    blocked.touch()
    assert len(session_key(blocked / "state")) == 32


def test_a_bucket_empties_and_fills() -> None:
    limit = RateLimit(60)
    assert [limit.wait_s("anna", 0.0) for _ in range(60)] == [0.0] * 60
    assert limit.wait_s("anna", 0.0) == 1.0
    assert limit.wait_s("bo", 0.0) == 0.0
    assert limit.wait_s("anna", 1.0) == 0.0
    assert limit.wait_s("anna", 0.5) > 0
    for number in range(BUCKETS_MAX + 10):
        limit.wait_s(str(number), 2.0)
    assert len(limit._buckets) == BUCKETS_MAX


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"token": [ENTRY, {**ENTRY, "name": "bo"}]}, "stands twice"),
        ({"token": [{**ENTRY, "sha256": "AB"}]}, "sha256"),
        ({"token": [{**ENTRY, "role": "king"}]}, "role"),
        ({"token": [{**ENTRY, "name": "a\nb"}]}, "name"),
        ({"shift": [{**SHIFT, "first_week": "2026-01-06"}]}, "its week begins on 2026-01-05"),
        ({"shift": [{**SHIFT, "exceptions": [{"date": "2026-01-06"}]}]}, "a person, or hours"),
        ({"oidc": OIDC}, "public_url is needed"),
        (
            {"public_url": "https://x.example", "oidc": {**OIDC, "issuer": "http://x.example"}},
            "https://",
        ),
    ],
)
def test_what_is_wrong_in_the_section_is_told(more: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        section(**more)


def test_a_line_of_a_scope_must_exist_and_no_secret_stands_in_the_file() -> None:
    sample = Path(__file__).resolve().parents[3] / "config" / "ivrd.toml"
    document = config.document.read_document(sample)
    document["access"] = {
        "token": [{**ENTRY, "lines": ["kommunnen"]}],
        "oidc": {**OIDC, "client_secret": "x"},
    }
    with pytest.raises(ConfigError) as caught:
        config.check(document)
    assert any("client_secret_file" in fault for fault in caught.value.faults)
    document["access"] = {"token": [{**ENTRY, "lines": ["kommunnen"]}]}
    with pytest.raises(ConfigError) as caught:
        config.check(document)
    assert list(caught.value.faults) == [
        "access.token[0].lines[0]: no line is named 'kommunnen'; did you mean kommunen?"
    ]
