"""Figures for /metrics that nobody counts live: cases as they stand, rules in force, limits.

Here: reading the database now and then, remembering what the core told, and zeros for what is known
to be none. Not here: the queries (db/), and the exposition (metrics.py).
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

import structlog

from ivrd.config import Config
from ivrd.core.case_record import CaseClass
from ivrd.core.effects import Effect, TellRuleChange
from ivrd.core.hours import begin_of
from ivrd.core.ids import SystemName
from ivrd.db.case_reads import unlabelled
from ivrd.db.connection import DATABASE_ERRORS, reason_of
from ivrd.db.day_counts import cases_since
from ivrd.db.store import Store

PERIOD_S = 10.0
"""How old a figure of cases may be in the ordinary; two reads by an index cost some ms."""

STALE_S = 60.0
"""Older than this it is not known, and absent."""

Clock = Callable[[], datetime]

Figures = Mapping[tuple[str, ...], float]

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class CaseFigures:
    """How many cases wait for a label, and what was opened today."""

    def __init__(
        self,
        store: Store,
        config: Config,
        *,
        systems: list[SystemName],
        now: Callable[[], datetime],
    ) -> None:
        """Read nothing yet."""
        self._store = store
        self._config = config
        self._systems = systems
        self._now = now
        self._read_at_s: float | None = None
        self._unlabelled: Figures = {}
        self._today: Figures = {}
        self._is_failing = False

    def change(self, config: Config) -> None:
        """Take another configuration."""
        self._config = config

    async def run(self) -> None:
        """Read every PERIOD_S, until cancelled."""
        while True:
            try:
                await self._read()
                self._is_failing = False
            except DATABASE_ERRORS as error:
                if not self._is_failing:
                    log.info("case_figures_not_read", reason=reason_of(error))
                self._is_failing = True
            await asyncio.sleep(PERIOD_S)

    async def _read(self) -> None:
        zone = ZoneInfo(self._config.time_zone)
        since = begin_of(self._now().astimezone(zone).date(), zone)
        waiting = await unlabelled(self._store.engine)
        opened = await cases_since(self._store.engine, since=since)
        self._unlabelled = {
            **{
                (system, queue.name): 0
                for system in self._systems
                for queue in self._config.queues
                if queue.role == "guide"
            },
            **{(system, queue): number for (system, queue), number in waiting.items()},
        }
        departments = ("", *(each.code for each in self._config.department))
        self._today = {
            **{
                (system, department, case_class.value): 0
                for system in self._systems
                for department in departments
                for case_class in CaseClass
            },
            **{
                (each.system, each.department or "", each.case_class.value): each.number
                for each in opened
            },
        }
        self._read_at_s = time.monotonic()

    def unlabelled(self) -> Figures:
        """Return how many cases wait for their label, by system and queue."""
        return self._unlabelled if self._is_known() else {}

    def today(self) -> Figures:
        """Return how many were opened today, by system, department and class."""
        return self._today if self._is_known() else {}

    def _is_known(self) -> bool:
        return self._read_at_s is not None and time.monotonic() - self._read_at_s < STALE_S


class RuleFigures:
    """Which overflow rules are in force."""

    def __init__(self, config: Config, *, systems: list[SystemName]) -> None:
        """Know of none that has begun: a tracker begins without."""
        self._config = config
        self._systems = systems
        self._active: dict[tuple[str, str], bool] = {}

    def change(self, config: Config) -> None:
        """Take another configuration."""
        self._config = config

    def observe(self, effect: Effect) -> None:
        """Note that a rule began or ended."""
        if isinstance(effect, TellRuleChange):
            self._active[(effect.system, effect.change.rule)] = effect.change.is_active

    def in_force(self) -> Figures:
        """Return 1 for each rule that is in force, in a dry run too, and 0 for each other."""
        return {
            (system, rule.name): self._active.get((system, rule.name), False)
            for system in self._systems
            for rule in self._config.overflow
        }


class Metrics(Protocol):
    """Where figures are shown (metrics.Metrics)."""

    def register_gauge_source(
        self, name: str, help_text: str, labels: tuple[str, ...], read: Callable[[], Figures], /
    ) -> None: ...


class ReadFigures:
    """All of them."""

    def __init__(
        self,
        store: Store,
        config: Config,
        *,
        systems: list[SystemName],
        now: Callable[[], datetime],
    ) -> None:
        """Read nothing yet."""
        self._config = config
        self._cases = CaseFigures(store, config, systems=systems, now=now)
        self._rules = RuleFigures(config, systems=systems)
        self.run = self._cases.run
        self.observe = self._rules.observe

    def change(self, config: Config) -> None:
        """Take another configuration."""
        self._config = config
        self._cases.change(config)
        self._rules.change(config)

    def register_metrics(self, metrics: Metrics) -> None:
        """Show them at each scrape."""
        metrics.register_gauge_source(
            "ivrd_cases_unlabelled",
            "Cases that are not closed and have no label, now; absent while the database is away.",
            ("system", "queue"),
            self._cases.unlabelled,
        )
        metrics.register_gauge_source(
            "ivrd_cases_today",
            "Cases opened today, and contacts (handed on), as they stand now; an empty department "
            "is nobody's yet. FCR of guides = resolved / all classes.",
            ("system", "department", "class"),
            self._cases.today,
        )
        metrics.register_gauge_source(
            "ivrd_overflow_rule_in_force",
            "1 while an overflow rule is in force, in a dry run too.",
            ("system", "rule"),
            self._rules.in_force,
        )
        metrics.register_gauge_source(
            "ivrd_queue_threshold_seconds",
            "T: answered within so many seconds is answered in time.",
            ("queue",),
            lambda: {
                (each.name,): float(each.service_level_threshold_s) for each in self._config.queues
            },
        )
        metrics.register_gauge_source(
            "ivrd_queue_info",
            "Who serves a queue: guide or switchboard; always 1.",
            ("queue", "role"),
            lambda: {(each.name, each.role): 1 for each in self._config.queues},
        )
