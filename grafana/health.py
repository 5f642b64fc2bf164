"""The health of ivrd itself."""

from typing import Unpack

from grafana.panels import Board, Kind, More, Panel, Row, S, panel


def gauge(
    title: str,
    expr: str,
    legend: str,
    formula: str,
    kind: Kind = Kind.SERIES,
    **more: Unpack[More],
) -> Panel:
    """Return a small panel of the health board."""
    more.setdefault("width", 6)
    return panel(kind, title, formula, (expr, legend), **more)


HEALTH = Board(
    uid="ivrd-health",
    title="ivrd · Hälsa / Health of ivrd",
    description="The daemon, its peers and its disks.",
    since="now-3h",
    rows=(
        Row(
            title="Ansluten / Connected",
            panels=(
                gauge("AMI", f"ivrd_ami_connected{{{S}}}", "{{system}}", "1 while logged in.",
                      kind=Kind.STAT, warn=1, alarm=1, is_low_bad=True),
                gauge("Köer i takt / In step", f"min by (system) (ivrd_queue_synced{{{S}}})",
                      "{{system}}", "1 when snapshot and all events since are held.",
                      kind=Kind.STAT, warn=1, alarm=1, is_low_bad=True),
                gauge("Journalen / Journal", "ivrd_journal_usable", "",
                      "1 while facts come to the disk.",
                      kind=Kind.STAT, warn=1, alarm=1, is_low_bad=True),
                gauge("Version", "ivrd_build_info", "{{version}}", "The version that runs.",
                      kind=Kind.TABLE),
                gauge("Senaste händelse / Newest event",
                      f"time() - ivrd_ami_last_event_timestamp_seconds{{{S}}}", "{{system}}",
                      "now - stamp of the newest event; a quiet night is no fault.", unit="s"),
                gauge("Händelser / Events",
                      f"sum by (system) (rate(ivrd_events_total{{{S}}}[$__rate_interval]))",
                      "{{system}}", "Given to the core per second.", unit="cps"),
                gauge("Egna fel / Our faults",
                      f"sum by (system) (increase(ivrd_ami_events_refused_total{{{S}}}[1h])"
                      f" + increase(ivrd_ami_events_failed_total{{{S}}}[1h]))",
                      "{{system}}", "Events refused, or failed in our parser, in the last hour."),
                gauge("AMI, avbrott / AMI failures",
                      f"sum by (system) (increase(ivrd_ami_failures_total{{{S}}}[1h]))",
                      "{{system}}", "Connections that ended in trouble, last hour."),
            ),
        ),
        Row(
            title="Vägen ut / The way out",
            panels=(
                gauge("Väntar på / Waiting for", "ivrd_outbox_depth", "{{sink}}",
                      "What waits for the database and the broker."),
                gauge("Journal, del av taket / share of bound",
                      "ivrd_journal_bytes / ivrd_journal_bytes_max", "",
                      "Size on disk / what it may be.", unit="percentunit", warn=0.5, alarm=0.8),
                gauge("Tappat / Lost", "increase(ivrd_outbox_dropped_total[$__range])", "{{sink}}",
                      "Facts or messages lost because there was no room.", alarm=1),
                gauge("Avstämning / Reconcile", f"ivrd_reconcile_differences{{{S}}}", "{{system}}",
                      "Calls that queue_log tells otherwise, last night.",
                      kind=Kind.STAT, warn=1, alarm=5, no_value="ej körd / not run"),
            ),
        ),
        Row(
            title="Ärendesystem / Case systems",
            panels=(
                gauge(
                    "Ärendemeddelanden / Messages of cases",
                    "ivrd_handover_messages",
                    "{{destination}} {{state}}",
                    "Not yet sent: waiting, or dead, which a person must look at.",
                ),
                gauge(
                    "Nås / Reached",
                    "ivrd_handover_reached",
                    "{{destination}}",
                    "0 while a case system is in trouble.",
                    kind=Kind.STAT,
                    warn=1,
                    alarm=1,
                    is_low_bad=True,
                    no_value="inget / none",
                ),
            ),
        ),
        Row(
            title="Processen / The process",
            panels=(
                gauge("Längsta varv / Longest turn", "ivrd_loop_stall_seconds_max", "{{clock}}",
                      "Of the event loop, in the last minute or two.", unit="s"),
                gauge("Inkorg / Inbox", "ivrd_inbox_depth", "", "Events that wait for the core."),
                gauge("CPU", 'rate(process_cpu_seconds_total{job="ivrd"}[$__rate_interval])', "",
                      "Cores used.", unit="percentunit"),
                gauge("Minne / Memory", 'process_resident_memory_bytes{job="ivrd"}', "",
                      "Resident.", unit="bytes"),
                gauge("Räkneverk / Counts", "ivrd_counts_usable", "",
                      "1 while counts would outlive a kill.",
                      kind=Kind.STAT, warn=1, alarm=1, is_low_bad=True),
                gauge("I menyer / In menus", "ivrd_agi_sessions", "", "Callers in menus now."),
                gauge("Etiketter över taket / Label sets refused",
                      "sum(ivrd_label_sets_refused_total)", "",
                      "Steps not counted because a metric had too many label sets."),
                gauge("Avläsning / Scrape", 'scrape_duration_seconds{job="ivrd"}', "",
                      "Seconds that Prometheus waited for /metrics.", unit="s"),
            ),
        ),
    ),
)  # fmt: skip
