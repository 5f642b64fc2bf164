"""The metrics that the daemon counts itself: names, labels, help texts.

Here: the list that operators read. Not here: counting, and the figures read at each scrape
(metrics.py, app.py).
"""

from collections.abc import Mapping

Labels = tuple[str, ...]

WAITS = "ivrd_queue_wait_seconds"
WAIT_ERRORS = "ivrd_queue_expected_wait_error_seconds"
LINE_WAITS = "ivrd_line_wait_seconds"
TALKS = "ivrd_queue_talk_seconds"
JOINED = "ivrd_queue_joined_total"
ENTRIES = "ivrd_queue_entries_total"
SERVICE = "ivrd_queue_service_total"
LINE_SERVICE = "ivrd_line_service_total"
MOVES = "ivrd_queue_moves_total"
MOVE_FAILURES = "ivrd_queue_move_failures_total"
CHOICES = "ivrd_menu_outcomes_total"
NOTICES = "ivrd_notices_total"
MENU_SECONDS = "ivrd_menu_seconds_total"
WRONG_KEYS = "ivrd_menu_wrong_keys_total"
REPEATS = "ivrd_menu_repeats_total"
CALLS = "ivrd_calls_total"
CASES = "ivrd_cases_opened_total"

LASTING = (
    JOINED,
    ENTRIES,
    SERVICE,
    LINE_SERVICE,
    MOVES,
    MOVE_FAILURES,
    CHOICES,
    NOTICES,
    WRONG_KEYS,
    REPEATS,
    CALLS,
    CASES,
)
"""Plain counts that outlive the process, as the histograms do; those of events begin anew."""

SINCE_START = "Counted since ivrd's start."
"""Ends the help text of every counter that does not outlive the process."""

FAMILIES: Mapping[str, tuple[Labels, str]] = {
    JOINED: (
        ("system", "queue"),
        "Entries into the queue. Offered = joined + entries refused (full, join_empty).",
    ),
    ENTRIES: (
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
    SERVICE: (
        ("system", "queue", "result"),
        "Answered and abandoned entries by the queue's own threshold T and short-abandon limit X: "
        "in_time (answered, wait <= T), late, abandoned (wait >= X), short_abandon. Service level "
        "sl = in_time / (in_time + late + abandoned).",
    ),
    LINE_SERVICE: (
        ("system", "line", "result"),
        "Calls of a line with a goal, by the goal's own limit; wait from first arrival in any "
        "queue to first answer. sl = in_time / (in_time + late + abandoned).",
    ),
    LINE_WAITS: (
        ("system", "line", "disposition"),
        "Seconds from first arrival in any queue to first answer, or to the hang-up, by the line "
        "that was dialled.",
    ),
    TALKS: (
        ("system", "queue"),
        "Seconds from an agent's answer to the end of the agent's part: for a switchboard, the "
        "handling time (expeditionstid). Mean = sum / count; talks with unknown end are left out.",
    ),
    WAIT_ERRORS: (
        ("system", "queue", "model", "told"),
        "Expected wait at entry - wait in this queue until the answer, without its sign; told is "
        "too_long or too_short. Bias = (sum of too_long - sum of too_short) / count of both. "
        "Callers who were not answered are not in it, so it leans towards short waits.",
    ),
    MOVES: (
        ("system", "from_queue", "to_queue", "reason"),
        "Callers moved to another queue by our policy, proven by their arrival there.",
    ),
    MOVE_FAILURES: (
        ("system", "from_queue", "to_queue", "reason", "end"),
        "Moves that were asked for and did not come about, by how they ended.",
    ),
    CHOICES: (
        ("system", "menu", "outcome", "digit", "runner"),
        "Visits to a tone menu by outcome and accepted key; runner is who ran it: daemon, or "
        "dialplan (the static twin, because the daemon was not there).",
    ),
    MENU_SECONDS: (
        ("menu", "outcome"),
        "Seconds that callers spent in ivrd's menus, by outcome.",
    ),
    WRONG_KEYS: (
        ("menu", "key"),
        "Keys that one of ivrd's menus does not have; several for more digits than one.",
    ),
    REPEATS: (("menu",), "Times that the prompt of one of ivrd's menus was asked for again."),
    NOTICES: (
        ("system", "notice", "end"),
        "Times that a notice was played; end is heard, or hung_up for a caller who hung up during "
        "it: the question was answered.",
    ),
    CALLS: (
        ("system", "line", "outcome"),
        "Ended calls by outcome; an empty line means that the call's beginning was not seen.",
    ),
    CASES: (
        ("system", "queue", "rule", "department"),
        "Cases that the rule opened; department as at the opening, empty while nobody knows it.",
    ),
    "ivrd_events_total": (
        ("system", "event"),
        f"Events that the core was given, by kind. {SINCE_START}",
    ),
    "ivrd_events_unexpected_total": (
        ("system", "state", "event"),
        f"Events that did not fit the state and changed nothing. {SINCE_START}",
    ),
    "ivrd_events_failed_total": (
        ("system", "event"),
        "Events that met a fault of ours: the call concerned was dropped from the figures; or, "
        f"when planning overflow failed (the log says so), nobody was moved. {SINCE_START}",
    ),
}
"""Labels and help text of all that is counted here."""
