"""`ivrd overflow rehearse`: days that happened, played again under the rules of then and others.

Here: rules from files, chance, and days put together. Not here: where days come from
(observed_days.py), the model (core/rehearsal.py, core/rehearsal_day.py), tables and plots
(rehearsal_report.py, rehearsal_plot.py).

The rules in force are those of the configuration: nobody has stored older ones. What is uncertain
is drawn once, from the seed, and is the same under both rules.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

from ivrd import config, rules
from ivrd.config.document import read_document
from ivrd.core.day_figures import DayFigures, Work, figures_of, total_of
from ivrd.core.ids import QueueName
from ivrd.core.rehearsal import rehearse
from ivrd.core.rehearsal_day import Model, ObservedDay, model_of, work_of
from ivrd.core.rules import FloorRules
from ivrd.core.tracker import Tracker
from ivrd.core.visits import Visit
from ivrd.errors import ConfigError

RULE_KEY = "overflow"

DRAWS = 10

NO_WORK = Work(handling=timedelta(0), on_duty=timedelta(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """Some days under one set of rules, or as they happened."""

    visits: tuple[Visit, ...]
    """Of the first draw."""
    draws: int
    """So often they were played: counts are sums over all draws, and waits are of all together."""
    queues: Mapping[QueueName, DayFigures]
    total: DayFigures
    each: tuple[DayFigures, ...]
    """The total of each draw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """What some days were, and what they come to."""

    days: int
    agents: int
    hang_ups: int
    """What patience rests on."""
    borrowed: Mapping[tuple[QueueName, QueueName], QueueName]
    """See Model."""
    unknown_queues: int
    """Visits left out: the configuration does not name one of their queues."""
    happened: Played
    as_it_was: Played
    """The model, with the rules in force."""
    as_tried: Played | None
    """The model, with the rules to try; None when there were none."""


def rules_tried(config_path: Path, rule_path: Path) -> FloorRules:
    """Return the rules of the configuration, with the overflow rules of another file.

    Raises:
        ConfigError: Of what is wrong with the other file, as `ivrd check` would tell it.
    """
    document = read_document(config_path)
    tried = read_document(rule_path)
    unknown = [
        f"{rule_path}: {key}: only [[{RULE_KEY}]] tables go here"
        for key in tried.keys() - {RULE_KEY}
    ]
    if unknown:
        raise ConfigError(sorted(unknown))
    if RULE_KEY not in tried:
        raise ConfigError([f"{rule_path}: has no [[{RULE_KEY}]] table"])
    try:
        settings = config.check({**document, RULE_KEY: tried[RULE_KEY]})
    except ConfigError as error:
        raise ConfigError([f"{rule_path}: {fault}" for fault in error.faults]) from error
    return rules.floor_rules(settings)


def rehearse_days(
    days: Sequence[ObservedDay],
    *,
    in_force: FloorRules,
    tried: FloorRules | None,
    seed: int,
    draws: int = DRAWS,
) -> Rehearsed:
    """Return what days come to under the rules in force, and under others.

    Args:
        days: What happened.
        in_force: Rules of then, and all else that is decided about the queues.
        tried: The same with other overflow rules; None to look at the model alone.
        seed: Of all that is drawn.
        draws: So often all that is uncertain is drawn; one draw may hit or miss by luck.
    """
    queues = tuple(in_force.queues)
    drawn = [
        [
            model_of(day, queues, Random(f"{seed}/{draw}/{number}").random)
            for number, day in enumerate(days)
        ]
        for draw in range(draws)
    ]
    models = drawn[0]
    known = [_known(day, model) for day, model in zip(days, models, strict=True)]
    borrowed: dict[tuple[QueueName, QueueName], QueueName] = {}
    for model in models:
        borrowed.update(model.borrowed)
    return Rehearsed(
        days=len(days),
        agents=max((len(model.day.agents) for model in models), default=0),
        hang_ups=sum(model.hang_ups for model in models),
        borrowed=borrowed,
        unknown_queues=sum(len(day.visits) for day in days) - sum(map(len, known)),
        happened=_played([list(zip(models, known, strict=True))], in_force),
        as_it_was=_played([_runs(each, in_force) for each in drawn], in_force),
        as_tried=(
            None if tried is None else _played([_runs(each, tried) for each in drawn], in_force)
        ),
    )


def _known(day: ObservedDay, model: Model) -> Sequence[Visit]:
    """Return the visits that the model has too."""
    known = {visitor.call_id for visitor in model.day.visitors}
    return [visit for visit in day.visits if visit.call_id in known]


_Run = tuple[Model, Sequence[Visit]]
"""A day's model, and the visits it came to."""


def _runs(models: Iterable[Model], floor: FloorRules) -> list[_Run]:
    return [
        (model, rehearse(model.day, Tracker(system=model.day.system, rules=floor)).visits)
        for model in models
    ]


def _played(drawn: Sequence[Sequence[_Run]], floor: FloorRules) -> Played:
    """Put days together, and draws."""
    every = [run for runs in drawn for run in runs]
    queues, total = _figures(every, floor)
    return Played(
        visits=tuple(visit for _, visits in drawn[0] for visit in visits),
        draws=len(drawn),
        queues=queues,
        total=total,
        each=tuple(_figures(runs, floor)[1] for runs in drawn),
    )


def _figures(
    runs: Iterable[_Run], floor: FloorRules
) -> tuple[Mapping[QueueName, DayFigures], DayFigures]:
    visits: list[Visit] = []
    work = dict.fromkeys(floor.queues, NO_WORK)
    all_work = NO_WORK
    for model, day in runs:
        visits.extend(day)
        by_queue, of_day = work_of(day, model.day)
        all_work = _sum(all_work, of_day)
        for queue, one in by_queue.items():
            work[queue] = _sum(work[queue], one)
    figures = figures_of(visits, floor.queues, work)
    return figures, total_of(visits, figures, all_work)


def _sum(one: Work, other: Work) -> Work:
    return Work(handling=one.handling + other.handling, on_duty=one.on_duty + other.on_duty)
