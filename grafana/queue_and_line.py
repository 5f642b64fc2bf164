"""One queue and one line in detail."""

from grafana.panels import NO_TRAFFIC, Board, Kind, L, Q, Row, S, level, panel, quantile, waited

DETAIL = Board(
    uid="ivrd-queue",
    title="ivrd · Kö och linje / Queue and line",
    description="One queue and one line in detail.",
    variables=("system", "queue", "line"),
    rows=(
        Row(
            title="Kön nu och i dag / The queue",
            panels=(
                panel(
                    Kind.SERIES,
                    "Väntande / Waiting",
                    "Callers waiting. A gap is unknown.",
                    (f"sum by (queue) (ivrd_queue_callers{{{Q}}})", "{{queue}}"),
                ),
                panel(
                    Kind.SERIES,
                    "Längsta och förväntad väntan / Longest and expected wait",
                    "now - oldest arrival still waiting; and the model's estimate.",
                    (f"ivrd_queue_longest_wait_seconds{{{Q}}}", "{{queue}} längsta"),
                    (f"ivrd_queue_expected_wait_seconds{{{Q}}}", "{{queue}} {{model}}"),
                    unit="s",
                ),
                panel(
                    Kind.STACKED,
                    "Agenter / Agents",
                    "Members by what they can do.",
                    (f"sum by (state) (ivrd_queue_members{{{Q}}})", "{{state}}"),
                ),
                panel(
                    Kind.STACKED,
                    "Hur väntan slutade / Entries by disposition",
                    "Stays in the queue by how they ended, per interval.",
                    (
                        "sum by (disposition) "
                        f"(increase(ivrd_queue_entries_total{{{Q}}}[$__rate_interval])) > 0",
                        "{{disposition}}",
                    ),
                ),
                panel(
                    Kind.SERIES,
                    "Svarsnivå / Service level",
                    "sl = in time / (answered + abandoned - short abandons).",
                    (level("ivrd_queue_service_total", Q, "queue", "1h"), "{{queue}} 1 h"),
                    (level("ivrd_queue_service_total", Q, "queue", "$__range"), "{{queue}} i dag"),
                    unit="percentunit",
                    no_value=NO_TRAFFIC,
                ),
                panel(
                    Kind.SERIES,
                    "Väntan, percentiler / Wait, percentiles",
                    "Of answered callers' waits in the last hour, read off the histogram.",
                    *(
                        (quantile(part, Q, "1h"), f"{{{{queue}}}} p{part:.0%}")
                        for part in (0.5, 0.9, 0.95)
                    ),
                    unit="s",
                    no_value=NO_TRAFFIC,
                ),
                panel(
                    Kind.BARS,
                    "Andel över 25 s, 60 s, 10 min / Share over",
                    "1 - answered within the limit / answered.",
                    *(
                        (waited(le, Q, "$__range"), f"{{{{queue}}}} > {le} s")
                        for le in ("25.0", "60.0", "600.0")
                    ),
                    unit="percentunit",
                    no_value=NO_TRAFFIC,
                ),
                panel(
                    Kind.BARS,
                    "Snabbt tappade för sig / Short abandons apart",
                    "Answered and abandoned by the queue's own T and X.",
                    (
                        f"sum by (result) (increase(ivrd_queue_service_total{{{Q}}}[$__range]))",
                        "{{result}}",
                    ),
                    decimals=0,
                ),
                panel(
                    Kind.SERIES,
                    "Samtalstid / Talk",
                    "Mean of answer to the end of the agent's part (expeditionstid).",
                    (
                        f"sum by (queue) (increase(ivrd_queue_talk_seconds_sum{{{Q}}}[1h]))"
                        " / sum by (queue) "
                        f"(increase(ivrd_queue_talk_seconds_count{{{Q}}}[1h]))",
                        "{{queue}} medel/mean",
                    ),
                    unit="s",
                    no_value=NO_TRAFFIC,
                ),
                panel(
                    Kind.STAT,
                    "Klara inom 30 s / Handled within 30 s",
                    "Talks of at most 30 s / talks: the switchboard's goal.",
                    (
                        "sum by (queue) "
                        f'(increase(ivrd_queue_talk_seconds_bucket{{{Q},le="30.0"}}[$__range]))'
                        " / sum by (queue) "
                        f"(increase(ivrd_queue_talk_seconds_count{{{Q}}}[$__range]))",
                        "{{queue}}",
                    ),
                    unit="percentunit",
                    no_value=NO_TRAFFIC,
                ),
                panel(
                    Kind.BARS,
                    "Fel i förväntad väntan / Error of expected wait",
                    "Errors, too long and too short / estimates that met an answer.",
                    (
                        "sum by (queue, told) "
                        f"(increase(ivrd_queue_expected_wait_error_seconds_sum{{{Q}}}[$__range]))"
                        " / ignoring (told) group_left () sum by (queue) "
                        f"(increase(ivrd_queue_expected_wait_error_seconds_count{{{Q}}}[$__range]))",
                        "{{queue}} {{told}}",
                    ),
                    unit="s",
                    no_value=NO_TRAFFIC,
                ),
                panel(
                    Kind.BARS,
                    "Flyttar / Moves",
                    "Moves proven by arrival; others by how they ended.",
                    (
                        "sum by (from_queue, to_queue, reason) "
                        f"(increase(ivrd_queue_moves_total{{{S}}}[$__range]))",
                        "{{from_queue}} → {{to_queue}} {{reason}}",
                    ),
                    (
                        "sum by (from_queue, to_queue, end) "
                        f"(increase(ivrd_queue_move_failures_total{{{S}}}[$__range]))",
                        "{{from_queue}} → {{to_queue}} {{end}}",
                    ),
                    decimals=0,
                ),
            ),
        ),
        Row(
            title="Linjen och tonvalet / The line and its menu",
            panels=(
                panel(
                    Kind.SERIES,
                    "Linjens nivå mot mål / Line against goal",
                    "sl by the line's goal, last hour.",
                    (level("ivrd_line_service_total", L, "line", "1h"), "{{line}}"),
                    ('max by (line) (ivrd_line_goal_ratio{line=~"$line"})', "{{line}} mål"),
                    unit="percentunit",
                    no_value=NO_TRAFFIC,
                ),
                panel(
                    Kind.STACKED,
                    "Samtal per utfall / Calls by outcome",
                    "Ended calls, per interval.",
                    (
                        "sum by (outcome) "
                        f"(increase(ivrd_calls_total{{{L}}}[$__rate_interval])) > 0",
                        "{{outcome}}",
                    ),
                ),
                panel(
                    Kind.BARS,
                    "Tonval, andelar / Menu shares",
                    "Visits to a menu by outcome and key / visits.",
                    (
                        "sum by (menu, outcome, digit) "
                        f"(increase(ivrd_menu_outcomes_total{{{S}}}[$__range]))"
                        " / on (menu) group_left () sum by (menu) "
                        f"(increase(ivrd_menu_outcomes_total{{{S}}}[$__range]))",
                        "{{menu}} {{outcome}} {{digit}}",
                    ),
                    unit="percentunit",
                    no_value=NO_TRAFFIC,
                ),
            ),
        ),
    ),
)
