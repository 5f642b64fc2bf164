"""The case rule: what an ended call of a guide opens, and what may become of that.

Here: the rule, in one place. Not here: acts on what was opened (case_record.py), storing it, and
the figures that follow (first_contact.py). Users read the same rule in docs/cases.md.

The rule
    1. A call that a guide answered and did not hand on opens one case, *resolved*.
    2. A call that a guide handed on opens none: it is kept as a *contact*. Whether the guide helped
       before that, only the guide knows, and says so with one act: the contact then is *half
       helped*, a case of its own or, by configuration, still a contact.
    3. A pure switchboard connection opens none, and neither does any other outcome. An unknown
       outcome opens none: a case is a bill, and is never guessed.
    4. A promise to call back keeps a case *open*, with a deadline.
    5. A case is linked to the same caller's last one that is not closed and not too old.
    6. A case without a label is a *draft*, and stays on the guide's list.

The key (call_id, rule) is unique in the database, for case and contact alike, so a repeat after a
reconnect or a replay changes nothing.

Source:
    MISSION.md, case rule (Jönköping 2010): half-helped calls were unclear to the guides.
"""

from collections.abc import Mapping

from ivrd.core.call import Call, is_handed_on, last_answered, role_of
from ivrd.core.call_book import CallBook
from ivrd.core.effects import Disposition, OpenCase, Outcome, RecordCall, RecordContact
from ivrd.core.ids import QueueName
from ivrd.core.rules import QueueRules, Role
from ivrd.core.stay import Closed


def settle_case(book: CallBook, record: RecordCall, call: Call) -> None:
    """Open what an ended call opens; only a case shows on its queue's board.

    Args:
        book: Takes the effects.
        record: What the call came to.
        call: The call itself; every entry is closed.
    """
    kept = case_for(record, call, queues=book.rules.queues, rule=book.rules.case_rule)
    if kept is None:
        return
    book.effects.append(kept)
    if isinstance(kept, OpenCase):
        book.floor(kept.queue).count_case()
        book.touch(kept.queue)


def case_for(
    record: RecordCall,
    call: Call,
    *,
    queues: Mapping[QueueName, QueueRules],
    rule: str,
) -> OpenCase | RecordContact | None:
    """Return the case, or the contact, that an ended call opens, or None.

    Args:
        record: What the call came to.
        call: The call itself; every entry is closed.
        queues: Rules by queue.
        rule: The rule's name, part of the key.
    """
    if record.outcome is Outcome.RESOLVED:
        make: type[OpenCase] | type[RecordContact] = OpenCase
        answered = last_answered(call)
        assert answered is not None, "a resolved call has an answered entry"
    elif record.outcome is Outcome.HANDED_ON:
        make, answered = RecordContact, _who_handed_on(call, queues)
    else:
        return None
    if answered is None:
        # Handed on by a guide whose part we did not see whole; see rule 3.
        return None
    assert isinstance(answered, Closed), "an ended call has only closed entries"
    assert answered.answered_at is not None, "an answered entry knows when"
    assert answered.interface is not None, "an answered entry knows its member"
    rules = queues.get(answered.stay.queue)
    return make(
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
        caller_number=call.caller_number,
    )


def _who_handed_on(call: Call, queues: Mapping[QueueName, QueueRules]) -> Closed | None:
    """Return the last guide's part after which the caller was handed on."""
    for entry in reversed(call.entries):
        if not isinstance(entry, Closed) or entry.disposition is not Disposition.ANSWERED:
            continue
        if role_of(entry.stay.queue, queues) is Role.GUIDE and is_handed_on(call, entry):
            return entry
    return None
