"""A made-up municipality's calls over weeks, as the facts that ivrd stores.

Here: calls, stays, moves and cases with a Monday peak, opening hours and four lines, the same for
the same seed. Not here: the tracker's rules, so nothing of it proves them; it is traffic to report.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from ivrd.core.actors import Origin
from ivrd.core.effects import (
    CallActKind,
    Disposition,
    MoveEnd,
    OpenCase,
    Outcome,
    Reach,
    RecordCall,
    RecordCallAct,
    RecordContact,
    RecordEntry,
    RecordMove,
)
from ivrd.core.ids import CallId, Interface, LineName, QueueName, SystemName
from ivrd.db.store import Storable

ZONE = ZoneInfo("Europe/Stockholm")
PBX = SystemName("pbx1")

BY_WEEKDAY = (1.45, 1.1, 1.0, 0.95, 0.75, 0.0, 0.0)
BY_HOUR = {8: 1.3, 9: 1.6, 10: 1.35, 11: 1.0, 12: 0.7, 13: 1.0, 14: 0.95, 15: 0.75, 16: 0.35}
"""A Monday's forenoon is the busiest."""

SHARE_CLOSED = 0.03
NUMBERS = 5_000
"""Callers, by names instead of numbers: no phone has them."""

SHARE_LABELLED = 0.95

SUBJECTS = (
    ("utbildning", "forskola"),
    ("stadsbyggnad", "bygglov"),
    ("teknisk", "vatten-avlopp"),
    ("social", "ekonomiskt-bistand"),
    ("kultur-fritid", "bibliotek"),
    ("miljo", "livsmedel"),
)
SUBJECT_WEIGHTS = (30, 20, 20, 15, 10, 5)

MENU_ENDS = (
    (0.05, Outcome.MENU_HANGUP),
    (0.09, Outcome.INFORMED),
    (0.10, Outcome.DIRECTED),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One call's facts."""

    call: RecordCall
    entries: tuple[RecordEntry, ...]
    move: RecordMove | None
    case: OpenCase | RecordContact | None
    label: RecordCallAct | None = None

    def all(self) -> Iterator[Storable]:
        """Yield them in the order in which the tracker tells them."""
        yield from self.entries
        if self.move is not None:
            yield self.move
        yield self.call
        if self.label is not None:
            yield self.label
        if self.case is not None:
            yield self.case


def calls(first: date, last: date, *, per_week: int, seed: int = 1) -> Iterator[Told]:
    """Yield the calls of some days, both ends inclusive, in order of arrival."""
    chance = Random(seed)
    number = 0
    weight = sum(BY_WEEKDAY) * sum(BY_HOUR.values())
    day = first
    while day <= last:
        moments = []
        for hour, share in BY_HOUR.items():
            mean = per_week * BY_WEEKDAY[day.weekday()] * share / weight
            begins = datetime.combine(day, time(hour), tzinfo=ZONE).astimezone(UTC)
            moments += [
                begins + timedelta(seconds=chance.uniform(0, 3600)) for _ in range(round(mean))
            ]
        for at in sorted(moments):
            number += 1
            yield _call(chance, at, number)
        day += timedelta(days=1)


def _call(chance: Random, at: datetime, number: int) -> Told:
    line = chance.choices(
        ("kommunen", "avfall", "aldre-direkt", "internt"), weights=(70, 15, 10, 5)
    )[0]
    call_id = CallId(f"{PBX}/{int(at.timestamp())}.{number}")
    luck = chance.random()
    if luck < SHARE_CLOSED:
        return _ended(chance, call_id, line, at, Outcome.CLOSED)
    for share, outcome in MENU_ENDS:
        if luck < SHARE_CLOSED + share:
            return _ended(chance, call_id, line, at, outcome)
    queue = {
        "kommunen": chance.choice(("vaxel", "kc")),
        "avfall": "va",
        "aldre-direkt": "aldre",
        "internt": "vaxel",
    }[line]
    return _queued(chance, call_id, line, at + timedelta(seconds=chance.uniform(4, 25)), at, queue)


def _ended(chance: Random, call_id: CallId, line: str, at: datetime, outcome: Outcome) -> Told:
    ended = at + timedelta(seconds=chance.uniform(2, 30))
    call = _record(chance, call_id, line, at, ended, outcome, entries=())
    return Told(call=call, entries=(), move=None, case=None)


def _queued(
    chance: Random, call_id: CallId, line: str, joined: datetime, at: datetime, queue: str
) -> Told:
    load = BY_WEEKDAY[at.astimezone(ZONE).weekday()] * BY_HOUR[at.astimezone(ZONE).hour]
    wait = _ms(chance.expovariate(1 / (22 * load)))
    patience = _ms(chance.weibullvariate(400, 1.0))
    entries: list[RecordEntry] = []
    move = None
    waited = timedelta(0)
    if queue == "vaxel" and line != "internt" and wait > timedelta(seconds=90):
        waited = timedelta(seconds=60)
        entries.append(_entry(call_id, 1, queue, joined, Disposition.MOVED, waited, waited))
        move = RecordMove(
            at=joined + waited,
            system=PBX,
            call_id=call_id,
            from_queue=QueueName("vaxel"),
            to_queue=QueueName("kc"),
            reason="vaxel-hog-last",
            end=MoveEnd.LANDED,
        )
        queue = "kc"
    entered = joined + waited
    if patience < wait:
        left = max(patience - waited, timedelta(0))
        stay = _entry(
            call_id, len(entries) + 1, queue, entered, Disposition.ABANDONED, left, waited + left
        )
        entries.append(stay)
        call = _record(
            chance, call_id, line, at, stay.at, Outcome.ABANDONED, entries=tuple(entries)
        )
        return Told(call=call, entries=tuple(entries), move=move, case=None)
    is_guide = queue in ("kc", "aldre")
    talk = _ms(chance.lognormvariate(5.1 if is_guide else 3.1, 0.7))
    stay = _entry(
        call_id,
        len(entries) + 1,
        queue,
        entered,
        Disposition.ANSWERED,
        wait - waited,
        wait,
        agent=chance.randrange(9),
        talk=talk,
    )
    entries.append(stay)
    is_handed = chance.random() < (0.2 if is_guide else 0.95)
    outcome = Outcome.SWITCHBOARD
    if is_guide:
        outcome = Outcome.HANDED_ON if is_handed else Outcome.RESOLVED
    call = _record(
        chance,
        call_id,
        line,
        at,
        stay.at,
        outcome,
        entries=tuple(entries),
        transfers=int(is_handed),
    )
    case = _case(call, stay) if is_guide else None
    label = _label(chance, call, stay) if outcome is Outcome.RESOLVED else None
    return Told(call=call, entries=tuple(entries), move=move, case=case, label=label)


def _entry(
    call_id: CallId,
    number: int,
    queue: str,
    joined: datetime,
    disposition: Disposition,
    own: timedelta,
    wait: timedelta,
    *,
    agent: int | None = None,
    talk: timedelta | None = None,
) -> RecordEntry:
    answered_at = None if talk is None else joined + own
    return RecordEntry(
        at=joined + own + (talk or timedelta(0)),
        system=PBX,
        call_id=call_id,
        number=number,
        queue=QueueName(queue),
        joined_at=joined,
        disposition=disposition,
        entry_wait=own,
        wait=wait,
        interface=None if agent is None else Interface(f"PJSIP/{queue}{agent}"),
        agent=None if agent is None else f"{queue}{agent}",
        answered_at=answered_at,
        talk=talk,
    )


def _record(
    chance: Random,
    call_id: CallId,
    line: str,
    at: datetime,
    ended: datetime,
    outcome: Outcome,
    *,
    entries: tuple[RecordEntry, ...],
    transfers: int = 0,
) -> RecordCall:
    who = chance.randrange(NUMBERS)
    is_hidden = chance.random() < 0.08
    last = entries[-1] if entries else None
    return RecordCall(
        at=ended,
        system=PBX,
        call_id=call_id,
        line=LineName(line),
        caller_number=None if is_hidden else f"citizen{who}",
        arrived_at=at,
        choice=None if last is None else entries[0].queue,
        digit=None,
        is_static_menu=False,
        tries=0,
        outcome=outcome,
        wait=last.wait if last is not None and last.answered_at is not None else None,
        first_queue=entries[0].queue if entries else None,
        last_queue=last.queue if last is not None else None,
        moves=len(entries) - 1 if entries else 0,
        transfers=transfers,
        hand_over=Reach.REACHED if transfers else None,
        path="huvudmeny",
        language="sv",
    )


def _case(call: RecordCall, stay: RecordEntry) -> OpenCase | RecordContact:
    assert stay.interface is not None
    assert stay.answered_at is not None
    kind = OpenCase if call.outcome is Outcome.RESOLVED else RecordContact
    return kind(
        at=call.at,
        system=PBX,
        call_id=call.call_id,
        rule="resolved-by-guide",
        line=call.line,
        queue=stay.queue,
        agent=stay.agent or stay.interface,
        interface=stay.interface,
        department="aldre" if stay.queue == "aldre" else None,
        answered_at=stay.answered_at,
    )


def _label(chance: Random, call: RecordCall, stay: RecordEntry) -> RecordCallAct | None:
    """Return what the guide pressed; none at all on some calls."""
    if stay.queue == "aldre" or chance.random() > SHARE_LABELLED:
        return None
    department, subject = chance.choices(SUBJECTS, weights=SUBJECT_WEIGHTS)[0]
    return RecordCallAct(
        act_id=f"act-{call.call_id}",
        at=call.at,
        system=PBX,
        call_id=call.call_id,
        agent=stay.agent or "",
        what=CallActKind.LABEL,
        value=subject,
        department=department,
        who=stay.agent or "",
        from_where=Origin.PHONE,
    )


def _ms(seconds: float) -> timedelta:
    return timedelta(milliseconds=round(seconds * 1000))
