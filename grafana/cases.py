"""Departments and cases."""

from grafana.panels import NO_TRAFFIC, Board, Kind, Row, S, panel

CASES = Board(
    uid="ivrd-cases",
    title="ivrd · Förvaltning och ärende / Department and case",
    description="What the contact centre did for each department.",
    refresh="30s",
    rows=(
        Row(
            title="I dag / Today",
            panels=(
                panel(
                    Kind.BARS,
                    "Ärenden per förvaltning / Cases by department",
                    "Opened today, as they stand now; a nameless bar has no label.",
                    (
                        f'sum by (department) (ivrd_cases_today{{{S},class!="contact"}})',
                        "{{department}}",
                    ),
                    width=12,
                    decimals=0,
                ),
                panel(
                    Kind.BARS,
                    "Lösta i första kontakten / First-contact resolution",
                    "FCR = resolved / (resolved + half helped + handed on). Goal 80 %.",
                    (
                        f'sum by (department) (ivrd_cases_today{{{S},class="resolved"}})'
                        f" / sum by (department) (ivrd_cases_today{{{S}}})",
                        "{{department}}",
                    ),
                    (
                        f'sum(ivrd_cases_today{{{S},class="resolved"}})'
                        f" / sum(ivrd_cases_today{{{S}}})",
                        "alla / all",
                    ),
                    unit="percentunit",
                    width=12,
                    no_value=NO_TRAFFIC,
                ),
                panel(
                    Kind.BARS,
                    "Per slag / By class",
                    "resolved, half_helped: cases; contact was handed on, and is none.",
                    (f"sum by (class) (ivrd_cases_today{{{S}}})", "{{class}}"),
                    decimals=0,
                ),
                panel(
                    Kind.SERIES,
                    "Utan etikett / Without label",
                    "Cases that are not closed and have no label.",
                    (f"sum by (queue) (ivrd_cases_unlabelled{{{S}}})", "{{queue}}"),
                ),
                panel(
                    Kind.STACKED,
                    "Öppnade / Opened",
                    "Per interval; department as at the opening.",
                    (
                        "sum by (department) "
                        f"(increase(ivrd_cases_opened_total{{{S}}}[$__rate_interval])) > 0",
                        "{{department}}",
                    ),
                ),
            ),
        ),
    ),
)
