"""A line of Asterisk's queue_log as a row: its fields, and what is none.

Here: text. Not here: files and places in them (queue_log.py), and what a row means
(core/journal_story.py, core/call_rows.py).

Source:
    logger.c, `ast_queue_log`: "epoch|callid|queue|agent|event|data...". A "|" in an agent's name or
    in a reason is not escaped, so the data may be shifted.
"""

from datetime import UTC, datetime

from ivrd.core.ids import CallId, QueueName, SystemName, channel_id
from ivrd.core.journal import QUEUE_START, JournalRow

NAMES_MAX = 5_000
"""Texts shared between rows; then the sharing begins anew."""

FIELDS_MIN = 5
"""Time, call, queue, agent, event."""

STAMP_DIGITS_MAX = 10
"""Until the year 2286; more is not a time."""

NOT_A_CALL = frozenset({"NONE", "MANAGER", "CLI", "REALTIME", ""})
"""What stands in the call's field when a row is about a queue or member."""

EVENTS = frozenset(
    "ENTERQUEUE CONNECT COMPLETEAGENT COMPLETECALLER ABANDON EXITWITHTIMEOUT EXITEMPTY EXITWITHKEY "
    "WITHDRAW RINGNOANSWER RINGCANCELED BLINDTRANSFER ATTENDEDTRANSFER AGENTDUMP SYSCOMPAT "
    "ADDMEMBER REMOVEMEMBER PAUSE UNPAUSE".split()
)
"""Events of rows with an agent: a "|" in its name shifts them to the right, and they are found."""

MEMBER_EVENTS = frozenset({"ADDMEMBER", "REMOVEMEMBER", "PAUSE", "UNPAUSE"})
"""Events of rows that say that an agent came or went."""


class RowParser:
    """Lines in, rows out; counts what is no row."""

    def __init__(self, system: SystemName, *, with_members: bool = False) -> None:
        """Begin at zero.

        Args:
            system: Whose journal it is.
            with_members: Also deliver rows of MEMBER_EVENTS, which are about no call.
        """
        self.broken = 0
        self.misencoded = 0
        self._system = system
        self._wanted = MEMBER_EVENTS | {QUEUE_START} if with_members else {QUEUE_START}
        self._known: dict[str, str] = {}
        self._stamp = ""
        self._at = datetime.fromtimestamp(0, tz=UTC)

    def row_of(self, line: bytes | None) -> JournalRow | None:
        """Return the row of a line; None for a broken one, and for one about no call.

        Args:
            line: With its end, or it is broken off; None for one that is too long.
        """
        if line is None or not line.endswith(b"\n"):
            self.broken += 1
            return None
        is_whole = True
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            text = line.decode("utf-8", errors="replace")
            is_whole = False
        fields = text.rstrip("\r\n").split("|")
        stamp = fields[0]
        if len(fields) < FIELDS_MIN or not is_stamp(stamp):
            self.broken += 1
            return None
        self.misencoded += not is_whole
        call = fields[1]
        if call in NOT_A_CALL and fields[4] not in self._wanted:
            return None
        if stamp != self._stamp:
            self._stamp, self._at = stamp, datetime.fromtimestamp(int(stamp), tz=UTC)
        place = 4 if fields[4] in EVENTS else _place_of_event(fields)
        return JournalRow(
            at=self._at,
            system=self._system,
            call_id=CallId(self._same(channel_id(self._system, call))),
            queue=QueueName(self._same(fields[2])),
            agent=self._same("|".join(fields[3:place])),
            event=self._same(fields[place]),
            data=tuple(fields[place + 1 :]),
        )

    def _same(self, text: str) -> str:
        """Return one object for equal texts: names repeat in all rows, a call's id in its own."""
        known = self._known
        if len(known) > NAMES_MAX:
            known.clear()
        return known.setdefault(text, text)


def is_stamp(text: str) -> bool:
    """Return whether a text is a time as the journal writes it: whole seconds since the epoch."""
    return text.isascii() and text.isdigit() and len(text) <= STAMP_DIGITS_MAX


def _place_of_event(fields: list[str]) -> int:
    """Return where the event stands, when it is not where it should be."""
    for place in range(5, len(fields)):
        if fields[place] in EVENTS:
            return place
    return 4
