"""The wallboard: every queue and line at a glance."""

from grafana.panels import NO_TRAFFIC, Board, Kind, Row, S, abandon_rate, level, panel

NOW = Row(
    title="Nu / Now",
    panels=(
        panel(
            Kind.STAT,
            "Väntande / Waiting",
            "Callers waiting now. Unknown, not 0, while ivrd is out of step.",
            (f"sum by (queue) (ivrd_queue_callers{{{S}}})", "{{queue}}"),
            warn=5,
            alarm=15,
        ),
        panel(
            Kind.STAT,
            "Längsta väntan / Longest wait",
            "now - first arrival in any queue of the longest waiting caller.",
            (f"max by (queue) (ivrd_queue_longest_wait_seconds{{{S}}})", "{{queue}}"),
            unit="dtdurations",
            warn=60,
            alarm=600,
        ),
        panel(
            Kind.STAT,
            "Förväntad väntan / Expected wait",
            "Of a caller who enters now, by the model named in docs/expected-wait.md.",
            (f"max by (queue) (ivrd_queue_expected_wait_seconds{{{S}}})", "{{queue}}"),
            unit="dtdurations",
            warn=60,
            alarm=600,
        ),
        panel(
            Kind.BARS,
            "Agenter / Agents",
            "Members of each queue by what they can do now.",
            (f"sum by (queue, state) (ivrd_queue_members{{{S}}})", "{{queue}} {{state}}"),
        ),
        panel(
            Kind.STAT,
            "Öppet / Open",
            "1 while a line is open, 0 while it is closed.",
            ("max by (line) (ivrd_line_open)", "{{line}}"),
        ),
        panel(
            Kind.STAT,
            "Överflöde / Overflow in force",
            "1 while a rule is in force, in a dry run too.",
            (f"max by (rule) (ivrd_overflow_rule_in_force{{{S}}})", "{{rule}}"),
            warn=1,
        ),
    ),
)

TODAY = Row(
    title="I dag / Today",
    panels=(
        panel(
            Kind.STAT,
            "Svarsnivå / Service level (sl)",
            "sl = answered within T / (answered + abandoned - short abandons), by each T.",
            (level("ivrd_queue_service_total", S, "queue", "$__range"), "{{queue}}"),
            unit="percentunit",
            warn=0.85,
            alarm=0.7,
            is_low_bad=True,
            decimals=0,
            no_value=NO_TRAFFIC,
        ),
        panel(
            Kind.BARS,
            "Linjens nivå mot mål / Line against goal",
            "sl by the line's own goal limit; wait from first arrival to first answer.",
            (level("ivrd_line_service_total", S, "line", "$__range"), "{{line}}"),
            ("max by (line) (ivrd_line_goal_ratio)", "{{line}} mål/goal"),
            unit="percentunit",
            decimals=0,
            no_value=NO_TRAFFIC,
        ),
        panel(
            Kind.STAT,
            "Tappade / Abandon rate",
            "abandoned / offered; offered = joined + refused. Short abandons included.",
            (abandon_rate(S, "$__range"), "{{queue}}"),
            unit="percentunit",
            warn=0.05,
            alarm=0.1,
            decimals=1,
            no_value=NO_TRAFFIC,
        ),
        panel(
            Kind.BARS,
            "Samtal / Calls",
            "Ended calls by outcome.",
            (f"sum by (outcome) (increase(ivrd_calls_total{{{S}}}[$__range]))", "{{outcome}}"),
            decimals=0,
        ),
        panel(
            Kind.STAT,
            "Ärenden utan etikett / Cases without label",
            "Cases that are not closed and have no label, now.",
            (f"sum(ivrd_cases_unlabelled{{{S}}})", ""),
            warn=10,
            alarm=20,
        ),
        panel(
            Kind.STAT,
            "Larm / Alerts",
            "Alerts of prometheus/ivrd.rules.yml that fire now.",
            ('count(ALERTS{alertname=~"Ivrd.+",alertstate="firing"}) or on () vector(0)', ""),
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
