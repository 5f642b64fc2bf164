"""What overflow decided, as one flat fact per decision, which can be stored, published and told.

Here: the record, its figures as JSON of known keys, and which effects are decisions. Not here:
deciding (overflow.py), and the sentences that people read (cli_overflow.py).

Figures: {"held": [{"figure", "level", "limit"}], "source": {...}, "target": {...}, "caller": {...}}
as they were at that moment, or {"because"} for what could not be; a part that the decision did not
look at is left out. Waits are seconds, a service level is a number from 0 to 1, and null is "nobody
can tell".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction

from ivrd.core.effects import (
    DivertCallers,
    MoveEnd,
    RecordMove,
    TellDecision,
    TellNotMoved,
    TellRuleChange,
)
from ivrd.core.ids import CallId, QueueName, SystemName
from ivrd.core.overflow_conditions import Held
from ivrd.core.overflow_figures import ALWAYS_OPEN, CallerFigures, QueueFigures
from ivrd.core.overflow_rules import Level
from ivrd.core.overflow_state import BY_HAND, DecisionKind

FIGURES_CHARACTERS_MAX = 4_000
"""Eight conditions, two queues and a caller take some 1,500; more is left out, not cut."""

NO_CALL = CallId("")
"""Of a decision about a rule or a door."""


class DecidedKind(StrEnum):
    """What was decided, or what came of it."""

    BEGAN = "began"
    """The rule is in force from now on."""
    ENDED = "ended"
    ASKED = "asked"
    """A caller is to be moved to another queue."""
    ASKED_HOME = "asked_home"
    """A caller is to be moved back to where they came from."""
    NOT_ASKED = "not_asked"
    """A person wished to move a caller, and it could not be."""
    LANDED = "landed"
    """The caller is there: events prove it."""
    ANSWERED_FIRST = "answered_first"
    HUNG_UP_FIRST = "hung_up_first"
    REFUSED = "refused"
    LAPSED = "lapsed"
    DIVERTING = "diverting"
    """Callers who come to a queue's door go to another queue."""
    DIVERTED = "diverted"
    """A caller was sent on at a queue's door. Not stored as a decision: the stay there tells it."""
    LETTING_IN = "letting_in"
    """Callers who come to a queue's door are let in again."""


ENDS: Mapping[MoveEnd, DecidedKind] = {
    MoveEnd.LANDED: DecidedKind.LANDED,
    MoveEnd.ANSWERED_FIRST: DecidedKind.ANSWERED_FIRST,
    MoveEnd.HUNG_UP_FIRST: DecidedKind.HUNG_UP_FIRST,
    MoveEnd.REFUSED: DecidedKind.REFUSED,
    MoveEnd.LAPSED: DecidedKind.LAPSED,
}
"""What came of a move, as a decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDecision:
    """Store one decision. (call_id, system, at, what, rule, from_queue) is unique."""

    at: datetime
    system: SystemName
    call_id: CallId
    """NO_CALL for one about a rule or a door."""
    what: DecidedKind
    rule: str
    """"" when callers are let in again."""
    from_queue: QueueName
    """"" for one about a rule."""
    to_queue: QueueName
    """"" where there is none."""
    is_dry_run: bool
    is_by_hand: bool
    """By a person's word, and not by the figures alone."""
    who: str
    """That person; "" for a rule, and where nobody knows."""
    why: str
    """What that person gave as reason."""
    figures: str
    """JSON, see the module's header; "{}" without any."""


Told = TellRuleChange | TellDecision | TellNotMoved | RecordMove | DivertCallers
"""The effects that are decisions."""


def decided(effect: Told) -> RecordDecision:
    """Return an effect as the fact that is kept of it."""
    match effect:
        case TellRuleChange():
            return _rule_change(effect)
        case TellDecision():
            return _decision(effect)
        case TellNotMoved():
            return _not_moved(effect)
        case RecordMove():
            return _about_move(effect)
        case DivertCallers():
            return _about_door(effect)


def _rule_change(told: TellRuleChange) -> RecordDecision:
    change = told.change
    return RecordDecision(
        at=told.at,
        system=told.system,
        call_id=NO_CALL,
        what=DecidedKind.BEGAN if change.is_active else DecidedKind.ENDED,
        rule=change.rule,
        from_queue=QueueName(""),
        to_queue=QueueName(""),
        is_dry_run=change.is_dry_run,
        is_by_hand=change.is_by_hand,
        who=change.who,
        why=change.why,
        figures=figures_text(held=change.held, source=change.source),
    )


def _decision(told: TellDecision) -> RecordDecision:
    decision = told.decision
    is_home = decision.kind is DecisionKind.HOME
    return RecordDecision(
        at=told.at,
        system=told.system,
        call_id=decision.call_id,
        what=DecidedKind.ASKED_HOME if is_home else DecidedKind.ASKED,
        rule=decision.rule,
        from_queue=decision.from_queue,
        to_queue=decision.to_queue,
        is_dry_run=decision.is_dry_run,
        is_by_hand=decision.is_by_hand,
        who=decision.who,
        why=decision.why,
        figures=figures_text(
            held=decision.held,
            source=decision.source,
            target=decision.target,
            caller=decision.caller,
        ),
    )


def _not_moved(told: TellNotMoved) -> RecordDecision:
    return RecordDecision(
        at=told.at,
        system=told.system,
        call_id=told.move.call_id,
        what=DecidedKind.NOT_ASKED,
        rule=BY_HAND,
        from_queue=QueueName(""),
        to_queue=told.move.to_queue,
        is_dry_run=False,
        is_by_hand=True,
        who=told.move.who,
        why=told.move.why,
        figures=json.dumps({"because": told.because}),
    )


def _about_move(move: RecordMove) -> RecordDecision:
    return RecordDecision(
        at=move.at,
        system=move.system,
        call_id=move.call_id,
        what=ENDS[move.end],
        rule=move.reason,
        from_queue=move.from_queue,
        to_queue=move.to_queue,
        is_dry_run=False,
        is_by_hand=False,
        who="",
        why="",
        figures="{}",
    )


def _about_door(divert: DivertCallers) -> RecordDecision:
    is_let_in = divert.to_queue is None
    return RecordDecision(
        at=divert.at,
        system=divert.system,
        call_id=NO_CALL,
        what=DecidedKind.LETTING_IN if is_let_in else DecidedKind.DIVERTING,
        rule=divert.reason,
        from_queue=divert.queue,
        to_queue=divert.to_queue or QueueName(""),
        is_dry_run=False,
        is_by_hand=False,
        who="",
        why="",
        figures="{}",
    )


def figures_text(
    *,
    held: tuple[Held, ...] = (),
    source: QueueFigures | None = None,
    target: QueueFigures | None = None,
    caller: CallerFigures | None = None,
) -> str:
    """Return the figures of a decision as JSON; see the module's header."""
    parts: dict[str, object] = {}
    if held:
        parts["held"] = [
            {"figure": one.figure.value, "level": _number(one.level), "limit": _number(one.limit)}
            for one in held
        ]
    if source is not None:
        parts["source"] = _queue(source)
    if target is not None:
        parts["target"] = _queue(target)
    if caller is not None:
        parts["caller"] = _caller(caller)
    text = json.dumps(parts, ensure_ascii=True, separators=(",", ":"))
    return text if len(text) <= FIGURES_CHARACTERS_MAX else "{}"


def _queue(figures: QueueFigures) -> dict[str, object]:
    return {
        "waiting": figures.waiting,
        "longest_wait": _number(figures.longest_wait),
        "incoming": figures.incoming,
        "free_agents": figures.free_agents,
        "serving_agents": figures.serving_agents,
        "expected_wait": _number(figures.expected_wait),
        "service_level": _number(figures.service_level),
        "is_open": figures.is_open,
        "closes_in": None if figures.closes_in == ALWAYS_OPEN else _number(figures.closes_in),
    }


def _caller(caller: CallerFigures) -> dict[str, object]:
    return {
        "line": caller.line,
        "wait": _number(caller.wait),
        "moves_asked": caller.moves_asked,
        "place_here": caller.place_here,
        "place_there": caller.place_there,
        "expected_here": _number(caller.expected_here),
        "expected_there": _number(caller.expected_there),
    }


def _number(level: Level | None) -> int | float | None:
    if isinstance(level, timedelta):
        return round(level.total_seconds(), 3)
    if isinstance(level, Fraction):
        return round(float(level), 4)
    return level
