"""Rows of Asterisk's own queue journal, as values.

Here: the record. Not here: reading the file (queue_log.py), comparing (reconcile.py), and learning
from it what happened in a gap (catch_up.py).

Beside app_queue's own rows the dialplan writes four of ours with QueueLog(), because the journal is
otherwise silent on how a call came, what it chose, why it was refused, and when it ended:
    IVRDARRIVED  line, channel
    IVRDCHOICE   menu, outcome, choice, digit, tries, source
    IVRDEXIT     status of a refused caller (QUEUESTATUS), in the row's queue
    IVRDEND      nothing: the caller's channel is gone
"""

from dataclasses import dataclass
from datetime import datetime

from ivrd.core.ids import CallId, QueueName, SystemName

ARRIVED = "IVRDARRIVED"
CHOICE = "IVRDCHOICE"
EXIT = "IVRDEXIT"
END = "IVRDEND"

QUEUE_START = "QUEUESTART"
"""Asterisk has started: all calls open until here have ended, nobody knows how. The one row that is
delivered although it is about no call; its call id is "system/NONE"."""


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
