"""Rows of Asterisk's own queue journal, as values.

Here: the record. Not here: reading the file (queue_log.py), comparing (reconcile.py), and learning
from it what happened in a gap (catch_up.py).

Beside app_queue's own rows the dialplan writes some of ours with QueueLog(), because the journal is
otherwise silent on how a call came, what it chose, why it was refused, and when it ended:
    IVRDARRIVED  line, channel
    IVRDCLOSED   line, why: hours or forced
    IVRDNOTICE   notice, phase: began or ended
    IVRDCHOICE   menu, outcome, choice, digit, tries, source, language
    IVRDENTER    Linkedid, channel: about to enter the row's queue; so an agent who asks there is
                 known (consultation.py)
    IVRDEXIT     QUEUESTATUS of a Queue() that ended without an agent, in the row's queue; KEY; or
                 CLOSED for a queue that was closed, CLOSING for a caller whose line closed
    IVRDEND      nothing: the caller's channel is gone
    IVRDLABEL    label, whole or half, during or after the call, second, the agent's channel and its
                 Uniqueid: a code on a guide's telephone
"""

from dataclasses import dataclass, replace
from datetime import datetime

from ivrd.core.ids import CallId, QueueName, SystemName

ARRIVED = "IVRDARRIVED"
CLOSED = "IVRDCLOSED"
NOTICE = "IVRDNOTICE"
CHOICE = "IVRDCHOICE"
ENTER = "IVRDENTER"
EXIT = "IVRDEXIT"
END = "IVRDEND"
LABEL = "IVRDLABEL"

QUEUE_START = "QUEUESTART"
"""Asterisk has started: all calls open until here have ended, nobody knows how. The one row that is
delivered although it is about no call; its call id is "system/NONE"."""


TALK_ENDS = frozenset({"COMPLETEAGENT", "COMPLETECALLER", "BLINDTRANSFER", "ATTENDEDTRANSFER"})
"""Rows that end an agent's part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalRow:
    """One row of queue_log about a call; the rows of a call stand in the order of its life."""

    at: datetime
    """Cut to the whole second by Asterisk."""
    system: SystemName
    call_id: CallId
    queue: QueueName
    """"NONE" in rows that belong to no queue."""
    agent: str
    """The member's name; "NONE" where there is none."""
    event: str
    data: tuple[str, ...]
    """The fields after the event; shorter than expected when Asterisk left some out."""


class TalkOwners:
    """Finds whose talk a row ends that stands under another id.

    After an attended transfer into an application (DestType App) the row may stand under the id of
    the agent's consulting channel, whose place the caller is about to take (asterisk#759; measured
    on 22.10.1, where some rows of the same scenario are so and some are not).
    """

    def __init__(self) -> None:
        """Begin with no talk."""
        self._of_call: dict[CallId, tuple[QueueName, str]] = {}
        self._of_agent: dict[tuple[QueueName, str], CallId] = {}

    def owned(self, row: JournalRow) -> JournalRow:
        """Return a row under the id of the call that it is about. Takes every row, in order."""
        talk = (row.queue, row.agent)
        if row.event == "CONNECT":
            self._of_call[row.call_id] = talk
            self._of_agent[talk] = row.call_id
        elif row.event == END:
            self._forget(row.call_id)
        elif row.event in TALK_ENDS:
            owner = self._of_agent.get(talk)
            if owner is not None and row.call_id not in self._of_call:
                row = replace(row, call_id=owner)
            self._forget(row.call_id)
        return row

    def _forget(self, call_id: CallId) -> None:
        talk = self._of_call.pop(call_id, None)
        if talk is not None and self._of_agent.get(talk) == call_id:
            del self._of_agent[talk]
