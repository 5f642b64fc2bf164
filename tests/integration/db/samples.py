"""Facts and empty databases for the tests of the store, its outbox and the migrations."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from ivrd.config import DatabaseConfig
from ivrd.core.decisions import DecidedKind, RecordDecision
from ivrd.core.effects import (
    CallActKind,
    Disposition,
    MoveEnd,
    OpenCase,
    Outcome,
    RecordCall,
    RecordCallAct,
    RecordContact,
    RecordEntry,
    RecordMove,
)
from ivrd.core.ids import CallId, Interface, LineName, QueueName, SystemName
from ivrd.core.switches import ActOutcome, Origin, RecordAct
from ivrd.db.connection import open_engine
from ivrd.db.facts import CallFacts, facts_of
from ivrd.db.models import Base
from ivrd.db.store import Storable
from tests.lab.postgres import Postgres

WITHIN_S = 60.0
REPOSITORY = Path(__file__).parents[3]
AT = datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=UTC)
PBX = SystemName("pbx1")
KC = QueueName("kc")
VAXEL = QueueName("vaxel")


async def eventually(condition: Callable[[], bool], *, what: str) -> None:
    """Wait for a condition, and fail after WITHIN_S."""
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {WITHIN_S} s: {what}")
        await asyncio.sleep(0.01)


def a_call_id(number: int) -> CallId:
    return CallId(f"{PBX}/1772442000.{number}")


def an_entry(number: int = 1, *, call: int = 1) -> RecordEntry:
    return RecordEntry(
        at=AT + timedelta(seconds=90),
        system=PBX,
        call_id=a_call_id(call),
        number=number,
        queue=KC,
        joined_at=AT,
        disposition=Disposition.ANSWERED,
        entry_wait=timedelta(seconds=25, microseconds=1),
        wait=timedelta(seconds=25),
        interface=Interface("PJSIP/anna"),
        agent="Anna Åkesson",
        answered_at=AT + timedelta(seconds=25),
        talk=None,
    )


def a_recorded_call(
    call: int = 1, *, arrived_at: datetime = AT, number: str | None = None
) -> RecordCall:
    return RecordCall(
        at=arrived_at + timedelta(seconds=95),
        system=PBX,
        call_id=a_call_id(call),
        line=LineName("main"),
        caller_number=number,
        arrived_at=arrived_at,
        choice="kc",
        digit=None,
        is_static_menu=False,
        tries=0,
        outcome=Outcome.RESOLVED,
        wait=timedelta(seconds=25),
        first_queue=VAXEL,
        last_queue=KC,
        moves=1,
        transfers=0,
    )


def a_move(call: int = 1) -> RecordMove:
    return RecordMove(
        at=AT + timedelta(seconds=5),
        system=PBX,
        call_id=a_call_id(call),
        from_queue=VAXEL,
        to_queue=KC,
        reason="rush",
        end=MoveEnd.LANDED,
    )


def a_case(call: int = 1) -> OpenCase:
    return OpenCase(
        at=AT + timedelta(seconds=95),
        system=PBX,
        call_id=a_call_id(call),
        rule="resolved-by-guide",
        line=LineName("main"),
        queue=KC,
        agent="Anna Åkesson",
        interface=Interface("PJSIP/anna"),
        department=None,
        answered_at=AT + timedelta(seconds=25),
    )


def a_contact(call: int = 1) -> RecordContact:
    case = a_case(call)
    return RecordContact(**{field.name: getattr(case, field.name) for field in fields(case)})


def a_call_act(
    number: int = 1,
    *,
    call: int = 1,
    what: CallActKind = CallActKind.LABEL,
    value: str = "va.lacka",
    department: str | None = "teknisk",
    seconds: float = 60,
) -> RecordCallAct:
    """Return what a guide keyed in, by default during the talk of `a_case`."""
    return RecordCallAct(
        act_id=f"key{number}",
        at=AT + timedelta(seconds=seconds),
        system=PBX,
        call_id=a_call_id(call),
        agent="Anna Åkesson",
        what=what,
        value=value if what is CallActKind.LABEL else "",
        department=department if what is CallActKind.LABEL else None,
        who="Anna Åkesson",
        from_where=Origin.PHONE,
    )


def an_act(number: int = 1) -> RecordAct:
    return RecordAct(
        act_id=f"act{number}",
        at=AT + timedelta(seconds=number),
        who="anna as root",
        from_where=Origin.CONTROL,
        act="notice_on",
        subject="notice driftstorning",
        reason="Vattenläcka i Råsunda",
        until=AT + timedelta(hours=4),
        outcome=ActOutcome.DONE,
    )


def a_decision(
    call: int = 1, *, what: DecidedKind = DecidedKind.ASKED, seconds: float = 4
) -> RecordDecision:
    return RecordDecision(
        at=AT + timedelta(seconds=seconds),
        system=PBX,
        call_id=a_call_id(call) if call else CallId(""),
        what=what,
        rule="rush",
        from_queue=VAXEL,
        to_queue=KC,
        is_dry_run=False,
        is_by_hand=False,
        who="",
        why="",
        figures='{"held":[{"figure":"waiting","level":12,"limit":10}]}',
    )


def all_of_a_call(call: int) -> list[Storable]:
    return [an_entry(call=call), a_move(call), a_recorded_call(call), a_case(call)]


@dataclass
class Database:
    """One empty database of one kind."""

    kind: str
    config: DatabaseConfig


async def a_postgres_config(postgres: Postgres) -> DatabaseConfig:
    name = f"t{uuid4().hex[:12]}"
    await postgres.create_database(name)
    return DatabaseConfig(
        url=f"postgresql+asyncpg://{postgres.user}@{postgres.host}:{postgres.port}/{name}",
        password=SecretStr(postgres.password),
    )


@contextlib.asynccontextmanager
async def an_engine(config: DatabaseConfig) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(config)
    try:
        yield engine
    finally:
        await engine.dispose()


async def rows_in(engine: AsyncEngine, table: type[Base]) -> int:
    async with engine.connect() as connection:
        count = await connection.scalar(select(func.count()).select_from(table))
    assert count is not None
    return count


async def all_facts(engine: AsyncEngine) -> list[CallFacts]:
    year = timedelta(days=365)
    return [facts async for facts in facts_of(engine, system=PBX, since=AT - year, until=AT + year)]
