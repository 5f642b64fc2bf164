"""The wallboard: every queue and line at a glance."""

from grafana.panels import NO_TRAFFIC, Board, Kind, Panel, Row, S, abandon_rate, level, one

NOW = Row(
    title="Nu / Now",
    panels=(
        Panel(
            title="Väntande / Waiting",
            kind=Kind.STAT,
            queries=one(f"sum by (queue) (ivrd_queue_callers{{{S}}})", "{{queue}}"),
            formula="Callers waiting now. Unknown, not 0, while ivrd is out of step.",
            warn=5,
            alarm=15,
        ),
        Panel(
            title="Längsta väntan / Longest wait",
            kind=Kind.STAT,
            queries=one(f"max by (queue) (ivrd_queue_longest_wait_seconds{{{S}}})", "{{queue}}"),
            formula="now - first arrival in any queue of the longest waiting caller.",
            unit="dtdurations",
            warn=60,
            alarm=600,
        ),
        Panel(
            title="Förväntad väntan / Expected wait",
            kind=Kind.STAT,
            queries=one(f"max by (queue) (ivrd_queue_expected_wait_seconds{{{S}}})", "{{queue}}"),
            formula="Of a caller who enters now, by the model named in docs/expected-wait.md.",
            unit="dtdurations",
            warn=60,
            alarm=600,
        ),
        Panel(
            title="Agenter / Agents",
            kind=Kind.BARS,
            queries=one(
                f"sum by (queue, state) (ivrd_queue_members{{{S}}})", "{{queue}} {{state}}"
            ),
            formula="Members of each queue by what they can do now.",
        ),
        Panel(
            title="Öppet / Open",
            kind=Kind.STAT,
            queries=one("max by (line) (ivrd_line_open)", "{{line}}"),
            formula="1 while a line is open, 0 while it is closed.",
        ),
        Panel(
            title="Överflöde / Overflow in force",
            kind=Kind.STAT,
            queries=one(f"max by (rule) (ivrd_overflow_rule_in_force{{{S}}})", "{{rule}}"),
            formula="1 while a rule is in force, in a dry run too.",
            warn=1,
        ),
    ),
)

TODAY = Row(
    title="I dag / Today",
    panels=(
        Panel(
            title="Svarsnivå / Service level (sl)",
            kind=Kind.STAT,
            queries=one(level("ivrd_queue_service_total", S, "queue", "$__range"), "{{queue}}"),
            formula="sl = answered within T / (answered + abandoned - short abandons), by each T.",
            unit="percentunit",
            warn=0.85,
            alarm=0.7,
            is_low_bad=True,
            decimals=0,
            no_value=NO_TRAFFIC,
        ),
        Panel(
            title="Linjens nivå mot mål / Line against goal",
            kind=Kind.BARS,
            queries=(
                *one(level("ivrd_line_service_total", S, "line", "$__range"), "{{line}}"),
                *one("max by (line) (ivrd_line_goal_ratio)", "{{line}} mål/goal"),
            ),
            formula="sl by the line's own goal limit; wait from first arrival to first answer.",
            unit="percentunit",
            decimals=0,
            no_value=NO_TRAFFIC,
        ),
        Panel(
            title="Tappade / Abandon rate",
            kind=Kind.STAT,
            queries=one(abandon_rate(S, "$__range"), "{{queue}}"),
            formula="abandoned / offered; offered = joined + refused. Short abandons included.",
            unit="percentunit",
            warn=0.05,
            alarm=0.1,
            decimals=1,
            no_value=NO_TRAFFIC,
        ),
        Panel(
            title="Samtal / Calls",
            kind=Kind.BARS,
            queries=one(
                f"sum by (outcome) (increase(ivrd_calls_total{{{S}}}[$__range]))", "{{outcome}}"
            ),
            formula="Ended calls by outcome.",
            decimals=0,
        ),
        Panel(
            title="Ärenden utan etikett / Cases without label",
            kind=Kind.STAT,
            queries=one(f"sum(ivrd_cases_unlabelled{{{S}}})"),
            formula="Cases that are not closed and have no label, now.",
            warn=10,
            alarm=20,
        ),
        Panel(
            title="Larm / Alerts",
            kind=Kind.STAT,
            queries=one(
                'count(ALERTS{alertname=~"Ivrd.+",alertstate="firing"}) or on () vector(0)'
            ),
            formula="Alerts of prometheus/ivrd.rules.yml that fire now.",
            warn=1,
            alarm=3,
        ),
    ),
)

WALLBOARD = Board(
    uid="ivrd-wallboard",
    title="ivrd · Läget / Wallboard",
    description="Every queue and line at a glance.",
    rows=(NOW, TODAY),
    refresh="5s",
)
