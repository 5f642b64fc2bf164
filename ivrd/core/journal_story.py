"""What the rows of Asterisk's own queue journal come to, call by call.

Here: one call's rows, in order, to its story; and the same story's words for what we stored. Not
here: the comparison, and what the journal cannot tell (reconcile.py); reading the file
(queue_log.py).

Asterisk's start (QUEUESTART) ends every call before it, nobody knows how.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ivrd.core import journal as rows_of_ours
from ivrd.core.call_rows import ABANDON_END
from ivrd.core.effects import Disposition, Outcome
from ivrd.core.ids import CallId, QueueName
from ivrd.core.journal import QUEUE_START, JournalRow
from ivrd.core.rules import Role
from ivrd.core.unserved import outcome_after_key, outcome_without_queue

SETTLED = timedelta(seconds=60)
"""A call is decided 2 s after its end, and stored soon after; earlier its absence says nothing."""

CALL_MAX = timedelta(hours=12)
"""No call lasts longer: where the journal tells no end, it is over after so long in silence."""


class JournalEnd(StrEnum):
    """How a stay in a queue ended, in the journal's words."""

    ANSWERED = "CONNECT"
    ABANDONED = "ABANDON"
    TIMED_OUT = "EXITWITHTIMEOUT"
    EMPTY = "EXITEMPTY"
    KEY_EXIT = "EXITWITHKEY"
    WITHDRAWN = "WITHDRAW"
    FULL = "FULL"
    JOIN_EMPTY = "JOINEMPTY"
    """Or no such queue; this, the one before and the next two are told by our own row only."""
    DIVERTED = "DIVERTED"
    CLOSED = "CLOSED"
    """The queue was closed, or the caller's line closed."""
    OPEN = "none yet"
    UNKNOWN = "unknown"
    """On our side: we were not looking. In the journal: Asterisk itself was gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalStay:
    """One stay of a call in a queue, as far as both sides can tell it."""

    queue: QueueName
    end: JournalEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One call, as far as both sides can tell it."""

    stays: tuple[JournalStay, ...]
    transfers: int
    """How often the call was handed on."""
    choice: str | None = None
    outcomes: frozenset[Outcome] = frozenset()
    """Ours: the one stored. The journal's: all that it allows; empty when it cannot tell."""
    cases: int | None = None
    """Ours only: how many are stored; None when nobody looked."""
    is_marked: bool = False
    """The journal's only: has our own rows, and so tells choice, refusals, calls without queue."""
    is_half_seen: bool = False
    """Ours only: the journal cannot see all of how the call left its agents."""
    hiding: int = 0
    """Talks that may hide a hand-over: by Local members (ours), with a caller who lived on."""


NO_STORY = Story(stays=(), transfers=0)


_END_BY_ROW = {
    end.value: end
    for end in (
        JournalEnd.ANSWERED,
        JournalEnd.ABANDONED,
        JournalEnd.TIMED_OUT,
        JournalEnd.EMPTY,
        JournalEnd.KEY_EXIT,
        JournalEnd.WITHDRAWN,
    )
}

_REFUSAL_BY_STATUS = {
    "FULL": JournalEnd.FULL,
    "JOINEMPTY": JournalEnd.JOIN_EMPTY,
    "JOINUNAVAIL": JournalEnd.JOIN_EMPTY,
    "UNKNOWN": JournalEnd.JOIN_EMPTY,
    "CLOSED": JournalEnd.CLOSED,
    "DIVERTED": JournalEnd.DIVERTED,
}

REFUSALS = frozenset(_REFUSAL_BY_STATUS.values())
"""Ends of a caller who never joined."""

_COMPLETED = frozenset({"COMPLETEAGENT", "COMPLETECALLER"})

_ENDINGS = _COMPLETED | {"ABANDON"}
"""After these nothing more is to come of a call without rows of ours, as far as one can tell."""

_TRANSFERS = frozenset({"BLINDTRANSFER", "ATTENDEDTRANSFER"})

_END_BY_DISPOSITION: Mapping[Disposition, JournalEnd] = {
    Disposition.ANSWERED: JournalEnd.ANSWERED,
    Disposition.ABANDONED: JournalEnd.ABANDONED,
    Disposition.REDIRECTED: JournalEnd.ABANDONED,
    Disposition.TIMED_OUT: JournalEnd.TIMED_OUT,
    Disposition.EMPTY: JournalEnd.EMPTY,
    Disposition.KEY_EXIT: JournalEnd.KEY_EXIT,
    Disposition.MOVED: JournalEnd.WITHDRAWN,
    Disposition.WITHDRAWN: JournalEnd.WITHDRAWN,
    Disposition.UNKNOWN: JournalEnd.UNKNOWN,
    Disposition.FULL: JournalEnd.FULL,
    Disposition.JOIN_EMPTY: JournalEnd.JOIN_EMPTY,
    Disposition.CLOSED: JournalEnd.CLOSED,
    Disposition.DIVERTED: JournalEnd.DIVERTED,
}


def stay_of_ours(queue: QueueName, disposition: Disposition) -> JournalStay:
    """Return one of our entries in the journal's words.

    >>> stay_of_ours(QueueName("kc"), Disposition.MOVED).end
    <JournalEnd.WITHDRAWN: 'WITHDRAW'>
    """
    return JournalStay(queue=queue, end=_END_BY_DISPOSITION[disposition])


@dataclass(slots=True, kw_only=True)
class _Stay:
    """One stay on its way through the rows."""

    queue: QueueName
    end: JournalEnd = JournalEnd.OPEN
    is_talk_over: bool = False
    transfers: int = 0
    agent_left_at: datetime | None = None
    """By COMPLETEAGENT, and no row since says what became of the caller."""
    is_hiding: bool = False


class CallJournal:
    """The rows of one call, taken in order; keeps what they come to, not the rows."""

    __slots__ = (
        "_choice",
        "_is_closed",
        "_is_cut",
        "_is_ended",
        "_is_in_notice",
        "_is_marked",
        "_last_event",
        "_stays",
        "_transfers",
        "call_id",
        "first_at",
        "last_at",
    )

    def __init__(self, first: JournalRow) -> None:
        """Begin with a call's first row, which is then to be added too."""
        self.call_id = first.call_id
        self.first_at = first.at
        """Of the arrival where our rows are in the journal, else of the first queue."""
        self.last_at = first.at
        self._stays: list[_Stay] = []
        self._transfers = 0
        self._choice: str | None = None
        self._is_closed = False
        self._is_in_notice = False
        self._is_marked = False
        self._is_ended = False
        self._is_cut = False
        self._last_event = ""

    def add(self, row: JournalRow) -> None:
        """Take the next row."""
        self.last_at = row.at
        self._last_event = row.event
        stay = self._stays[-1] if self._stays else None
        if row.event == "ENTERQUEUE":
            self._stays.append(_Stay(queue=row.queue))
        elif row.event in _END_BY_ROW:
            if stay is not None and stay.end is JournalEnd.OPEN:
                stay.end = _END_BY_ROW[row.event]
        elif row.event in _COMPLETED:
            talk = self._talk_in(row.queue)
            if talk is not None:
                talk.is_talk_over = True
                talk.agent_left_at = row.at if row.event == "COMPLETEAGENT" else None
        elif row.event in _TRANSFERS:
            self._transfers += 1
            talk = self._talk_in(row.queue)
            if talk is not None:
                talk.is_talk_over = True
                talk.transfers += 1
        else:
            self._add_ours(row)

    def _talk_in(self, queue: QueueName) -> _Stay | None:
        """Return the stay whose talk a row of a queue is about; the last when none fits.

        A caller who is handed on may enter the next queue before the transfer's row is written
        (seen on 22.10.1), so the last stay is not always the one.
        """
        for stay in self._stays:
            if stay.queue == queue and stay.end is JournalEnd.ANSWERED and not stay.is_talk_over:
                return stay
        return self._stays[-1] if self._stays else None

    def _add_ours(self, row: JournalRow) -> None:
        """Take a row that our dialplan wrote; any other says nothing about a call's story."""
        last = self._stays[-1] if self._stays else None
        if row.event == rows_of_ours.END and last is not None and last.agent_left_at is not None:
            last.is_hiding = row.at - last.agent_left_at > ABANDON_END
        if row.event == rows_of_ours.ARRIVED:
            self._is_marked = True
        elif row.event == rows_of_ours.CHOICE and len(row.data) > 2:
            self._choice = row.data[2]
        elif row.event == rows_of_ours.CLOSED:
            self._is_closed = True
        elif row.event == rows_of_ours.NOTICE:
            self._is_in_notice = row.data[1:2] == ("began",)
        elif row.event == rows_of_ours.END:
            self._is_ended = True
        elif row.event == rows_of_ours.EXIT and row.data:
            end = _REFUSAL_BY_STATUS.get(row.data[0])
            if last is not None:
                last.agent_left_at = None  # The dialplan goes on with the caller.
            if row.data[0] == "CLOSING" and self._stays:
                self._stays[-1].end = JournalEnd.CLOSED
            elif end is not None:
                self._stays.append(_Stay(queue=row.queue, end=end))

    def cut(self, at: datetime) -> None:
        """Asterisk has started anew: whatever was open has ended, nobody knows how."""
        if self._is_ended or (not self._is_marked and self._last_event in _ENDINGS):
            return
        for stay in self._stays:
            if stay.end is JournalEnd.OPEN:
                stay.end = JournalEnd.UNKNOWN
        self._is_ended = self._is_cut = True
        self.last_at = at

    @property
    def is_story(self) -> bool:
        """False when only the tail of a call is here, or a row without any call's beginning."""
        return self._is_marked or bool(self._stays)

    def is_over(self, now: datetime) -> bool:
        """Return whether the call must have been stored by now."""
        silence = now - self.last_at
        if silence >= CALL_MAX:
            return True
        if self._is_ended:
            return silence >= SETTLED
        if self._is_marked or self._last_event in _TRANSFERS:
            return False
        last = self._stays[-1] if self._stays else None
        is_live = last is not None and (
            last.end is JournalEnd.OPEN
            or (last.end is JournalEnd.ANSWERED and not last.is_talk_over)
        )
        return not is_live and silence >= SETTLED

    def story(self, roles: Mapping[QueueName, Role] | None = None) -> Story:
        """Return what the rows come to.

        Args:
            roles: Who serves each queue; None leaves the outcome out.
        """
        return Story(
            stays=tuple(JournalStay(queue=stay.queue, end=stay.end) for stay in self._stays),
            transfers=self._transfers,
            choice=self._choice,
            outcomes=frozenset() if roles is None else self._allowed(roles),
            is_marked=self._is_marked,
            hiding=sum(stay.is_hiding for stay in self._stays),
        )

    def _allowed(self, roles: Mapping[QueueName, Role]) -> frozenset[Outcome]:
        outcomes = self._outcomes(roles)
        is_unsure = self._is_cut or any(stay.is_hiding for stay in self._stays)
        return outcomes | {Outcome.UNKNOWN} if is_unsure else outcomes

    def _outcomes(self, roles: Mapping[QueueName, Role]) -> frozenset[Outcome]:
        """Return the outcomes that the rows allow, by the rules of call.py."""
        answered = [n for n, stay in enumerate(self._stays) if stay.end is JournalEnd.ANSWERED]
        first = answered[-1] if answered else 0
        if any(stay.end is JournalEnd.OPEN for stay in self._stays):
            return frozenset()
        if any(stay.end is JournalEnd.UNKNOWN for stay in self._stays[first:]):
            return frozenset({Outcome.UNKNOWN})
        if not answered:
            return self._outcomes_unanswered()
        last = self._stays[first]
        if not last.is_talk_over and (self._is_cut or not self._is_ended):
            return frozenset()
        if roles.get(last.queue) is Role.GUIDE:
            is_handed_on = bool(last.transfers) or last.is_hiding
            return frozenset({Outcome.HANDED_ON if is_handed_on else Outcome.RESOLVED})
        is_handed_on = any(
            stay.transfers and roles.get(stay.queue) is Role.GUIDE for stay in self._stays
        )
        return frozenset({Outcome.HANDED_ON if is_handed_on else Outcome.SWITCHBOARD})

    def _outcomes_unanswered(self) -> frozenset[Outcome]:
        if not self._stays:
            outcome = outcome_without_queue(
                self._choice, is_closed=self._is_closed, is_in_notice=self._is_in_notice
            )
            return frozenset({outcome})
        if self._stays[-1].end is JournalEnd.CLOSED:
            return frozenset({Outcome.CLOSED})
        if self._stays[-1].end is JournalEnd.KEY_EXIT:
            return frozenset({outcome_after_key(self._choice)})
        if self._stays[-1].end in (JournalEnd.ABANDONED, JournalEnd.WITHDRAWN):
            # A hang-up or a Redirect; our move or somebody else's withdraw: the rows are the same.
            return frozenset({Outcome.ABANDONED, Outcome.UNSERVED})
        return frozenset({Outcome.UNSERVED})


class JournalBook:
    """The calls of a stream of rows, until each is taken."""

    def __init__(self) -> None:
        """Begin with none."""
        self.marked_since: datetime | None = None
        """First row of ours in the journal; None while there is none."""
        self._calls: dict[CallId, CallJournal] = {}
        self._owners = rows_of_ours.TalkOwners()

    def add(self, row: JournalRow) -> None:
        """Take the next row."""
        row = self._owners.owned(row)
        if row.event == QUEUE_START:
            for call in self._calls.values():
                call.cut(row.at)
            return
        if self.marked_since is None and row.event == rows_of_ours.ARRIVED:
            self.marked_since = row.at
        if row.call_id not in self._calls:
            self._calls[row.call_id] = CallJournal(row)
        self._calls[row.call_id].add(row)

    def take(self, call_id: CallId) -> CallJournal | None:
        """Remove and return one call; None when no row was about it."""
        return self._calls.pop(call_id, None)

    def take_older(self, than: datetime | None) -> Iterator[CallJournal]:
        """Remove and yield calls that began before a moment, or all of them; stories only."""
        for call_id, call in list(self._calls.items()):
            if than is None or call.first_at < than:
                del self._calls[call_id]
                if call.is_story:
                    yield call


def stories_of_journal(
    rows: Iterable[JournalRow], *, roles: Mapping[QueueName, Role] | None = None
) -> dict[CallId, Story]:
    """Return what the journal tells of each call; those of whom it has only a tail are left out.

    Args:
        roles: Who serves each queue; None leaves the outcome out.
    """
    book = JournalBook()
    for row in rows:
        book.add(row)
    return {call.call_id: call.story(roles) for call in book.take_older(None)}
