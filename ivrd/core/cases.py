"""The case rule: when an ended call opens a case.

Here: the rule, in one place. Not here: storing, labelling and handing over.

The rule
    A call that a guide answered and did not hand on opens one case. A call handed on to an official
    opens none. A pure switchboard connection opens none. An unknown outcome opens none: a case is a
    bill, and is never guessed.

The key (call_id, rule) is unique in the database, so a repeat after a reconnect or a replay changes
nothing.

Source:
    MISSION.md, case rule (Jönköping 2010).
"""

from collections.abc import Mapping

from ivrd.core.call import Call, last_answered
from ivrd.core.effects import OpenCase, Outcome, RecordCall
from ivrd.core.ids import QueueName
from ivrd.core.rules import QueueRules
from ivrd.core.stay import Closed


def case_for(
    record: RecordCall,
    call: Call,
    *,
    queues: Mapping[QueueName, QueueRules],
    rule: str,
) -> OpenCase | None:
    """Return the case that an ended call opens, or None.

    Args:
        record: What the call came to.
        call: The call itself; every entry is closed.
    """
    if record.outcome is not Outcome.RESOLVED:
        return None
    answered = last_answered(call)
    assert isinstance(answered, Closed), "a resolved call has an answered, closed entry"
    assert answered.answered_at is not None, "an answered entry knows when"
    assert answered.interface is not None, "an answered entry knows its member"
    rules = queues.get(answered.stay.queue)
    return OpenCase(
        at=record.at,
        system=call.system,
        call_id=call.call_id,
        rule=rule,
        line=call.line,
        queue=answered.stay.queue,
        agent=answered.agent or answered.interface,
        interface=answered.interface,
        department=None if rules is None else rules.department,
        answered_at=answered.answered_at,
        is_from_journal=record.is_from_journal,
    )
