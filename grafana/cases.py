"""Departments and cases."""

from grafana.panels import NO_TRAFFIC, Board, Kind, Panel, Row, S, one

CASES = Board(
    uid="ivrd-cases",
    title="ivrd · Förvaltning och ärende / Department and case",
    description="What the contact centre did for each department.",
    refresh="30s",
    rows=(
        Row(
            title="I dag / Today",
            panels=(
                Panel(
                    title="Ärenden per förvaltning / Cases by department",
                    kind=Kind.BARS,
                    queries=one(
                        f'sum by (department) (ivrd_cases_today{{{S},class!="contact"}})',
                        "{{department}}",
                    ),
                    formula="Opened today, as they stand now; a nameless bar has no label.",
                    width=12,
                    decimals=0,
                ),
                Panel(
                    title="Lösta i första kontakten / First-contact resolution",
                    kind=Kind.BARS,
                    queries=(
                        *one(
                            f'sum by (department) (ivrd_cases_today{{{S},class="resolved"}})'
                            f" / sum by (department) (ivrd_cases_today{{{S}}})",
                            "{{department}}",
                        ),
                        *one(
                            f'sum(ivrd_cases_today{{{S},class="resolved"}})'
                            f" / sum(ivrd_cases_today{{{S}}})",
                            "alla / all",
                        ),
                    ),
                    formula="FCR = resolved / (resolved + half helped + handed on). Goal 80 %.",
                    unit="percentunit",
                    width=12,
                    no_value=NO_TRAFFIC,
                ),
                Panel(
                    title="Per slag / By class",
                    kind=Kind.BARS,
                    queries=one(f"sum by (class) (ivrd_cases_today{{{S}}})", "{{class}}"),
                    formula="resolved, half_helped: cases; contact was handed on, and is none.",
                    decimals=0,
                ),
                Panel(
                    title="Utan etikett / Without label",
                    kind=Kind.SERIES,
                    queries=one(f"sum by (queue) (ivrd_cases_unlabelled{{{S}}})", "{{queue}}"),
                    formula="Cases that are not closed and have no label.",
                ),
                Panel(
                    title="Öppnade / Opened",
                    kind=Kind.STACKED,
                    queries=one(
                        "sum by (department) "
                        f"(increase(ivrd_cases_opened_total{{{S}}}[$__rate_interval])) > 0",
                        "{{department}}",
                    ),
                    formula="Per interval; department as at the opening.",
                ),
            ),
        ),
    ),
)
