"""The rows of one call in Asterisk's journal, and the events that they tell and that we missed.

Here: one call at a time, row by row. Not here: which calls, and the journal as a whole
(catch_up.py).

The rules
    1. Rows are walked in order, and matched with the entries that we know: what we have seen
       ourselves is told no second time, since our stamps are finer than the journal's seconds.
    2. ABANDON is written for an AMI Redirect too (ASTERISK.md §A1). It was a hang-up if the
       channel ended within ABANDON_END of it.
    3. The journal does not say who transferred: it is taken for the agent, as nearly always.
    4. Where the journal cannot tell whether the agent handed the caller on, the end is unknown:
       COMPLETEAGENT of a caller who lived on for more than ABANDON_END (a talk of three that the
       agent left; on 16.28 now and then a consultation by code), and each talk with an agent behind
       a Local channel with "/n", whose hand-overs no queue sees.

Source:
    Rule 4: rows on 22.10.1 and 16.28.0 of each way to leave a guide. When the agent hangs up,
    COMPLETEAGENT and IVRDEND have the same second; in a talk of three they lie as far apart as the
    other two talk on. With "/n" COMPLETEAGENT stands at the end of the official's talk.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ivrd.core import journal
from ivrd.core.call import Call
from ivrd.core.events import (
    AgentCompleted,
    AgentConnected,
    AttendedTransferred,
    BlindTransferred,
    CallArrived,
    CallerJoined,
    CallerLeft,
    ChannelHungUp,
    ChoiceMade,
    Event,
    HangupRequested,
    LineClosed,
    NoticeTold,
    QueueExited,
)
from ivrd.core.exits import REFUSALS, is_refused
from ivrd.core.ids import (
    ChannelId,
    Interface,
    LineName,
    MenuName,
    QueueName,
    channel_id,
)
from ivrd.core.journal import JournalRow
from ivrd.core.labelling import label_pressed
from ivrd.core.stay import Closed, Talking

ABANDON_END = timedelta(seconds=2)
"""A channel is gone milliseconds after its hang-up; two seconds cover the cut to whole ones."""


STATUS_BY_ROW = {
    "EXITWITHTIMEOUT": "TIMEOUT",
    "EXITEMPTY": "LEAVEEMPTY",
    "EXITWITHKEY": "KEY",
    "WITHDRAW": "WITHDRAW",
}
"""The QUEUESTATUS that stands for each exit row of app_queue."""

COMPLETED = frozenset({"COMPLETEAGENT", "COMPLETECALLER"})

InterfaceOf = Callable[[QueueName, str], Interface]
"""Finds a member's interface by the name that stands in the journal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What of a call's journal we have seen ourselves."""

    has_line: bool = False
    choices: int = 0
    is_closed: bool = False
    notices: int = 0
    """How often a notice was told to begin or to end."""
    stays: int = 0
    """Entries that have an ENTERQUEUE row."""
    refusals: int = 0
    is_last_answered: bool = False
    is_last_closed: bool = False
    is_last_handed_on: bool = False
    queue: QueueName | None = None
    """Of the last one of them."""
    leg: ChannelId | None = None
    interface: Interface | None = None
    is_ended: bool = False


def known_of(call: Call | None) -> Known:
    """Return what we have seen of a call; None for one that we do not know."""
    if call is None:
        return Known()
    seen = [
        entry for entry in call.entries if not (isinstance(entry, Closed) and is_refused(entry))
    ]
    last = seen[-1] if seen else None
    return Known(
        has_line=call.line is not None,
        choices=len(call.path),
        is_closed=call.is_closed,
        notices=call.notices_told,
        stays=len(seen),
        refusals=len(call.entries) - len(seen),
        is_last_answered=isinstance(last, Talking | Closed) and last.answered_at is not None,
        is_last_closed=isinstance(last, Closed),
        is_last_handed_on=last is not None
        and any(over.entry_number == last.stay.number for over in call.hand_overs),
        queue=None if last is None else last.stay.queue,
        leg=last.agent_leg if isinstance(last, Talking | Closed) else None,
        interface=last.interface if isinstance(last, Talking | Closed) else None,
        is_ended=call.hung_up_at is not None,
    )


class CallReader:
    """Walks the rows of one call."""

    def __init__(
        self,
        *,
        known: Known,
        number: str | None,
        ended_at: datetime | None,
        exits: Sequence[datetime],
        interface_of: InterfaceOf,
    ) -> None:
        self._known = known
        self._number = number
        self._ended_at = ended_at
        self._exits = exits
        self._interface_of = interface_of
        self._channel = ""
        self._linked_id: ChannelId | None = None
        self._stays = 0
        self._refusals = 0
        self._choices = 0
        self._notices = 0
        self._timed_out: JournalRow | None = None
        self._legs: dict[QueueName, ChannelId] = {}
        """The agent's channel in the last talk of each queue."""
        if known.queue is not None and known.leg is not None:
            self._legs[known.queue] = known.leg
        self._interface = known.interface
        self._is_marked = known.has_line

    def read(self, row: JournalRow) -> Iterator[Event]:
        """Yield what one row tells and we missed."""
        if (timed_out := self._timed_out) is not None:
            # Our own row, next, says whether it was the line's closing.
            self._timed_out = None
            is_closing = row.event == journal.EXIT and row.data[:1] == ("CLOSING",)
            yield _exit(timed_out, "CLOSING" if is_closing else "TIMEOUT", "")
        match row.event:
            case journal.ARRIVED:
                yield from self._arrival(row)
            case journal.CHOICE:
                yield from self._choice(row)
            case journal.CLOSED:
                yield from self._line_closed(row)
            case journal.NOTICE:
                yield from self._notice(row)
            case journal.LABEL:
                yield from label_pressed(row)
            case journal.ENTER:
                self._enter(row)
            case journal.EXIT:
                yield from self._refusal(row)
            case journal.END:
                if not self._known.is_ended:
                    yield ChannelHungUp(
                        at=row.at, system=row.system, channel_id=ChannelId(row.call_id), cause=0
                    )
            case "ENTERQUEUE":
                self._stays += 1
                if self._stays > self._known.stays:
                    yield self._join(row)
            case _:
                if self._is_news():
                    yield from self._progress(row)

    def _is_news(self) -> bool:
        """Return whether rows of the present stay can tell something new."""
        if 0 < self._stays < self._known.stays:
            return False
        return self._stays > self._known.stays or not self._known.is_last_closed

    def _is_known_stay(self) -> bool:
        return self._stays <= self._known.stays

    def _arrival(self, row: JournalRow) -> Iterator[Event]:
        if len(row.data) < 2:
            return
        self._channel = row.data[1]
        self._is_marked = True
        if not self._known.has_line:
            yield CallArrived(
                at=row.at,
                system=row.system,
                call_id=row.call_id,
                linked_id=ChannelId(row.call_id),
                channel=self._channel,
                line=LineName(row.data[0]),
                caller_number=self._number or None,
            )

    def _choice(self, row: JournalRow) -> Iterator[Event]:
        if len(row.data) < 6:
            return
        self._choices += 1
        if self._choices <= self._known.choices:
            return
        menu, outcome, choice, digit, tries, source = row.data[:6]
        yield ChoiceMade(
            at=row.at,
            system=row.system,
            call_id=row.call_id,
            menu=MenuName(menu),
            outcome=outcome,
            choice=choice,
            digit=digit or None,
            tries=int(tries) if tries.isascii() and tries.isdigit() and len(tries) < 4 else 0,
            is_static=source == "static",
            language=row.data[6] if len(row.data) > 6 else "",
        )

    def _line_closed(self, row: JournalRow) -> Iterator[Event]:
        if len(row.data) >= 2 and not self._known.is_closed:
            yield LineClosed(
                at=row.at,
                system=row.system,
                call_id=row.call_id,
                line=LineName(row.data[0]),
                reason=row.data[1],
            )

    def _notice(self, row: JournalRow) -> Iterator[Event]:
        """Yield a notice; one that began before the gap and ended in it is told to its end."""
        self._notices += 1
        if len(row.data) >= 2 and self._notices > self._known.notices:
            yield NoticeTold(
                at=row.at,
                system=row.system,
                call_id=row.call_id,
                notice=row.data[0],
                is_over=row.data[1] == "ended",
            )

    def _enter(self, row: JournalRow) -> None:
        """Note whose channel comes into a queue: the caller's own, or an agent's who asks."""
        if len(row.data) >= 2:
            self._linked_id = channel_id(row.system, row.data[0])
            self._channel = row.data[1]

    def _refusal(self, row: JournalRow) -> Iterator[Event]:
        if not row.data or row.data[0] not in REFUSALS:
            return
        self._refusals += 1
        if self._refusals > self._known.refusals:
            told = _exit(row, row.data[0], row.data[1] if len(row.data) > 1 else "")
            linked_id = self._linked_id or told.linked_id
            yield replace(told, linked_id=linked_id, channel=self._channel)

    def _join(self, row: JournalRow) -> CallerJoined:
        position = row.data[2] if len(row.data) > 2 else ""
        self._interface = None
        return CallerJoined(
            at=row.at,
            system=row.system,
            call_id=row.call_id,
            linked_id=self._linked_id or ChannelId(row.call_id),
            channel=self._channel,
            queue=row.queue,
            position=int(position) if position.isascii() and position.isdigit() else 0,
        )

    def _progress(self, row: JournalRow) -> Iterator[Event]:
        """Yield what a row of an open stay tells."""
        if row.event == "CONNECT":
            yield from self._answer(row)
        elif row.event in COMPLETED:
            reason = row.event.removeprefix("COMPLETE").lower()
            yield self._completed(row, reason, is_end_known=not self._may_be_handed_on(row))
        elif row.event in ("BLINDTRANSFER", "ATTENDEDTRANSFER"):
            yield from self._hand_over(row)
        elif row.event == "ABANDON":
            if self._ended_at is not None and self._ended_at - row.at <= ABANDON_END:
                yield HangupRequested(
                    at=row.at, system=row.system, channel_id=ChannelId(row.call_id)
                )
            yield _left(row)
        elif row.event in STATUS_BY_ROW:
            info = row.data[3] if row.event == "WITHDRAW" and len(row.data) > 3 else ""
            yield _left(row)
            if row.event == "EXITWITHTIMEOUT":
                self._timed_out = row
            else:
                yield _exit(row, STATUS_BY_ROW[row.event], info)

    def _answer(self, row: JournalRow) -> Iterator[Event]:
        if len(row.data) < 2 or (self._is_known_stay() and self._known.is_last_answered):
            return
        leg = self._legs[row.queue] = channel_id(row.system, row.data[1])
        self._interface = self._interface_of(row.queue, row.agent)
        yield _left(row)
        yield AgentConnected(
            at=row.at,
            system=row.system,
            call_id=row.call_id,
            queue=row.queue,
            interface=self._interface,
            member_name=row.agent,
            agent_leg=leg,
        )

    def _hand_over(self, row: JournalRow) -> Iterator[Event]:
        # The row may stand behind the next ENTERQUEUE: Asterisk has sent the caller on by then.
        leg = self._legs.get(row.queue)
        is_told = leg == self._known.leg and self._known.is_last_handed_on
        if leg is not None and not is_told:
            yield _transfer(row, leg)
        yield self._completed(row, "transfer", is_end_known=True)

    def _may_be_handed_on(self, row: JournalRow) -> bool:
        """Return whether the end of a talk may hide a hand-over (rule 4)."""
        if self._interface is not None and is_blind_spot(self._interface):
            return True
        if row.event != "COMPLETEAGENT" or not self._is_marked:
            return False
        return not any(abs(at - row.at) <= ABANDON_END for at in self._exits)

    def _completed(self, row: JournalRow, reason: str, *, is_end_known: bool) -> AgentCompleted:
        return AgentCompleted(
            at=row.at,
            system=row.system,
            call_id=row.call_id,
            queue=row.queue,
            reason=reason,
            is_end_known=is_end_known,
        )


def is_blind_spot(interface: Interface) -> bool:
    """Return whether a queue sees nothing of what an agent behind this member does.

    >>> is_blind_spot(Interface("Local/anna@mobiles/n")), is_blind_spot(Interface("PJSIP/anna"))
    (True, False)
    """
    return interface.startswith("Local/") and interface.endswith("/n")


def _transfer(row: JournalRow, leg: ChannelId) -> BlindTransferred | AttendedTransferred:
    if row.event == "BLINDTRANSFER":
        return BlindTransferred(
            at=row.at,
            system=row.system,
            transferer_id=leg,
            transferee_id=ChannelId(row.call_id),
            extension=row.data[0] if row.data else "",
            is_success=True,
        )
    return AttendedTransferred(
        at=row.at,
        system=row.system,
        orig_transferer_id=leg,
        second_transferer_id=leg,
        transferee_id=ChannelId(row.call_id),
        target_id=None,
        destination=row.data[0].capitalize() if row.data else "",
        is_success=True,
    )


def _left(row: JournalRow) -> CallerLeft:
    return CallerLeft(at=row.at, system=row.system, call_id=row.call_id, queue=row.queue)


def _exit(row: JournalRow, status: str, info: str) -> QueueExited:
    return QueueExited(
        at=row.at,
        system=row.system,
        call_id=row.call_id,
        queue=row.queue,
        status=status,
        info=info,
        linked_id=ChannelId(row.call_id),
        channel="",
    )
