"""What a supervisor is told about a queue: one shape for the API, MQTT and whoever else shows it.

Here: the shape, and how it is filled from the floor. Not here: HTTP and MQTT themselves.

Live figures are null while we cannot vouch for them; counts go on from what this daemon counted. A
ratio always stands beside the name of its formula, and is null when there was no traffic.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Protocol

from pydantic import BaseModel, Field
from pydantic_core import to_json

from ivrd.core.floor import QueueView
from ivrd.core.ids import QueueName, SystemName
from ivrd.core.service_level import (
    Counts,
    sl,
    sl_all_ended,
    sl_answered,
    sl_offered,
    sl_queued,
)

RATIO_DECIMALS = 4
"""A ratio to the hundredth of a per cent; the counts beside it are exact."""

FORMULAS: tuple[tuple[str, str, Callable[[Counts], Fraction | None]], ...] = (
    ("sl", "answered within T / (answered + abandoned - short abandons)", sl),
    ("sl_answered", "answered within T / answered", sl_answered),
    ("sl_offered", "answered within T / (answered + abandoned)", sl_offered),
    (
        "sl_all_ended",
        "(answered within T + abandoned within T) / (answered + abandoned)",
        sl_all_ended,
    ),
    ("sl_queued", "(answered within T + abandoned within T) / joined", sl_queued),
)
"""The house default first."""


class Floor(Protocol):
    """Whoever knows what the queues look like now."""

    def queues(self) -> Sequence[QueueView]:
        """Return every queue of every PBX."""

    def queue(self, system: SystemName, queue: QueueName) -> QueueView | None:
        """Return one queue; None when nobody knows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueTitle:
    """What the configuration says of a queue that a screen needs."""

    system: SystemName
    queue: QueueName
    role: str
    title_sv: str
    title_en: str
    service_level_threshold: timedelta
    short_abandon: timedelta


class MembersStatus(BaseModel):
    """Members by what they can do now."""

    available: int
    busy: int
    paused: int
    unavailable: int


class CountsStatus(BaseModel):
    """Whole numbers since `counted_since`."""

    offered: int = Field(description="Joined plus refused.")
    joined: int
    refused: int
    answered: int
    answered_within: int
    abandoned: int
    abandoned_within: int
    short_abandons: int
    timed_out: int
    empty: int
    key_exits: int
    moved_in: int
    moved_out: int
    withdrawn: int
    redirected: int
    closed: int
    diverted: int
    unknown: int
    cases: int


class ServiceLevel(BaseModel):
    """One ratio with its formula."""

    formula: str
    value: float | None = Field(description="0 to 1; null when there was no traffic.")


class QueueStatus(BaseModel):
    """One queue at one moment."""

    system: str
    queue: str
    title_sv: str
    title_en: str
    role: str | None = Field(description="guide or switchboard; null when not configured.")
    at: datetime = Field(description="By Asterisk's clock.")
    is_synced: bool = Field(description="False: live figures are unknown, and null.")
    waiting: int | None
    longest_wait_s: float | None = Field(description="0 when nobody waits.")
    oldest_arrival_at: datetime | None = Field(description="Null also when nobody waits.")
    expected_wait_s: float | None = Field(
        description="Of a caller who enters now; null also when nobody can tell."
    )
    expected_wait_model: str | None = Field(
        description="free-agent or agent-time; null when expected_wait_s is."
    )
    members: MembersStatus | None
    counted_since: datetime | None
    counts: CountsStatus
    service_level_threshold_s: float | None
    short_abandon_s: float | None
    service_levels: dict[str, ServiceLevel]


class QueueList(BaseModel):
    """Every queue."""

    queues: list[QueueStatus]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueText:
    """One queue's status as JSON text, the very text of the API."""

    view: QueueView
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """A status as written last; only `at` and the longest wait change with the time alone."""

    view: QueueView
    title: QueueTitle | None
    before_at: str
    between: str
    after_wait: str


class StatusBook:
    """Queue status on demand.

    A status is some 1,600 characters, and of hundreds of queues few change between two looks: the
    text of each is kept, and written anew when something but the time is different.
    """

    def __init__(
        self, floor: Floor, *, now: Callable[[], datetime], titles: Sequence[QueueTitle]
    ) -> None:
        """Read from `floor`.

        Args:
            floor: Whoever knows the queues.
            now: Asterisk's clock, by which arrivals are stamped.
            titles: The configured queues.
        """
        self._floor = floor
        self._now = now
        self._titles = {(title.system, title.queue): title for title in titles}
        self._kept: dict[tuple[SystemName, QueueName], _Kept] = {}

    def change_titles(self, titles: Sequence[QueueTitle]) -> None:
        """Take the queues of another configuration."""
        self._titles = {(title.system, title.queue): title for title in titles}

    def every(self) -> list[QueueStatus]:
        """Return every queue that the floor knows, in its order."""
        now = self._now()
        return [self._status(view, now) for view in self._floor.queues()]

    def some(self, queues: Iterable[tuple[SystemName, QueueName]]) -> list[QueueStatus]:
        """Return these queues; those that the floor does not know are left out."""
        now = self._now()
        views = [self._floor.queue(system, queue) for system, queue in queues]
        return [self._status(view, now) for view in views if view is not None]

    def one(self, system: SystemName, queue: QueueName) -> QueueStatus | None:
        """Return one queue; None when the floor does not know it."""
        return next(iter(self.some([(system, queue)])), None)

    def as_json(self, system: SystemName, queue: QueueName) -> str | None:
        """Return one queue as JSON text, the very text of the API; None when it is not known."""
        return next((one.text for one in self.texts([(system, queue)])), None)

    def views(self) -> Sequence[QueueView]:
        """Return every queue as the floor has it."""
        return self._floor.queues()

    def texts(
        self, queues: Iterable[tuple[SystemName, QueueName]] | None = None
    ) -> list[QueueText]:
        """Return these queues as JSON text, all of one moment.

        Args:
            queues: Those that the floor does not know are left out; None for every one.
        """
        now = self._now()
        at = to_json(now).decode()
        if queues is None:
            return [self._text(view, now, at) for view in self._floor.queues()]
        views = [self._floor.queue(system, queue) for system, queue in queues]
        return [self._text(view, now, at) for view in views if view is not None]

    def _text(self, view: QueueView, now: datetime, at: str) -> QueueText:
        key = (view.system, view.queue)
        kept, title = self._kept.get(key), self._titles.get(key)
        if kept is None or kept.title is not title or kept.view != view:
            kept = self._kept[key] = self._keep(view, title, now)
        wait_s = _age_s(view.oldest_arrival_at, now) if view.is_synced else None
        wait = to_json(wait_s).decode()
        text = f"{kept.before_at}{at}{kept.between}{wait}{kept.after_wait}"
        return QueueText(view=view, text=text)

    def _keep(self, view: QueueView, title: QueueTitle | None, now: datetime) -> _Kept:
        """Write a status, and cut it where the time stands.

        A key in quotes after a comma stands in no text: quotes inside a text have a backslash.
        """
        text = self._status(view, now).model_dump_json()
        before, _, rest = text.partition(',"at":')
        between, _, after = rest.partition(',"longest_wait_s":')
        between = between[between.index(',"is_synced":') :]
        after = after[after.index(',"oldest_arrival_at":') :]
        return _Kept(
            view=view,
            title=title,
            before_at=f'{before},"at":',
            between=f'{between},"longest_wait_s":',
            after_wait=after,
        )

    def _status(self, view: QueueView, now: datetime) -> QueueStatus:
        title = self._titles.get((view.system, view.queue))
        is_known = view.is_synced
        expected = view.expected if is_known else None
        return QueueStatus(
            system=view.system,
            queue=view.queue,
            title_sv=title.title_sv if title else "",
            title_en=title.title_en if title else "",
            role=title.role if title else None,
            at=now,
            is_synced=view.is_synced,
            waiting=view.waiting if is_known else None,
            longest_wait_s=_age_s(view.oldest_arrival_at, now) if is_known else None,
            oldest_arrival_at=view.oldest_arrival_at if is_known else None,
            expected_wait_s=None if expected is None else _seconds(expected.wait),
            expected_wait_model=None if expected is None else expected.model.value,
            members=_members(view) if is_known else None,
            counted_since=view.counted_since,
            counts=_counts(view.counts),
            service_level_threshold_s=(
                title.service_level_threshold.total_seconds() if title else None
            ),
            short_abandon_s=title.short_abandon.total_seconds() if title else None,
            service_levels={
                name: ServiceLevel(formula=formula, value=_rounded(ratio(view.counts)))
                for name, formula, ratio in FORMULAS
            },
        )


def _members(view: QueueView) -> MembersStatus:
    return MembersStatus(
        available=view.members_available,
        busy=view.members_busy,
        paused=view.members_paused,
        unavailable=view.members_unavailable,
    )


def _counts(counts: Counts) -> CountsStatus:
    return CountsStatus(
        offered=counts.offered,
        joined=counts.joined,
        refused=counts.refused,
        answered=counts.answered,
        answered_within=counts.answered_within,
        abandoned=counts.abandoned,
        abandoned_within=counts.abandoned_within,
        short_abandons=counts.short_abandons,
        timed_out=counts.timed_out,
        empty=counts.empty,
        key_exits=counts.key_exits,
        moved_in=counts.moved_in,
        moved_out=counts.moved_out,
        withdrawn=counts.withdrawn,
        redirected=counts.redirected,
        closed=counts.closed,
        diverted=counts.diverted,
        unknown=counts.unknown,
        cases=counts.cases,
    )


def _age_s(since: datetime | None, now: datetime) -> float:
    """Return seconds; never negative, although two clocks may differ by a little."""
    return 0.0 if since is None else max(0.0, _seconds(now - since))


def _seconds(duration: timedelta) -> float:
    return round(duration.total_seconds(), 3)


def _rounded(ratio: Fraction | None) -> float | None:
    return None if ratio is None else round(float(ratio), RATIO_DECIMALS)
