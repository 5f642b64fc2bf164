"""Writes the dashboards: `python -m grafana.make` after a change of a board.

Here: Grafana's own JSON, by its foundation SDK. Not here: what is on the boards (boards.py).
"""

import json
from collections.abc import Mapping
from pathlib import Path

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueTextMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    GridPos,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from grafana.boards import BOARDS
from grafana.panels import Board, Kind, Panel

DIRECTORY = Path(__file__).parent / "dashboards"

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")

VALUES: Mapping[str, str] = {
    "system": "label_values(ivrd_ami_connected, system)",
    "queue": 'label_values(ivrd_queue_synced{system=~"$system"}, queue)',
    "line": "label_values(ivrd_line_open, line)",
}
"""Where each variable's values come from."""

GREEN, ORANGE, RED, BLUE = "green", "orange", "red", "blue"

AnyPanel = stat.Panel | timeseries.Panel | bargauge.Panel | table.Panel


def text_of(board: Board) -> str:
    """Return a dashboard's JSON."""
    builder = (
        dashboards.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags(["ivrd"])
        .refresh(board.refresh)
        .time(board.since, "now")
        .timezone("browser")
        .with_variable(
            dashboards.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
        )
    )
    for name in board.variables:
        builder.with_variable(
            dashboards.QueryVariable(name)
            .label(name)
            .datasource(SOURCE)
            .query(VALUES[name])
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .include_all(True)
            .all_value(".+")
            .multi(True)
        )
    for row in board.rows:
        builder.with_row(dashboards.Row(row.title))
        for panel in row.panels:
            builder.with_panel(_panel(panel))
    return json.dumps(builder.build(), cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"


def _panel(panel: Panel) -> AnyPanel:
    is_now = panel.kind in (Kind.STAT, Kind.BARS, Kind.TABLE)
    builder = (
        _of_kind(panel.kind)
        .title(panel.title)
        .description(panel.formula)
        .datasource(SOURCE)
        .unit(panel.unit)
        .no_value(panel.no_value)
        .grid_pos(GridPos(h=panel.height, w=panel.width, x=0, y=0))
        .thresholds(
            dashboards.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(_steps(panel))
        )
    )
    if panel.decimals is not None:
        builder.decimals(panel.decimals)
    if panel.unit == "percentunit":
        builder.min(0).max(1)
    for number, query in enumerate(panel.queries):
        target = (
            prometheus.Dataquery()
            .ref_id(chr(ord("A") + number))
            .datasource(SOURCE)
            .expr(query.expr)
            .legend_format(query.legend or "__auto")
        )
        if is_now:
            target.instant().format(
                PromQueryFormat.TABLE if panel.kind is Kind.TABLE else PromQueryFormat.TIME_SERIES
            )
        else:
            target.range()
        builder.with_target(target)
    return builder


def _of_kind(kind: Kind) -> AnyPanel:
    match kind:
        case Kind.STAT:
            # The value stands with its name: colour is never the only sign.
            return stat.Panel().text_mode(BigValueTextMode.VALUE_AND_NAME)
        case Kind.BARS:
            return bargauge.Panel().orientation(VizOrientation.HORIZONTAL)
        case Kind.TABLE:
            return table.Panel()
        case Kind.SERIES | Kind.STACKED:
            legend = (
                common.VizLegendOptions()
                .display_mode(LegendDisplayMode.LIST)
                .placement(LegendPlacement.BOTTOM)
                .show_legend(True)
            )
            builder = timeseries.Panel().legend(legend).span_nulls(False)
            if kind is Kind.STACKED:
                stacking = common.StackingConfig().mode(StackingMode.NORMAL).group("A")
                builder.stacking(stacking).fill_opacity(40)
            return builder


def _steps(panel: Panel) -> list[Threshold]:
    if panel.warn is None and panel.alarm is None:
        return [Threshold(value=None, color=BLUE)]
    if panel.is_low_bad:
        steps = [Threshold(value=None, color=RED)]
        if panel.alarm is not None and panel.alarm != panel.warn:
            steps.append(Threshold(value=panel.alarm, color=ORANGE))
        steps.append(Threshold(value=panel.warn, color=GREEN))
        return steps
    steps = [Threshold(value=None, color=GREEN)]
    if panel.warn is not None:
        steps.append(Threshold(value=panel.warn, color=ORANGE))
    if panel.alarm is not None:
        steps.append(Threshold(value=panel.alarm, color=RED))
    return steps


def main() -> None:
    """Write every dashboard."""
    DIRECTORY.mkdir(exist_ok=True)
    for board in BOARDS:
        (DIRECTORY / f"{board.uid}.json").write_text(text_of(board), encoding="utf-8")


if __name__ == "__main__":
    main()
