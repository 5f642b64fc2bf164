"""Puts the parts for personal data together, for the composition root.

Here: which parts, and what is shown of them. Not here: any rule.

    personal = personal_data.wire(config)
    StoreOutbox(..., callers=personal.callers); AmiClient(..., personal.recordings.tap(submit), ...)
    personal.register_metrics(metrics)
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import structlog

from ivrd.config import Config
from ivrd.core.case_messages import CaseMessage
from ivrd.core.ids import LineName, SystemName
from ivrd.db.store import Store
from ivrd.handover.destination import NumberOf
from ivrd.person_file import Reader, read_number
from ivrd.privacy.callers import NO_KEY, Callers, sealer_of
from ivrd.protected_file import ProtectedFile
from ivrd.recording_watch import RecordingWatch
from ivrd.retention import PurgeFile

Counts = Mapping[tuple[str, ...], float]

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Metrics(Protocol):
    """Where figures are shown (metrics.Metrics)."""

    def register_gauge_source(
        self, name: str, help_text: str, labels: tuple[str, ...], read: Callable[[], Counts], /
    ) -> None: ...

    def register_counter_source(
        self, name: str, help_text: str, labels: tuple[str, ...], read: Callable[[], Counts], /
    ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalData:
    """What seals numbers, who is protected, what is recorded, and when was purged."""

    callers: Callers
    protected: ProtectedFile
    recordings: RecordingWatch
    purge_file: PurgeFile
    has_key: bool

    def number_of(self, store: Store) -> NumberOf:
        """Return what reads a call's number for a case system that is to have it.

        Each reading leaves a row, as a person's does: who is the destination.
        """

        async def number_of(message: CaseMessage) -> str | None:
            call_id = str(json.loads(message.payload)["case"]["call_id"])
            by = Reader(
                who=f"handover {message.destination}",
                role="administrator",
                why="includes_number of this destination",
            )
            return await read_number(store.engine, self.callers, call_id, by, at=datetime.now(UTC))

        return number_of

    def note_start(self) -> None:
        """Say once that no number is kept, if so."""
        if not self.has_key:
            log.warning("numbers_not_kept", reason=NO_KEY)

    def register_metrics(self, metrics: Metrics) -> None:
        """Show what an answerable person must see."""
        metrics.register_gauge_source(
            "ivrd_recorded_channels",
            "Channels that Asterisk records now (MixMonitor), by line; must be 0.",
            ("system", "line"),
            self.recordings.counts,
        )
        metrics.register_counter_source(
            "ivrd_recordings_total",
            "Recordings that began.",
            (),
            lambda: {(): self.recordings.begun},
        )
        metrics.register_gauge_source(
            "ivrd_purge_last_run_timestamp_seconds",
            "When the last `ivrd purge` ended; absent before the first.",
            (),
            self.purge_file.last_run,
        )
        metrics.register_gauge_source(
            "ivrd_numbers_sealed",
            "1 when there is a key for callers' numbers; at 0 none is kept.",
            (),
            lambda: {(): self.has_key},
        )
        metrics.register_gauge_source(
            "ivrd_protected_numbers",
            "Entries in the list of protected numbers.",
            (),
            lambda: {(): len(self.protected)},
        )
        metrics.register_counter_source(
            "ivrd_protected_list_faults_total",
            "Times that the list of protected numbers could not be read.",
            (),
            lambda: {(): self.protected.faults},
        )


def wire(config: Config) -> PersonalData:
    """Build the parts."""
    sealer = sealer_of(config.privacy)
    protected = ProtectedFile(config.state_directory)
    return PersonalData(
        callers=Callers(config.privacy, sealer=sealer, protected=protected),
        protected=protected,
        recordings=RecordingWatch(
            systems=[SystemName(pbx.name) for pbx in config.pbx],
            lines=[LineName(line.name) for line in config.lines],
        ),
        purge_file=PurgeFile(config.state_directory),
        has_key=sealer is not None,
    )
