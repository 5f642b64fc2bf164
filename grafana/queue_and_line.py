"""One queue and one line in detail."""

from grafana.panels import (
    NO_TRAFFIC,
    Board,
    Kind,
    L,
    Panel,
    Q,
    Query,
    Row,
    S,
    level,
    one,
    quantile,
    waited,
)

DETAIL = Board(
    uid="ivrd-queue",
    title="ivrd · Kö och linje / Queue and line",
    description="One queue and one line in detail.",
    variables=("system", "queue", "line"),
    rows=(
        Row(
            title="Kön nu och i dag / The queue",
            panels=(
                Panel(
                    title="Väntande / Waiting",
                    kind=Kind.SERIES,
                    queries=one(f"sum by (queue) (ivrd_queue_callers{{{Q}}})", "{{queue}}"),
                    formula="Callers waiting. A gap is unknown.",
                ),
                Panel(
                    title="Längsta och förväntad väntan / Longest and expected wait",
                    kind=Kind.SERIES,
                    queries=(
                        *one(f"ivrd_queue_longest_wait_seconds{{{Q}}}", "{{queue}} längsta"),
                        *one(f"ivrd_queue_expected_wait_seconds{{{Q}}}", "{{queue}} {{model}}"),
                    ),
                    formula="now - oldest arrival still waiting; and the model's estimate.",
                    unit="s",
                ),
                Panel(
                    title="Agenter / Agents",
                    kind=Kind.STACKED,
                    queries=one(f"sum by (state) (ivrd_queue_members{{{Q}}})", "{{state}}"),
                    formula="Members by what they can do.",
                ),
                Panel(
                    title="Hur väntan slutade / Entries by disposition",
                    kind=Kind.STACKED,
                    queries=one(
                        "sum by (disposition) "
                        f"(increase(ivrd_queue_entries_total{{{Q}}}[$__rate_interval])) > 0",
                        "{{disposition}}",
                    ),
                    formula="Stays in the queue by how they ended, per interval.",
                ),
                Panel(
                    title="Svarsnivå / Service level",
                    kind=Kind.SERIES,
                    queries=(
                        *one(level("ivrd_queue_service_total", Q, "queue", "1h"), "{{queue}} 1 h"),
                        *one(
                            level("ivrd_queue_service_total", Q, "queue", "$__range"),
                            "{{queue}} i dag",
                        ),
                    ),
                    formula="sl = in time / (answered + abandoned - short abandons).",
                    unit="percentunit",
                    no_value=NO_TRAFFIC,
                ),
                Panel(
                    title="Väntan, percentiler / Wait, percentiles",
                    kind=Kind.SERIES,
                    queries=tuple(
                        Query(expr=quantile(part, Q, "1h"), legend=f"{{{{queue}}}} p{part:.0%}")
                        for part in (0.5, 0.9, 0.95)
                    ),
                    formula="Of answered callers' waits in the last hour, read off the histogram.",
                    unit="s",
                    no_value=NO_TRAFFIC,
                ),
                Panel(
                    title="Andel över 25 s, 60 s, 10 min / Share over",
                    kind=Kind.BARS,
                    queries=tuple(
                        Query(expr=waited(le, Q, "$__range"), legend=f"{{{{queue}}}} > {le} s")
                        for le in ("25.0", "60.0", "600.0")
                    ),
                    formula="1 - answered within the limit / answered.",
                    unit="percentunit",
                    no_value=NO_TRAFFIC,
                ),
                Panel(
                    title="Snabbt tappade för sig / Short abandons apart",
                    kind=Kind.BARS,
                    queries=one(
                        f"sum by (result) (increase(ivrd_queue_service_total{{{Q}}}[$__range]))",
                        "{{result}}",
                    ),
                    formula="Answered and abandoned by the queue's own T and X.",
                    decimals=0,
                ),
                Panel(
                    title="Samtalstid / Talk",
                    kind=Kind.SERIES,
                    queries=(
                        *one(
                            f"sum by (queue) (increase(ivrd_queue_talk_seconds_sum{{{Q}}}[1h]))"
                            " / sum by (queue) "
                            f"(increase(ivrd_queue_talk_seconds_count{{{Q}}}[1h]))",
                            "{{queue}} medel/mean",
                        ),
                    ),
                    formula="Mean of answer to the end of the agent's part (expeditionstid).",
                    unit="s",
                    no_value=NO_TRAFFIC,
                ),
                Panel(
                    title="Klara inom 30 s / Handled within 30 s",
                    kind=Kind.STAT,
                    queries=one(
                        "sum by (queue) "
                        f'(increase(ivrd_queue_talk_seconds_bucket{{{Q},le="30.0"}}[$__range]))'
                        " / sum by (queue) "
                        f"(increase(ivrd_queue_talk_seconds_count{{{Q}}}[$__range]))",
                        "{{queue}}",
                    ),
                    formula="Talks of at most 30 s / talks: the switchboard's goal.",
                    unit="percentunit",
                    no_value=NO_TRAFFIC,
                ),
                Panel(
                    title="Fel i förväntad väntan / Error of expected wait",
                    kind=Kind.BARS,
                    queries=one(
                        "sum by (queue, told) "
                        f"(increase(ivrd_queue_expected_wait_error_seconds_sum{{{Q}}}[$__range]))"
                        " / ignoring (told) group_left () sum by (queue) "
                        f"(increase(ivrd_queue_expected_wait_error_seconds_count{{{Q}}}[$__range]))",
                        "{{queue}} {{told}}",
                    ),
                    formula="Errors, too long and too short / estimates that met an answer.",
                    unit="s",
                    no_value=NO_TRAFFIC,
                ),
                Panel(
                    title="Flyttar / Moves",
                    kind=Kind.BARS,
                    queries=(
                        *one(
                            "sum by (from_queue, to_queue, reason) "
                            f"(increase(ivrd_queue_moves_total{{{S}}}[$__range]))",
                            "{{from_queue}} → {{to_queue}} {{reason}}",
                        ),
                        *one(
                            "sum by (from_queue, to_queue, end) "
                            f"(increase(ivrd_queue_move_failures_total{{{S}}}[$__range]))",
                            "{{from_queue}} → {{to_queue}} {{end}}",
                        ),
                    ),
                    formula="Moves proven by arrival; others by how they ended.",
                    decimals=0,
                ),
            ),
        ),
        Row(
            title="Linjen och tonvalet / The line and its menu",
            panels=(
                Panel(
                    title="Linjens nivå mot mål / Line against goal",
                    kind=Kind.SERIES,
                    queries=(
                        *one(level("ivrd_line_service_total", L, "line", "1h"), "{{line}}"),
                        *one('max by (line) (ivrd_line_goal_ratio{line=~"$line"})', "{{line}} mål"),
                    ),
                    formula="sl by the line's goal, last hour.",
                    unit="percentunit",
                    no_value=NO_TRAFFIC,
                ),
                Panel(
                    title="Samtal per utfall / Calls by outcome",
                    kind=Kind.STACKED,
                    queries=one(
                        "sum by (outcome) "
                        f"(increase(ivrd_calls_total{{{L}}}[$__rate_interval])) > 0",
                        "{{outcome}}",
                    ),
                    formula="Ended calls, per interval.",
                ),
                Panel(
                    title="Tonval, andelar / Menu shares",
                    kind=Kind.BARS,
                    queries=one(
                        "sum by (menu, outcome, digit) "
                        f"(increase(ivrd_menu_outcomes_total{{{S}}}[$__range]))"
                        " / on (menu) group_left () sum by (menu) "
                        f"(increase(ivrd_menu_outcomes_total{{{S}}}[$__range]))",
                        "{{menu}} {{outcome}} {{digit}}",
                    ),
                    formula="Visits to a menu by outcome and key / visits.",
                    unit="percentunit",
                    no_value=NO_TRAFFIC,
                ),
            ),
        ),
    ),
)
