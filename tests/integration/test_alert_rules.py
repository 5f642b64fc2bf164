"""Every alert fires when it should, and clears when it should: by promtool, on made-up minutes.

Series are in promtool's notation, a value a minute: `0+3x9` is 0, 3, ..., 27; `_` is a scrape
that had none.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

RULES = Path(__file__).resolve().parents[2] / "prometheus" / "ivrd.rules.yml"

KC = 'system="pbx1",queue="kc"'
LINE = 'system="pbx1",line="kommunen"'
PBX = 'system="pbx1"'


@dataclass(frozen=True, kw_only=True)
class Case:
    """One alert on made-up series."""

    series: Mapping[str, str]
    quiet_at_m: int
    """Not yet, because of its limits or its patience."""
    fires_at_m: int
    clears_at_m: int | None
    """None for one that a person must end."""


CASES: Mapping[str, Case] = {
    "IvrdLineGoalAtRisk": Case(
        series={
            # 80 % of twenty an hour against 85 %; then everybody in time.
            f'ivrd_line_service_total{{{LINE},result="in_time"}}': "0+4x60 250+10x120",
            f'ivrd_line_service_total{{{LINE},result="late"}}': "0+1x60 60x120",
            f'ivrd_line_service_total{{{LINE},result="short_abandon"}}': "0+9x180",
            'ivrd_line_goal_ratio{line="kommunen"}': "0.85x180",
        },
        quiet_at_m=2,
        fires_at_m=60,
        clears_at_m=150,
    ),
    "IvrdQueueWaitTooLong": Case(
        series={f"ivrd_queue_longest_wait_seconds{{{KC}}}": "0+60x15 30x10"},
        quiet_at_m=11,
        fires_at_m=13,
        clears_at_m=17,
    ),
    "IvrdQueueWaitLong": Case(
        series={
            f"ivrd_queue_longest_wait_seconds{{{KC}}}": "0+60x7 30x10",
            'ivrd_queue_threshold_seconds{queue="kc"}': "60x20",
        },
        quiet_at_m=5,
        fires_at_m=7,
        clears_at_m=9,
    ),
    "IvrdAbandonRateHigh": Case(
        series={
            f"ivrd_queue_joined_total{{{KC}}}": "0+2x180",
            f'ivrd_queue_entries_total{{{KC},disposition="full"}}': "0x180",
            f'ivrd_queue_entries_total{{{KC},disposition="join_empty"}}': "0x180",
            f'ivrd_queue_entries_total{{{KC},disposition="abandoned"}}': "0+1x60 60x120",
        },
        quiet_at_m=10,
        fires_at_m=50,
        clears_at_m=130,
    ),
    "IvrdNobodyServes": Case(
        series={
            f'ivrd_queue_members{{{KC},state="available"}}': "1 1 0x10 1x10",
            f'ivrd_queue_members{{{KC},state="paused"}}': "3x30",
            'ivrd_queue_info{queue="kc",role="guide"}': "1x30",
            'ivrd_line_open{line="kommunen"}': "1x30",
            'ivrd_line_open{line="va"}': "0x30",
        },
        quiet_at_m=3,
        fires_at_m=6,
        clears_at_m=14,
    ),
    "IvrdQueueUnserved": Case(
        series={
            f"ivrd_queue_callers{{{KC}}}": "0 2x10 0x10",
            f'ivrd_queue_members{{{KC},state="available"}}': "0x20",
        },
        quiet_at_m=1,
        fires_at_m=4,
        clears_at_m=13,
    ),
    "IvrdMovesFail": Case(
        series={
            f'ivrd_queue_move_failures_total{{{PBX},from_queue="vaxel",to_queue="kc",'
            'reason="rush",end="refused"}': "0x5 0+1x10 10x40",
            f'ivrd_queue_move_failures_total{{{PBX},from_queue="va",to_queue="kc",'
            'reason="rush",end="answered_first"}': "0+1x60",
        },
        quiet_at_m=5,
        fires_at_m=14,
        clears_at_m=40,
    ),
    "IvrdStaticMenuUsed": Case(
        series={
            f'ivrd_menu_outcomes_total{{{PBX},menu="m",outcome="stayed",digit="",'
            'runner="dialplan"}': "0x5 1x40",
        },
        quiet_at_m=4,
        fires_at_m=9,
        clears_at_m=30,
    ),
    "IvrdCasesUnlabelledSpike": Case(
        series={f"ivrd_cases_unlabelled{{{KC}}}": "5x60 5+1x30 35x120"},
        quiet_at_m=70,
        fires_at_m=95,
        clears_at_m=170,
    ),
    "IvrdReconcileDiffers": Case(
        series={f"ivrd_reconcile_differences{{{PBX}}}": "_x3 0x3 2x5 0x5"},
        quiet_at_m=5,
        fires_at_m=8,
        clears_at_m=14,
    ),
    "IvrdReconcileMissing": Case(
        # In promtool the time is 0 at the beginning: a run at minute 0, and one at minute 2300.
        series={f"ivrd_reconcile_last_run_timestamp_seconds{{{PBX}}}": "0x2300 138000x100"},
        quiet_at_m=2150,
        fires_at_m=2200,
        clears_at_m=2350,
    ),
    "IvrdHandoverDead": Case(
        series={
            'ivrd_handover_messages{destination="tekniska",state="dead"}': "0x3 2x5 0x5",
            'ivrd_handover_messages{destination="tekniska",state="waiting"}': "9x20",
        },
        quiet_at_m=2,
        fires_at_m=6,
        clears_at_m=11,
    ),
    "IvrdHandoverLate": Case(
        series={
            'ivrd_handover_oldest_seconds{destination="tekniska"}': "0+60x70 _x20",
        },
        quiet_at_m=60,
        fires_at_m=65,
        clears_at_m=78,
    ),
    "IvrdRecording": Case(
        series={
            f"ivrd_recorded_channels{{{LINE}}}": "0x3 2x5 0x5",
            f'ivrd_recorded_channels{{{PBX},line="va"}}': "0x20",
        },
        quiet_at_m=3,
        fires_at_m=4,
        clears_at_m=11,
    ),
    "IvrdDown": Case(
        series={'up{job="ivrd",instance="a"}': "1 0x5 1x5"},
        quiet_at_m=1,
        fires_at_m=4,
        clears_at_m=8,
    ),
    "IvrdAmiLost": Case(
        series={f"ivrd_ami_connected{{{PBX}}}": "1 0x5 1x5"},
        quiet_at_m=1,
        fires_at_m=4,
        clears_at_m=8,
    ),
    "IvrdOutOfStep": Case(
        series={
            f"ivrd_queue_synced{{{KC}}}": "1 0x5 1x5",
            f'ivrd_queue_synced{{{PBX},queue="vaxel"}}': "1x12",
        },
        quiet_at_m=2,
        fires_at_m=5,
        clears_at_m=8,
    ),
    "IvrdEventsRefused": Case(
        series={f"ivrd_ami_events_refused_total{{{PBX}}}": "0 0 0 0 1x30"},
        quiet_at_m=3,
        fires_at_m=5,
        clears_at_m=15,
    ),
    "IvrdFault": Case(
        series={f'ivrd_events_failed_total{{{PBX},event="CallerJoined"}}': "0 0 0 0 1x60"},
        quiet_at_m=3,
        fires_at_m=6,
        clears_at_m=30,
    ),
    "IvrdJournalGrowing": Case(
        series={
            'ivrd_outbox_depth{sink="database"}': "0 0 0+60x20 0x10",
            'ivrd_outbox_depth{sink="mqtt"}': "0+100x40",
        },
        quiet_at_m=4,
        fires_at_m=12,
        clears_at_m=26,
    ),
    "IvrdJournalNearlyFull": Case(
        series={
            "ivrd_journal_bytes": "0 85x5 60x5",
            "ivrd_journal_bytes_max": "100x20",
        },
        quiet_at_m=0,
        fires_at_m=3,
        clears_at_m=9,
    ),
    "IvrdJournalUnusable": Case(
        series={"ivrd_journal_usable": "1 0x5 1x5"}, quiet_at_m=0, fires_at_m=3, clears_at_m=9
    ),
    "IvrdLost": Case(
        series={'ivrd_outbox_dropped_total{sink="mqtt"}': "0 0 3x200"},
        quiet_at_m=1,
        fires_at_m=10,
        clears_at_m=100,
    ),
    "IvrdGapUnreadable": Case(
        series={f"ivrd_gap_journal_usable{{{PBX}}}": "1 0x10 1x5"},
        quiet_at_m=4,
        fires_at_m=8,
        clears_at_m=13,
    ),
    "IvrdCountsNotKept": Case(
        series={"ivrd_counts_usable": "1 0x10 1x5"}, quiet_at_m=4, fires_at_m=8, clears_at_m=13
    ),
    "IvrdLoopStalls": Case(
        series={
            'ivrd_loop_stall_seconds_max{clock="cpu"}': "0 0.8x4 0.1x5",
            'ivrd_loop_stall_seconds_max{clock="wall"}': "9x20",
        },
        quiet_at_m=1,
        fires_at_m=3,
        clears_at_m=7,
    ),
}


def alerts_in(rules: Path) -> set[str]:
    return set(re.findall(r"^\s*- alert: (\w+)$", rules.read_text(encoding="utf-8"), re.M))


def promtool(*arguments: str | Path) -> str:
    program = shutil.which("promtool")
    assert program is not None, "promtool is missing; ./run test installs Debian's prometheus"
    result = subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def expectations(alert: str, case: Case) -> Sequence[object]:
    firing = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})'
    return [
        {
            "expr": firing,
            "eval_time": f"{minute}m",
            "exp_samples": [{"labels": "{}", "value": 1}] if is_firing else [],
        }
        for minute, is_firing in (
            (case.quiet_at_m, False),
            (case.fires_at_m, True),
            (case.clears_at_m, False),
        )
        if minute is not None
    ]


def test_the_rules_are_sound_and_every_alert_has_a_case() -> None:
    promtool("check", "rules", RULES)
    assert set(CASES) == alerts_in(RULES)


def test_every_alert_fires_and_clears(tmp_path: Path) -> None:
    tests = [
        {
            "name": alert,
            "interval": "1m",
            "input_series": [
                {"series": series, "values": values} for series, values in case.series.items()
            ],
            "promql_expr_test": expectations(alert, case),
        }
        for alert, case in CASES.items()
    ]
    file = tmp_path / "alerts.test.yml"
    # JSON is YAML.
    file.write_text(
        json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}),
        encoding="utf-8",
    )
    promtool("test", "rules", file)


@pytest.mark.parametrize(
    ("record", "series", "value"),
    [
        (
            "ivrd:queue_service_level:ratio_1h",
            {
                f'ivrd_queue_service_total{{{KC},result="in_time"}}': "0+3x60",
                f'ivrd_queue_service_total{{{KC},result="late"}}': "0+1x60",
                f'ivrd_queue_service_total{{{KC},result="abandoned"}}': "0+1x60",
                f'ivrd_queue_service_total{{{KC},result="short_abandon"}}': "0+7x60",
            },
            0.6,
        ),
        (
            "ivrd:queue_abandoned:ratio_1h",
            {
                f"ivrd_queue_joined_total{{{KC}}}": "0+3x60",
                f'ivrd_queue_entries_total{{{KC},disposition="full"}}': "0+1x60",
                f'ivrd_queue_entries_total{{{KC},disposition="abandoned"}}': "0+1x60",
            },
            0.25,
        ),
    ],
)
def test_a_recorded_ratio_is_its_formula(
    tmp_path: Path, record: str, series: Mapping[str, str], value: float
) -> None:
    document = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": told} for name, told in series.items()],
                "promql_expr_test": [
                    {
                        "expr": f"round({record}, 0.001)",
                        "eval_time": "60m",
                        "exp_samples": [{"labels": f"{{{KC}}}", "value": value}],
                    }
                ],
            }
        ],
    }
    file = tmp_path / "records.test.yml"
    file.write_text(json.dumps(document), encoding="utf-8")
    promtool("test", "rules", file)
