"""What people did, read back by whoever may see it; and numbers, to whoever may see those."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from ivrd.access import Grant, Person, Role
from ivrd.audit_desk import AuditDesk, Touched
from ivrd.config import PrivacyConfig
from ivrd.core.ids import LineName
from ivrd.core.switches import RecordAct, Switch, SwitchKind
from ivrd.db.audit import Audited, AuditFilter, AuditPlace
from ivrd.db.models import NumberReadRow
from ivrd.db.store import Store
from ivrd.number_desk import NumberDesk
from ivrd.person_file import NotAllowed
from ivrd.privacy.callers import Callers, sealer_of
from ivrd.privacy.sealing import new_key_line
from tests.integration.db.samples import AT, a_call_id, a_case, a_recorded_call, an_act

pytestmark = pytest.mark.asyncio(loop_scope="session")

NUMBER = "+46701740605"

EVERYTHING = AuditFilter()


def somebody(name: str, role: Role, *lines: str) -> Person:
    return Person(name=name, grants=(Grant(role=role, lines=frozenset(lines)),))


ADAM = somebody("adam", Role.ADMINISTRATOR)
STURE = somebody("sture", Role.SUPERVISOR)
AVA = somebody("ava", Role.SUPERVISOR, "avfall")


def lines_of(switch: Switch) -> frozenset[str]:
    return frozenset({switch.name}) if switch.kind is SwitchKind.LINE else frozenset()


TOUCHED = Touched(
    of_switch=lines_of,
    queues_of=lambda agent: frozenset(),
    find=lambda call: None,
    queue_lines=lambda: {},
)


def act(number: int, subject: str, who: str = "sture") -> RecordAct:
    return replace(an_act(number), subject=subject, who=who, act=subject.partition(" ")[0])


def callers() -> Callers:
    config = PrivacyConfig(keys=(SecretStr(new_key_line(AT)),))
    return Callers(config, sealer=sealer_of(config))


async def filled(engine: AsyncEngine) -> Callers:
    """Store acts on two lines, their calls, a case, and a look at a number."""
    store, keys = Store(engine), callers()
    for number, line in ((1, "kommunen"), (2, "avfall")):
        call = replace(a_recorded_call(number, number=NUMBER), line=LineName(line))
        await store.save_call(keys.closed(call))
    await store.save_batch([replace(a_case(2), line=LineName("avfall"))])
    for done in (
        act(1, "line kommunen"),
        act(2, "line avfall"),
        act(3, f"call {a_call_id(1)} to va"),
        act(4, f"call {a_call_id(2)} to kc", "anna"),
        act(5, "configuration", "adam"),
        act(6, "line kommunen", "ava"),
    ):
        await store.save_act(done)
    return keys


def subjects(found: list[Audited]) -> list[str]:
    return [f"{one.who}: {one.subject}" for one in found]


async def all_pages(desk: AuditDesk, person: Person, wanted: AuditFilter) -> list[Audited]:
    found: list[Audited] = []
    after: AuditPlace | None = None
    while True:
        page = await desk.page(person, wanted, after=after, count=2)
        found += page.found
        assert len(page.found) <= 2
        if page.next is None:
            return found
        after = page.next


async def test_the_audit_is_cut_to_the_lines_and_read_page_by_page(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(engine)
    desk = AuditDesk(engine, TOUCHED)
    everything = [
        "ava: line kommunen",
        "adam: configuration",
        f"anna: call {a_call_id(2)} to kc",
        f"sture: call {a_call_id(1)} to va",
        "sture: line avfall",
        "sture: line kommunen",
    ]
    assert subjects(await all_pages(desk, STURE, EVERYTHING)) == everything
    # Ava sees what touched her line, and what she tried herself.
    mine = [everything[0], everything[2], everything[4]]
    assert subjects(await all_pages(desk, AVA, EVERYTHING)) == mine
    monkeypatch.setattr("ivrd.audit_desk.ROWS_AT_ONCE", 2)
    monkeypatch.setattr("ivrd.audit_desk.ROWS_MAX", 2)
    assert subjects(await all_pages(desk, AVA, EVERYTHING)) == mine


async def test_the_audit_is_sought_by_time_by_who_and_by_act(engine: AsyncEngine) -> None:
    await filled(engine)
    desk = AuditDesk(engine, TOUCHED)

    def at(number: int) -> datetime:
        return AT + timedelta(seconds=number)

    found = await all_pages(desk, STURE, AuditFilter(since=at(2), until=at(4)))
    assert [one.at for one in found] == [at(3), at(2)]
    assert len(await all_pages(desk, STURE, AuditFilter(who="sture"))) == 3
    assert len(await all_pages(desk, STURE, AuditFilter(who="sture", act="line"))) == 2
    assert await all_pages(desk, STURE, AuditFilter(act="number_read")) == []


async def test_of_one_moment_no_act_is_left_out_or_told_twice(engine: AsyncEngine) -> None:
    store = Store(engine)
    for number in range(5):
        await store.save_act(replace(an_act(number), at=AT))
    found = await all_pages(AuditDesk(engine, TOUCHED), STURE, EVERYTHING)
    assert [one.key for one in found] == [f"act{number}" for number in range(4, -1, -1)]


async def test_a_number_is_read_for_those_who_may_and_each_look_is_in_the_audit(
    engine: AsyncEngine,
) -> None:
    keys = await filled(engine)
    numbers = NumberDesk(engine, keys, now=lambda: AT)
    of_case = await numbers.of_case(1)
    assert of_case is not None
    assert (of_case.call_id, of_case.line) == (a_call_id(2), "avfall")
    assert await numbers.of_case(99) is None
    assert await numbers.of_call("pbx1/nobody") is None
    owner = await numbers.of_call(a_call_id(1))
    assert owner is not None
    assert owner.line == "kommunen"
    why = "hot mot handläggare, ring 0701740605"
    with pytest.raises(NotAllowed):
        await numbers.read(owner.call_id, who="sture", role="supervisor", why=why)
    read = await numbers.read(owner.call_id, who="adam", role="administrator", why=why)
    assert read == NUMBER
    async with engine.connect() as connection:
        [row] = (await connection.execute(select(NumberReadRow.__table__))).all()
    assert (row.who, row.role, row.call_id) == ("adam", "administrator", owner.call_id)
    assert "0605" not in row.why
    desk = AuditDesk(engine, TOUCHED)
    [look] = await all_pages(desk, ADAM, AuditFilter(act="number_read"))
    assert (look.who, look.subject, look.origin) == ("adam", f"call {owner.call_id}", None)
    assert "0605" not in look.reason
    assert len(await all_pages(desk, ADAM, EVERYTHING)) == 7
    assert len(await all_pages(desk, STURE, EVERYTHING)) == 6
    anders = somebody("anders", Role.ADMINISTRATOR, "avfall")
    assert await all_pages(desk, anders, AuditFilter(act="number_read")) == []
