"""What messages to subscribers say of cases and decisions, as JSON.

Here: their text. Not here: topics and sending (mqtt.py), nor a queue's status (web/status.py).
"""

import json

from ivrd.core.case_record import CaseChanged
from ivrd.core.decisions import RecordDecision
from ivrd.core.effects import PublishCase


def case_json(case: PublishCase | CaseChanged) -> str:
    """Return a new case, or a change of one without what somebody wrote."""
    if isinstance(case, CaseChanged):
        now, change = case.case, case.change
        return json.dumps(
            {
                "system": now.system,
                "case_id": now.case_id,
                "call_id": now.call_id,
                "version": change.version,
                "at": change.at.isoformat(),
                "what": change.what,
                "who": change.by.who,
                "from_where": change.by.origin.value,
                "class": now.case_class.value,
                "is_case": now.is_case,
                "state": now.state.value,
                "label": now.label,
                "department": now.department,
            }
        )
    return json.dumps(
        {
            "system": case.system,
            "case_id": case.case_id,
            "call_id": case.call_id,
            "rule": case.rule,
            "at": case.at.isoformat(),
        }
    )


def decision_json(decision: RecordDecision) -> str:
    """Return a decision of overflow with its figures."""
    return json.dumps(
        {
            "system": decision.system,
            "at": decision.at.isoformat(),
            "call_id": decision.call_id or None,
            "what": decision.what.value,
            "rule": decision.rule,
            "from_queue": decision.from_queue or None,
            "to_queue": decision.to_queue or None,
            "is_dry_run": decision.is_dry_run,
            "is_by_hand": decision.is_by_hand,
            "who": decision.who or None,
            "why": decision.why or None,
            "figures": json.loads(decision.figures),
        }
    )
