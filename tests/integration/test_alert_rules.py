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


@dataclass(frozen=True)
class Case:
    """One alert on made-up series, and minutes when it is looked at."""

    minutes: tuple[int, int, int]
    """Quiet, for its limits or its patience; firing; clear again."""
    series: Mapping[str, str]


CASES: Mapping[str, Case] = {
    "IvrdLineGoalAtRisk": Case(
        (2, 60, 150),
        {
            # 80 % of twenty an hour against 85 %; then everybody in time.
            f'ivrd_line_service_total{{{LINE},result="in_time"}}': "0+4x60 250+10x120",
            f'ivrd_line_service_total{{{LINE},result="late"}}': "0+1x60 60x120",
            f'ivrd_line_service_total{{{LINE},result="short_abandon"}}': "0+9x180",
            'ivrd_line_goal_ratio{line="kommunen"}': "0.85x180",
        },
    ),
    "IvrdQueueWaitTooLong": Case(
        (11, 13, 17), {f"ivrd_queue_longest_wait_seconds{{{KC}}}": "0+60x15 30x10"}
    ),
    "IvrdQueueWaitLong": Case(
        (5, 7, 9),
        {
            f"ivrd_queue_longest_wait_seconds{{{KC}}}": "0+60x7 30x10",
            'ivrd_queue_threshold_seconds{queue="kc"}': "60x20",
        },
    ),
    "IvrdAbandonRateHigh": Case(
        (10, 50, 130),
        {
            f"ivrd_queue_joined_total{{{KC}}}": "0+2x180",
            f'ivrd_queue_entries_total{{{KC},disposition="full"}}': "0x180",
            f'ivrd_queue_entries_total{{{KC},disposition="join_empty"}}': "0x180",
            f'ivrd_queue_entries_total{{{KC},disposition="abandoned"}}': "0+1x60 60x120",
        },
    ),
    "IvrdNobodyServes": Case(
        (3, 6, 14),
        {
            f'ivrd_queue_members{{{KC},state="available"}}': "1 1 0x10 1x10",
            f'ivrd_queue_members{{{KC},state="paused"}}': "3x30",
            'ivrd_queue_info{queue="kc",role="guide"}': "1x30",
            'ivrd_line_open{line="kommunen"}': "1x30",
            'ivrd_line_open{line="va"}': "0x30",
        },
    ),
    "IvrdQueueUnserved": Case(
        (1, 4, 13),
        {
            f"ivrd_queue_callers{{{KC}}}": "0 2x10 0x10",
            f'ivrd_queue_members{{{KC},state="available"}}': "0x20",
        },
    ),
    "IvrdMovesFail": Case(
        (5, 14, 40),
        {
            f'ivrd_queue_move_failures_total{{{PBX},from_queue="vaxel",to_queue="kc",'
            'reason="rush",end="refused"}': "0x5 0+1x10 10x40",
            f'ivrd_queue_move_failures_total{{{PBX},from_queue="va",to_queue="kc",'
            'reason="rush",end="answered_first"}': "0+1x60",
        },
    ),
    "IvrdStaticMenuUsed": Case(
        (4, 9, 30),
        {
            f'ivrd_menu_outcomes_total{{{PBX},menu="m",outcome="stayed",digit="",'
            'runner="dialplan"}': "0x5 1x40"
        },
    ),
    "IvrdCasesUnlabelledSpike": Case(
        (70, 95, 170), {f"ivrd_cases_unlabelled{{{KC}}}": "5x60 5+1x30 35x120"}
    ),
    "IvrdReconcileDiffers": Case(
        (5, 8, 14), {f"ivrd_reconcile_differences{{{PBX}}}": "_x3 0x3 2x5 0x5"}
    ),
    "IvrdReconcileMissing": Case(
        (2150, 2200, 2350),
        {f"ivrd_reconcile_last_run_timestamp_seconds{{{PBX}}}": "0x2300 138000x100"},
    ),
    "IvrdHandoverDead": Case(
        (2, 6, 11),
        {
            'ivrd_handover_messages{destination="tekniska",state="dead"}': "0x3 2x5 0x5",
            'ivrd_handover_messages{destination="tekniska",state="waiting"}': "9x20",
        },
    ),
    "IvrdHandoverLate": Case(
        (60, 65, 78), {'ivrd_handover_oldest_seconds{destination="tekniska"}': "0+60x70 _x20"}
    ),
    "IvrdRecording": Case(
        (3, 4, 11),
        {
            f"ivrd_recorded_channels{{{LINE}}}": "0x3 2x5 0x5",
            f'ivrd_recorded_channels{{{PBX},line="va"}}': "0x20",
        },
    ),
    "IvrdDown": Case((1, 4, 8), {'up{job="ivrd",instance="a"}': "1 0x5 1x5"}),
    "IvrdAmiLost": Case((1, 4, 8), {f"ivrd_ami_connected{{{PBX}}}": "1 0x5 1x5"}),
    "IvrdOutOfStep": Case(
        (2, 5, 8),
        {
            f"ivrd_queue_synced{{{KC}}}": "1 0x5 1x5",
            f'ivrd_queue_synced{{{PBX},queue="vaxel"}}': "1x12",
        },
    ),
    "IvrdEventsRefused": Case(
        (3, 5, 15), {f"ivrd_ami_events_refused_total{{{PBX}}}": "0 0 0 0 1x30"}
    ),
    "IvrdFault": Case(
        (3, 6, 30), {f'ivrd_events_failed_total{{{PBX},event="CallerJoined"}}': "0 0 0 0 1x60"}
    ),
    "IvrdJournalGrowing": Case(
        (4, 12, 26),
        {
            'ivrd_outbox_depth{sink="database"}': "0 0 0+60x20 0x10",
            'ivrd_outbox_depth{sink="mqtt"}': "0+100x40",
        },
    ),
    "IvrdJournalNearlyFull": Case(
        (0, 3, 9), {"ivrd_journal_bytes": "0 85x5 60x5", "ivrd_journal_bytes_max": "100x20"}
    ),
    "IvrdJournalUnusable": Case((0, 3, 9), {"ivrd_journal_usable": "1 0x5 1x5"}),
    "IvrdLost": Case((1, 10, 100), {'ivrd_outbox_dropped_total{sink="mqtt"}': "0 0 3x200"}),
    "IvrdGapUnreadable": Case((4, 8, 13), {f"ivrd_gap_journal_usable{{{PBX}}}": "1 0x10 1x5"}),
    "IvrdCountsNotKept": Case((4, 8, 13), {"ivrd_counts_usable": "1 0x10 1x5"}),
    "IvrdLoopStalls": Case(
        (1, 3, 7),
        {
            'ivrd_loop_stall_seconds_max{clock="cpu"}': "0 0.8x4 0.1x5",
            'ivrd_loop_stall_seconds_max{clock="wall"}': "9x20",
        },
    ),
}


def alerts_in(rules: Path) -> set[str]:
    return set(re.findall(r"^\s*- alert: (\w+)$", rules.read_text(encoding="utf-8"), re.M))


def promtool(*arguments: str | Path) -> str:
    program = shutil.which("promtool")
    assert program is not None, "promtool is missing; ./run test installs Debian's prometheus"
    result = subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=240
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
        for minute, is_firing in zip(case.minutes, (False, True, False), strict=True)
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
