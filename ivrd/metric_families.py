"""The metrics that the daemon counts itself: names, labels, help texts.

Here: the list that operators read. Not here: counting, and the figures read at each scrape
(metrics.py, app.py).
"""

from collections.abc import Mapping

Labels = tuple[str, ...]

WAITS = "ivrd_queue_wait_seconds"
WAIT_ERRORS = "ivrd_queue_expected_wait_error_seconds"

FAMILIES: Mapping[str, tuple[Labels, str]] = {
    "ivrd_queue_entries_total": (
        ("system", "queue", "disposition"),
        "Stays in a queue by how they ended, counted when that is fixed: at the answer, or at the "
        "unanswered exit. Refused callers (full, join_empty) never joined.",
    ),
    WAITS: (
        ("system", "queue", "disposition"),
        "Seconds from first arrival in any queue to the answer or the unanswered exit. Service "
        'level sl = answered{le="T"} / (answered{le="+Inf"} + abandoned{le="+Inf"} - '
        'abandoned{le="X"}), with the queue\'s threshold T and short-abandon limit X. Unknown '
        "waits are in no bucket.",
    ),
    WAIT_ERRORS: (
        ("system", "queue", "model", "told"),
        "Expected wait at entry - wait in this queue until the answer, without its sign; told is "
        "too_long or too_short. Bias = (sum of too_long - sum of too_short) / count of both. "
        "Callers who were not answered are not in it, so it leans towards short waits.",
    ),
    "ivrd_queue_moves_total": (
        ("system", "from_queue", "to_queue", "reason"),
        "Callers moved to another queue by our policy, proven by their arrival there.",
    ),
    "ivrd_queue_move_failures_total": (
        ("system", "from_queue", "to_queue", "reason", "end"),
        "Moves that were asked for and did not come about, by how they ended.",
    ),
    "ivrd_menu_outcomes_total": (
        ("system", "menu", "outcome", "digit", "runner"),
        "Visits to a tone menu by outcome and accepted key; runner is who ran it: daemon, or "
        "dialplan (the static twin, because the daemon was not there).",
    ),
    "ivrd_notices_total": (
        ("system", "notice", "end"),
        "Times that a notice was played; end is heard, or hung_up for a caller who hung up during "
        "it: the question was answered.",
    ),
    "ivrd_calls_total": (
        ("system", "line", "outcome"),
        "Ended calls by outcome; an empty line means that the call's beginning was not seen.",
    ),
    "ivrd_cases_opened_total": (("system", "queue", "rule"), "Cases that the rule opened."),
    "ivrd_events_total": (("system", "event"), "Events that the core was given, by kind."),
    "ivrd_events_unexpected_total": (
        ("system", "state", "event"),
        "Events that did not fit the state and changed nothing.",
    ),
    "ivrd_events_failed_total": (
        ("system", "event"),
        "Events that met a fault of ours; the call concerned was dropped from the figures.",
    ),
}
"""Labels and help text of all that is counted here."""
