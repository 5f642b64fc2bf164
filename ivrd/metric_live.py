"""The figures that are read at each scrape: queues, connections, outboxes.

Here: names, help texts, and what is left out while it is not known. Not here: what is counted
(metrics.py), and parts of the daemon that only wiring.py knows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ivrd.core.floor import QueueView
from ivrd.core.ids import SystemName
from ivrd.metric_families import SINCE_START, Labels
from ivrd.metric_series import counter, gauge
from ivrd.metric_text import Figures


class Outbox(Protocol):
    """A bounded way out of the daemon."""

    @property
    def sink(self) -> str:
        """Name of the far end."""

    @property
    def depth(self) -> int:
        """What waits now."""

    @property
    def bound(self) -> int:
        """What may wait at most."""

    @property
    def dropped(self) -> int:
        """What was lost because the outbox was full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmiState:
    """One PBX's connection as it is now."""

    is_connected: bool
    last_event_at: datetime | None
    """Asterisk's stamp on the newest event; None before the first."""


def floor_families(views: Sequence[QueueView], now: datetime) -> Iterator[Figures]:
    """Yield the live figures; those of a queue that we cannot vouch for are absent, not zero."""
    synced = [view for view in views if view.is_synced]
    queue = ("system", "queue")
    yield gauge(
        "ivrd_queue_synced",
        "1 when we hold a snapshot and all events since; at 0 the queue's other gauges are absent.",
        queue,
        {(view.system, view.queue): int(view.is_synced) for view in views},
    )
    yield gauge(
        "ivrd_queue_callers",
        "Callers waiting now.",
        queue,
        {(view.system, view.queue): view.waiting for view in synced},
    )
    yield gauge(
        "ivrd_queue_longest_wait_seconds",
        "Now - first arrival in any queue of the longest waiting caller; 0 when nobody waits.",
        queue,
        {(view.system, view.queue): _age_s(view.oldest_arrival_at, now) for view in synced},
    )
    yield gauge(
        "ivrd_queue_expected_wait_seconds",
        "Expected wait of a caller who enters the queue now, by the model that says so.",
        (*queue, "model"),
        {
            (view.system, view.queue, view.expected.model.value): view.expected.wait.total_seconds()
            for view in synced
            if view.expected is not None
        },
    )
    members: dict[Labels, float] = {}
    for view in synced:
        members[(view.system, view.queue, "available")] = view.members_available
        in_call = view.members_busy - view.members_ringing
        members[(view.system, view.queue, "ringing")] = view.members_ringing
        members[(view.system, view.queue, "in_call")] = in_call
        members[(view.system, view.queue, "wrap_up")] = view.members_wrapping_up
        paused = view.members_paused - view.members_wrapping_up
        members[(view.system, view.queue, "paused")] = paused
        members[(view.system, view.queue, "unavailable")] = view.members_unavailable
    yield gauge("ivrd_queue_members", "Members of the queue by state.", (*queue, "state"), members)


def ami_families(states: Mapping[SystemName, AmiState]) -> Iterator[Figures]:
    yield gauge(
        "ivrd_ami_connected",
        "1 while logged in to the PBX's AMI.",
        ("system",),
        {(system,): int(state.is_connected) for system, state in states.items()},
    )
    yield gauge(
        "ivrd_ami_last_event_timestamp_seconds",
        "Asterisk's stamp on the newest event, Unix time; absent before the first.",
        ("system",),
        {
            (system,): state.last_event_at.timestamp()
            for system, state in states.items()
            if state.last_event_at is not None
        },
    )


def outbox_families(outboxes: Sequence[Outbox]) -> Iterator[Figures]:
    sink = ("sink",)
    yield gauge(
        "ivrd_outbox_depth",
        "What waits for the sink now.",
        sink,
        {(outbox.sink,): outbox.depth for outbox in outboxes},
    )
    yield gauge(
        "ivrd_outbox_bound",
        "What may wait for the sink at most; more is dropped.",
        sink,
        {(outbox.sink,): outbox.bound for outbox in outboxes},
    )
    yield counter(
        "ivrd_outbox_dropped_total",
        f"What was lost because the sink's outbox was full. {SINCE_START}",
        sink,
        {(outbox.sink,): outbox.dropped for outbox in outboxes},
    )


def _age_s(since: datetime | None, now: datetime) -> float:
    """Return seconds; never negative, although two clocks may differ by a little."""
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())
