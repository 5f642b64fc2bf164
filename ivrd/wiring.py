"""What the daemon shows of its parts at each scrape, beside what metrics.py counts itself.

Here: names, help texts, and where each number is read. Not here: counting, and the page.
"""

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial

from ivrd.agi.server import AgiServer
from ivrd.ami.client import AmiClient
from ivrd.core.ids import SystemName
from ivrd.core.tracker import Tracker
from ivrd.counts_file import CountsFile
from ivrd.db.outbox import StoreOutbox
from ivrd.db.store import Store
from ivrd.db.words import UNKNOWN_WORDS
from ivrd.engine import INBOX_EVENTS_MAX, Engine
from ivrd.gap import GapFiller
from ivrd.handover.office import HandoverOffice
from ivrd.journal.facts_journal import FactsJournal
from ivrd.lines_now import LineBook
from ivrd.loop_turns import STALL_S, LoopTurns
from ivrd.menu_counts import MenuCounts
from ivrd.metric_live import AmiState
from ivrd.metrics import Metrics
from ivrd.reconciliation import GAUGES as RECONCILE_GAUGES
from ivrd.reconciliation import ResultFile, last_results


def show_engine(metrics: Metrics, engine: Engine) -> None:
    """Show how far the core is behind."""
    metrics.register_gauge_source(
        "ivrd_inbox_depth",
        f"Events that wait for the core; at most {INBOX_EVENTS_MAX}.",
        (),
        lambda: {(): engine.inbox_depth},
    )


def show_counts(metrics: Metrics, counts: CountsFile) -> None:
    """Show whether counts would outlive a kill."""
    metrics.register_gauge_source(
        "ivrd_counts_usable",
        "1 while each count reaches the disk; after an end at 0, counters begin at 0 again.",
        (),
        lambda: {(): counts.is_usable},
    )
    metrics.register_counter_source(
        "ivrd_counts_faults_total",
        "Times that the counts' file could not be written, or not be trusted at the start.",
        (),
        lambda: {(): counts.faults},
    )


def show_loop(metrics: Metrics, turns: LoopTurns) -> None:
    """Show for how long nobody was answered, by the wall clock and by our own work."""
    metrics.register_gauge_source(
        "ivrd_loop_stall_seconds_max",
        "Longest turn of the event loop in the last minute or two.",
        ("clock",),
        turns.longest,
    )
    metrics.register_counter_source(
        "ivrd_loop_stalls_total",
        f"Turns of the event loop that took more than {STALL_S * 1000:g} ms.",
        ("clock",),
        turns.stalls,
    )


def show_reconcile(metrics: Metrics, results: Mapping[SystemName, ResultFile]) -> None:
    """Show what the last `ivrd reconcile` found."""
    for name, (help_text, figure) in RECONCILE_GAUGES.items():
        metrics.register_gauge_source(
            name, help_text, ("system",), partial(last_results, results, figure)
        )


def show_lines(metrics: Metrics, lines: LineBook) -> None:
    """Show which lines are open, and what they are to reach."""
    metrics.register_gauge_source(
        "ivrd_line_open",
        "1 while a line is open, 0 while it is closed.",
        ("line",),
        lines.open_lines,
    )
    metrics.register_gauge_source(
        "ivrd_line_goal_ratio",
        "Share of callers that a line is to answer within its limit; absent without a goal.",
        ("line",),
        lines.goals,
    )
    metrics.register_gauge_source(
        "ivrd_line_goal_seconds",
        "Within how many seconds a line is to answer; absent without a goal.",
        ("line",),
        lines.goal_limits,
    )


def show_menus(metrics: Metrics, *, agi: AgiServer, counts: MenuCounts) -> None:
    """Show callers in menus, and how their connections ended."""
    metrics.register_gauge_source(
        "ivrd_agi_sessions", "Callers in menus now.", (), lambda: {(): agi.sessions_open}
    )
    metrics.register_counter_source(
        "ivrd_agi_sessions_total",
        "AGI connections by how they ended.",
        ("end",),
        lambda: counts.ends,
    )
    metrics.register_counter_source(
        "ivrd_agi_prompts_missing_total",
        "Prompts that Asterisk could not play.",
        ("menu", "prompt"),
        lambda: counts.missing_prompts,
    )


def show_journal(
    metrics: Metrics, *, journal: FactsJournal, outbox: StoreOutbox, store: Store
) -> None:
    """Show how full the journal is, and each way in which a fact may come to harm, or unread."""
    metrics.register_counter_source(
        "ivrd_database_unknown_words_total",
        "Times that a row was read with a word that this version does not know.",
        ("table", "column"),
        UNKNOWN_WORDS.counts,
    )
    gauges: Mapping[str, tuple[str, Callable[[], float]]] = {
        "bytes": ("Size of the journal on disk.", lambda: journal.bytes),
        "bytes_max": ("What the journal may take; more is dropped.", lambda: journal.bytes_max),
        "usable": (
            "1 while facts come to the disk; at 0 they wait in memory, and a crash loses them.",
            lambda: journal.is_usable,
        ),
    }
    counters: Mapping[str, tuple[str, Callable[[], float]]] = {
        "journal_appended": ("Facts written to the journal.", lambda: journal.appended),
        "journal_broken_lines": (
            "Lines of the journal that could not be read, and were set aside.",
            lambda: journal.broken_lines,
        ),
        "journal_faults": ("Times the journal became unusable.", lambda: journal.faults),
        "store_conflicts": (
            "Facts ignored because the database holds a different one under their key.",
            lambda: store.conflicts,
        ),
        "store_refused": (
            "Facts that the database refused for their content, and were set aside.",
            lambda: outbox.refused,
        ),
    }
    for name, (told, read) in gauges.items():
        metrics.register_gauge_source(f"ivrd_journal_{name}", told, (), _single(read))
    for name, (told, read) in counters.items():
        metrics.register_counter_source(f"ivrd_{name}_total", told, (), _single(read))


def show_handover(metrics: Metrics, office: HandoverOffice) -> None:
    """Show what waits for the case systems, and what came of it."""
    gauges = {
        "messages": ("Messages not yet sent.", ("destination", "state"), office.messages),
        "oldest_seconds": ("How long the oldest waits.", ("destination",), office.oldest),
        "reached": ("0 while a case system is in trouble.", ("destination",), office.reached),
    }
    for name, (told, labels, read) in gauges.items():
        metrics.register_gauge_source(f"ivrd_handover_{name}", told, labels, read)
    counters = {
        "sent": ("Messages that a case system has taken.", office.sent),
        "failures": ("Tries to send a message that came to nothing.", office.failures),
    }
    for name, (told, count) in counters.items():
        metrics.register_counter_source(
            f"ivrd_handover_{name}_total", told, ("destination",), count
        )


def show_pbx(metrics: Metrics, client: AmiClient, *, tracker: Tracker, gap: GapFiller) -> None:
    """Show each number of the connection, and how often the PBX's time ran backwards."""
    system = client.system
    metrics.watch_ami(system, _ami_state(client))
    for field in dataclasses.fields(client.counters):
        metrics.register_counter_source(
            f"ivrd_ami_{field.name}_total",
            AMI_COUNTERS[field.name],
            ("system",),
            _reader(client, field.name),
        )
    metrics.register_counter_source(
        "ivrd_clock_clamps_total",
        "Events whose stamp was older than one seen before, and was lifted to it.",
        ("system",),
        lambda: {(system,): tracker.clamps},
    )
    metrics.register_counter_source(
        "ivrd_gap_rows_total",
        "Rows of queue_log that were read to learn what happened in a gap.",
        ("system",),
        lambda: {(system,): gap.rows_read},
    )
    metrics.register_counter_source(
        "ivrd_gap_faults_total",
        "What was wrong with queue_log, or with the kept place in it.",
        ("system", "kind"),
        lambda: gap.damages(),
    )
    metrics.register_gauge_source(
        "ivrd_gap_journal_usable",
        "1 while queue_log can be read; at 0 what happens in a gap stays unknown.",
        ("system",),
        lambda: {(system,): gap.is_usable},
    )
    metrics.register_gauge_source(
        "ivrd_calls_live",
        "Calls remembered now.",
        ("system",),
        lambda: {(system,): tracker.live_calls},
    )


AMI_COUNTERS = {
    "connects": "Connections that came as far as being logged in.",
    "failures": "Connections, or attempts, that ended in trouble.",
    "frames": "Messages received.",
    "frames_dropped": "Messages that nobody wants.",
    "frames_oversized": "Messages thrown away for their size.",
    "frames_garbage": "Messages that were neither event nor answer.",
    "events": "Events handed to the core.",
    "events_refused": "Wanted events that were broken or had no stamp.",
    "events_failed": "Wanted events on which our own parser failed.",
    "overflows": "Times that events came faster than they could be taken, and were lost.",
    "replies_late": "Answers that nobody waited for any more.",
    "actions_timed_out": "Actions that were not answered in time.",
    "lists_incomplete": "Lists that lacked items of those that Asterisk counted.",
    "snapshots": "Snapshots taken.",
    "moves_asked": "Withdraws asked for.",
    "moves_refused": "Withdraws refused, or not sent in time.",
    "pauses_refused": "Pauses for a missing label, or their ends, that Asterisk refused.",
}
"""Help text of each number of `AmiCounters`; a test compares them."""


def _single(read: Callable[[], float]) -> Callable[[], Mapping[tuple[str, ...], float]]:
    return lambda: {(): read()}


def _reader(client: AmiClient, name: str) -> Callable[[], Mapping[tuple[str, ...], float]]:
    return lambda: {(client.system,): getattr(client.counters, name)}


def _ami_state(client: AmiClient) -> Callable[[], AmiState]:
    return lambda: AmiState(is_connected=client.is_connected, last_event_at=client.last_event_at)
