"""The whole daemon behind its HTTP application, without a PBX: events are put in by hand.

The configuration is the sample's, with SQLite in a directory of its own; tokens for each role.
"""

import contextlib
import time
import tomllib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from ivrd import config
from ivrd.access.tokens import fingerprint, new_token
from ivrd.app import App
from ivrd.config import PrivacyConfig, Supervision
from ivrd.core import events as on
from ivrd.core.effects import Effect
from ivrd.core.ids import CallId, Interface, LineName, QueueName, SystemName
from ivrd.core.switches import RecordAct
from ivrd.privacy.sealing import new_key_line

SAMPLE = Path(__file__).resolve().parents[2] / "config" / "ivrd.toml"
PBX = SystemName("pbx1")
URL = "http://ivrd.example"

ROLES: dict[str, tuple[str, list[str]]] = {
    "gun": ("guide", []),
    "vera": ("viewer", []),
    "sture": ("supervisor", []),
    "adam": ("administrator", []),
    "ava": ("supervisor", ["avfall"]),
    "lena": ("viewer", []),
}
"""Name: role and lines. Lena leads the shift at times."""

SHIFT = {
    "name": "kc",
    "people": ["lena"],
    "first_week": "2026-01-05",
    "week": {"mon-sun": "0.00-24.00"},
    "lines": ["kommunen"],
}


class Town:
    """The daemon and everybody's tokens."""

    def __init__(
        self, directory: Path, *, more: dict[str, object] | None = None, **access: object
    ) -> None:
        self.tokens = {name: new_token() for name in ROLES}
        entries = [
            {
                "name": name,
                "role": role,
                "lines": lines,
                "agent": f"PJSIP/{name}",
                "sha256": fingerprint(self.tokens[name]),
            }
            for name, (role, lines) in ROLES.items()
        ]
        document = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))
        document["state_directory"] = str(directory / "state")
        document["database"] = {"url": f"sqlite+aiosqlite:///{directory}/ivrd.sqlite"}
        document["journal"] = {"directory": str(directory / "journal")}
        document["access"] = {"token": entries, **access}
        document |= more or {}
        document.pop("prompt_sheet", None)
        keys = PrivacyConfig(keys=(SecretStr(new_key_line(datetime.now(UTC))),))
        self.settings = config.check(document).model_copy(update={"privacy": keys})
        supervision = Supervision(notify_socket=None, watchdog_s=None)
        self.daemon = App(self.settings, path=SAMPLE, supervision=supervision)
        self.acts: list[RecordAct] = []
        board = self.daemon._switches.board
        board.audit._record = self.acts.append
        for clock in self.daemon._clocks.values():
            heard_s = time.monotonic()
            clock.observe_ping(datetime.now(UTC), sent_s=heard_s, received_s=heard_s)

    @property
    def app(self) -> FastAPI:
        return self.daemon._site._app

    def apply(self, *events: on.Event) -> tuple[Effect, ...]:
        return tuple(effect for event in events for effect in self.daemon._engine.apply(event))

    def fill(self) -> None:
        """Let two callers wait and two agents serve."""
        now = datetime.now(UTC) - timedelta(seconds=30)
        members = (
            a_member("kc", "PJSIP/gun", now),
            a_member("kc", "PJSIP/kim", now),
            a_member("va", "PJSIP/vilma", now),
        )
        queues = tuple(
            on.QueueSnapshot(
                queue=QueueName(queue.name),
                members=tuple(member for member in members if member.queue == queue.name),
                callers=(),
            )
            for queue in self.settings.queues
        )
        self.apply(
            on.SnapshotTaken(
                at=now, system=PBX, queues=queues, channels=frozenset(), can_withdraw=True
            ),
            *arrivals("kommunen", "1700000000.1", "kc", now + timedelta(seconds=1)),
            *arrivals("avfall", "1700000000.2", "va", now + timedelta(seconds=2)),
        )

    @contextlib.asynccontextmanager
    async def client(self, name: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
        headers = {} if name is None else {"authorization": f"Bearer {self.tokens[name]}"}
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(
            transport=transport, base_url=URL, headers=headers, timeout=60.0
        ) as client:
            yield client


def a_member(queue: str, name: str, at: datetime, **more: object) -> on.MemberChanged:
    settings: dict[str, object] = {"device_state": 1, "is_paused": False, "is_in_call": False}
    return on.MemberChanged(
        at=at,
        system=PBX,
        queue=QueueName(queue),
        interface=Interface(name),
        member_name=name,
        **{**settings, **more},  # type: ignore[arg-type]
    )


def arrivals(line: str, unique: str, queue: str, at: datetime) -> list[on.Event]:
    call_id = CallId(f"{PBX}/{unique}")
    channel = f"PJSIP/trunk-{unique}"
    return [
        on.CallArrived(
            at=at,
            system=PBX,
            call_id=call_id,
            linked_id=call_id,
            channel=channel,
            line=LineName(line),
            caller_number="+46701740612",
        ),
        on.CallerJoined(
            at=at,
            system=PBX,
            call_id=call_id,
            linked_id=call_id,
            channel=channel,
            queue=QueueName(queue),
            position=1,
        ),
    ]
