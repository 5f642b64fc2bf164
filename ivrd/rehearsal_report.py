"""What a rehearsal came to, for people and for programs: tables side by side, and JSON.

Here: layout, words, Swedish first, and how far two figures are from each other; "pe" is
procentenheter, percentage points. Not here: the figures themselves (core/day_figures.py).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from fractions import Fraction

from rich.markup import escape
from rich.table import Table

from ivrd.core import service_level
from ivrd.core.day_figures import DayFigures
from ivrd.core.ids import QueueName
from ivrd.rehearse import Played, Rehearsed

NEAR = Fraction(1, 10)
"""A model that is further off than this in hang-ups or in the 90th percentile is not to be
trusted."""

HANG_UPS_MIN = 20
"""Patience rests on hang-ups; told when there were fewer."""

TOTAL = QueueName("")
"""Stands for all queues together."""

NO_VALUE = "\N{EN DASH}"


class Kind(Enum):
    """How a figure is taken, compared and written."""

    COUNT = auto()
    """The mean over draws; compared by its own part."""
    RATIO = auto()
    """Compared by percentage points."""
    WAIT = auto()
    """Compared by its own part."""


Value = int | Fraction | timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One figure."""

    kind: Kind
    name: str
    title: str
    of: Callable[[DayFigures], Value]
    told: str = ""
    """Where the title alone does not say it."""
    is_rare: bool = False
    """Left out where it is nothing on all sides."""

    def value(self, day: DayFigures, draws: int) -> Fraction | None:
        """Return it as a number; a wait in milliseconds, a count as the mean of the draws."""
        found = self.of(day)
        if isinstance(found, timedelta):
            return Fraction(found // timedelta(milliseconds=1))
        if found is None:
            return None
        return Fraction(found, draws) if self.kind is Kind.COUNT else Fraction(found)


ROWS = (
    _Row(kind=Kind.COUNT, name="came", title="Kom hit / came here", of=lambda day: day.came),
    _Row(
        kind=Kind.COUNT,
        name="answered",
        title="Besvarade / answered",
        of=lambda day: day.counts.answered,
    ),
    _Row(
        kind=Kind.COUNT,
        name="abandoned",
        title="Tappade / abandoned",
        of=lambda day: day.counts.abandoned,
    ),
    _Row(
        kind=Kind.RATIO,
        name="sl",
        title="Svarsnivå / service level sl",
        of=lambda day: service_level.sl(day.counts),
    ),
    _Row(
        kind=Kind.RATIO,
        name="sl_answered",
        title="  sl_answered",
        of=lambda day: service_level.sl_answered(day.counts),
    ),
    _Row(
        kind=Kind.RATIO,
        name="sl_offered",
        title="  sl_offered",
        of=lambda day: service_level.sl_offered(day.counts),
    ),
    _Row(
        kind=Kind.RATIO,
        name="sl_all_ended",
        title="  sl_all_ended",
        of=lambda day: service_level.sl_all_ended(day.counts),
    ),
    _Row(
        kind=Kind.RATIO,
        name="sl_queued",
        title="  sl_queued",
        of=lambda day: service_level.sl_queued(day.counts),
    ),
    _Row(
        kind=Kind.WAIT,
        name="wait_p50",
        title="Väntan p50, svar här / wait, answered here",
        told="Väntan p50 / wait p50",
        of=lambda day: day.answered_here.p50,
    ),
    _Row(
        kind=Kind.WAIT,
        name="wait_p90",
        title="  p90",
        told="Väntan p90 / wait p90",
        of=lambda day: day.answered_here.p90,
    ),
    _Row(
        kind=Kind.WAIT,
        name="wait_longest",
        title="  längsta / longest",
        of=lambda day: day.answered_here.longest,
    ),
    _Row(
        kind=Kind.WAIT,
        name="came_wait_p50",
        title="Väntan p50, kom hit / wait, came here",
        of=lambda day: day.came_here.p50,
    ),
    _Row(kind=Kind.WAIT, name="came_wait_p90", title="  p90", of=lambda day: day.came_here.p90),
    _Row(
        kind=Kind.COUNT,
        name="came_abandoned",
        title="Tappade, kom hit / abandoned, came here",
        of=lambda day: day.came_abandoned,
    ),
    _Row(
        kind=Kind.WAIT,
        name="left_longest",
        title="Längsta väntan, tappad / longest, abandoned",
        of=lambda day: day.longest_left,
    ),
    _Row(
        kind=Kind.COUNT,
        name="moved_in",
        title="Flyttade hit / moved in",
        of=lambda day: day.counts.moved_in,
    ),
    _Row(
        kind=Kind.COUNT,
        name="moved_out",
        title="Flyttade härifrån / moved out",
        of=lambda day: day.counts.moved_out,
    ),
    _Row(
        kind=Kind.COUNT,
        name="diverted",
        title="Skickade vidare i dörren / diverted",
        is_rare=True,
        of=lambda day: day.diverted,
    ),
    _Row(
        kind=Kind.RATIO,
        name="load",
        title="Belastning / occupancy",
        of=lambda day: day.work.occupancy,
    ),
)

COMPARED = ("abandoned", "wait_p50", "wait_p90", "sl", "moved_out")
"""What the model is measured by, in this order."""

MUST_BE_NEAR = frozenset({"abandoned", "wait_p90"})


def difference(kind: Kind, before: Fraction | None, after: Fraction | None) -> Fraction | None:
    """Return by how much of itself a figure changes, or, of a ratio, by how much of the whole.

    >>> difference(Kind.COUNT, Fraction(80), Fraction(84))
    Fraction(1, 20)
    >>> difference(Kind.RATIO, Fraction(9, 10), Fraction(8, 10))
    Fraction(-1, 10)

    Returns:
        None when one of them has no value, and when a figure was zero and is not.
    """
    if before is None or after is None:
        return None
    if kind is Kind.RATIO:
        return after - before
    if not before:
        return None if after else Fraction(0)
    return (after - before) / before


def tables(
    rehearsed: Rehearsed, titles: Mapping[QueueName, str], rule_name: str | None
) -> Iterator[Table]:
    """Yield one table for each queue, and one for all.

    Args:
        rehearsed: What came of it.
        titles: Of each queue, both languages.
        rule_name: What the tried rules are called; None when none were tried.
    """
    for queue in (*rehearsed.happened.queues, TOTAL):
        title = "Alla köer / all queues" if queue == TOTAL else titles.get(queue, queue)
        yield _table(title, rehearsed, queue, rule_name)


def verdict(rehearsed: Rehearsed) -> Iterator[str]:
    """Yield in words how far the model is from what happened."""
    is_near = True
    for name in COMPARED:
        row = _row(name)
        before, after = _values(row, rehearsed, TOTAL)[:2]
        change = difference(row.kind, before, after)
        if name in MUST_BE_NEAR:
            is_near &= change is not None and abs(change) <= NEAR
        each = [row.value(day, 1) for day in rehearsed.as_it_was.each]
        known = [value for value in each if value is not None]
        spread = f"{_text(row, min(known))} till / to {_text(row, max(known))}" if known else "-"
        yield (
            f"  {row.told or row.title}: {_text(row, before)} → {_text(row, after)} "
            f"({_change(row, change)}; {spread})"
        )
    if is_near:
        yield "Modellen ligger inom 10 % i tappade och p90 / the model is within 10 %."
    else:
        yield (
            "Modellen ligger INTE inom 10 % i tappade och p90: lita inte på jämförelsen / "
            "the model is NOT within 10 %: do not trust the comparison."
        )


def remarks(rehearsed: Rehearsed) -> Iterator[str]:
    """Yield what the reader must know of this rehearsal, beside docs/rehearsal.md."""
    if rehearsed.hang_ups < HANG_UPS_MIN:
        yield (
            f"Bara {rehearsed.hang_ups} lade på: tålamodet är dåligt känt / only so many hung up: "
            "patience is hardly known."
        )
    if rehearsed.unknown_queues:
        yield (
            f"{rehearsed.unknown_queues} besök i köer utanför konfigurationen är borta / visits to "
            "queues that are not configured are left out."
        )
    tried = rehearsed.as_tried
    moved = _moved_pairs(tried) if tried is not None else {}
    for (came, answered), count in moved.items():
        lender = rehearsed.borrowed.get((came, answered))
        if lender is not None:
            yield (
                f"{count} från {came} besvarades i {answered}; samtalstid lånad från {lender} / "
                f"so many of {came} were answered in {answered}, with talk times of {lender}."
            )


def as_json(rehearsed: Rehearsed, *, seed: int) -> dict[str, object]:
    """Return all of it for a program; durations in milliseconds, counts as means of the draws."""
    return {
        "days": rehearsed.days,
        "agents": rehearsed.agents,
        "hang_ups": rehearsed.hang_ups,
        "seed": seed,
        "draws": rehearsed.as_it_was.draws,
        "visits_left_out": rehearsed.unknown_queues,
        "talk_borrowed": {
            f"{came}>{answered}": lender
            for (came, answered), lender in sorted(rehearsed.borrowed.items())
        },
        "happened": _played_json(rehearsed.happened),
        "model": _played_json(rehearsed.as_it_was),
        "tried": None if rehearsed.as_tried is None else _played_json(rehearsed.as_tried),
        "model_off_by": {
            queue or "all": _off_by(rehearsed, queue)
            for queue in (*rehearsed.happened.queues, TOTAL)
        },
    }


def _sides(rehearsed: Rehearsed) -> Sequence[Played]:
    """Return what happened, the model, and the model under the tried rules if there were any."""
    played = [rehearsed.happened, rehearsed.as_it_was]
    return played if rehearsed.as_tried is None else [*played, rehearsed.as_tried]


def _values(row: _Row, rehearsed: Rehearsed, queue: QueueName) -> Sequence[Fraction | None]:
    return [
        row.value(side.total if queue == TOTAL else side.queues[queue], side.draws)
        for side in _sides(rehearsed)
    ]


def _off_by(rehearsed: Rehearsed, queue: QueueName) -> dict[str, float | None]:
    found = {}
    for row in (_row(name) for name in COMPARED):
        before, after = _values(row, rehearsed, queue)[:2]
        found[row.name] = _rounded(difference(row.kind, before, after))
    return found


def _table(title: str, rehearsed: Rehearsed, queue: QueueName, rule_name: str | None) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for head in ("hände\nhappened", "modellen\nmodel", "skillnad\noff by"):
        table.add_column(head, justify="right")
    if rule_name is not None:
        table.add_column(escape(rule_name), justify="right", overflow="fold")
        table.add_column("mot modellen\nvs model", justify="right")
    for row in ROWS:
        values = _values(row, rehearsed, queue)
        if row.is_rare and not any(values):
            continue
        cells = [*(_text(row, value) for value in values[:2])]
        cells.append(_change(row, difference(row.kind, *values[:2])))
        if rule_name is not None:
            cells.append(_text(row, values[2]))
            cells.append(_change(row, difference(row.kind, *values[1:])))
        table.add_row(row.title, *cells)
    return table


def _text(row: _Row, value: Fraction | None) -> str:
    if value is None:
        return NO_VALUE
    match row.kind:
        case Kind.WAIT:
            return _decimal(float(value / 1000), 1) + " s"
        case Kind.RATIO:
            return _decimal(float(value * 100), 1) + " %"
        case Kind.COUNT:
            return str(round(value))


def _change(row: _Row, change: Fraction | None) -> str:
    if change is None:
        return NO_VALUE
    unit = "pe" if row.kind is Kind.RATIO else "%"
    return f"{'+' if change > 0 else ''}{_decimal(float(change * 100), 1)} {unit}"


def _decimal(number: float, digits: int) -> str:
    return f"{number:.{digits}f}".replace(".", ",").replace("-", "\N{MINUS SIGN}")


def _row(name: str) -> _Row:
    return next(row for row in ROWS if row.name == name)


def _moved_pairs(played: Played) -> Mapping[tuple[QueueName, QueueName], int]:
    found: dict[tuple[QueueName, QueueName], int] = {}
    for visit in played.visits:
        pair = visit.came_to, visit.last.queue
        if visit.is_answered and pair[0] != pair[1]:
            found[pair] = found.get(pair, 0) + 1
    return found


def _played_json(played: Played) -> dict[str, object]:
    queues = {queue: _figures_json(day, played.draws) for queue, day in played.queues.items()}
    return {"queues": queues, "all": _figures_json(played.total, played.draws)}


def _figures_json(day: DayFigures, draws: int) -> dict[str, object]:
    return {
        f"{row.name}_ms" if row.kind is Kind.WAIT else row.name: _rounded(row.value(day, draws))
        for row in ROWS
    }


def _rounded(value: Fraction | None) -> float | int | None:
    if value is None:
        return None
    return int(value) if value.denominator == 1 else round(float(value), 4)
