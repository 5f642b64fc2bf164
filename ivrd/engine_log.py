"""The lines that the engine writes of what it hands out, and of faults of ours.

Here: their words and keys. Not here: when (engine.py).
"""

from datetime import datetime, timedelta
from pathlib import PurePath
from types import TracebackType

import structlog

from ivrd.core.decisions import DecidedKind, RecordDecision
from ivrd.core.effects import RecordCall, TellRuleChange
from ivrd.core.ids import CallId, SystemName

PLAN_FAULT_SAID_EVERY = timedelta(minutes=1)
"""A fault in planning may come with each event; each is counted, and one a minute is said."""

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class PlanFaults:
    """Faults in planning overflow, said now and then."""

    def __init__(self) -> None:
        """Begin with none."""
        self._said: dict[tuple[SystemName, str], datetime] = {}

    def say(self, system: SystemName, fault: Exception, *, event: str, at: datetime) -> None:
        """Write where a plan broke, unless it was said of the same place just now.

        Args:
            system: The PBX whose callers are not moved meanwhile.
            fault: As it was caught.
            event: After which it came; that event is applied all the same.
            at: When, in Asterisk's time.
        """
        place = _place_of(fault.__traceback__)
        said_at = self._said.get((system, place))
        if said_at is not None and abs(at - said_at) < PLAN_FAULT_SAID_EVERY:
            return
        self._said[system, place] = at
        log.error(
            "planning_failed", asterisk=system, tracker_event=event, place=place, exc_info=fault
        )


def _place_of(traceback: TracebackType | None) -> str:
    """Return the innermost line, such as "overflow.py:87 in decide"; "" without a traceback."""
    place = ""
    while traceback is not None:
        code = traceback.tb_frame.f_code
        place = f"{PurePath(code.co_filename).name}:{traceback.tb_lineno} in {code.co_name}"
        traceback = traceback.tb_next
    return place


def log_rule_change(told: TellRuleChange) -> None:
    """Write that an overflow rule began or ended."""
    change = told.change
    log.info(
        "overflow_began" if change.is_active else "overflow_ended",
        asterisk=told.system,
        rule=change.rule,
        is_dry_run=change.is_dry_run,
        is_by_hand=change.is_by_hand,
        who=change.who or None,
        waiting=change.source.waiting,
        because=[f"{held.figure.value} {held.level} against {held.limit}" for held in change.held],
    )


def log_decision(decision: RecordDecision) -> None:
    """Write one decision about a caller or a door; of a rule there is a line already."""
    if decision.what in (DecidedKind.BEGAN, DecidedKind.ENDED):
        return
    log.info(
        "overflow_decided",
        asterisk=decision.system,
        call_id=decision.call_id or None,
        what=decision.what.value,
        rule=decision.rule,
        from_queue=decision.from_queue,
        to_queue=decision.to_queue or None,
        is_dry_run=decision.is_dry_run,
        who=decision.who or None,
        why=decision.why or None,
        figures=decision.figures,
    )


def log_call(call: RecordCall) -> None:
    """Write the one canonical line of an ended call."""
    log.info(
        "call_ended",
        asterisk=call.system,
        call_id=CallId(call.call_id),
        line=call.line,
        choice=call.choice,
        path=call.path,
        language=call.language,
        queue=call.last_queue,
        outcome=call.outcome.value,
        wait_s=None if call.wait is None else round(call.wait.total_seconds(), 3),
        moves=call.moves,
        transfers=call.transfers,
        is_static_menu=call.is_static_menu,
    )
