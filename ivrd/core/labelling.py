"""Labels that guides press on their telephones: whose they are, and what is kept of them.

Here: from a code to what is said of a call. Not here: what that does to a case (case_record.py),
and the dialplan that takes the codes (dialplan/labels.py).

The rules
    1. During the call only an agent's own channel is believed: the caller, and whoever they were
       handed on to, have the codes too.
    2. After the call the channel is an agent's by itself: only Queue() sends one there.
    3. What is said is kept at once, also while nobody knows yet whether a case comes of the call;
       the database does it to the case when there is one. The last one counts.
    4. The event and its row in the journal are of the same second and channel, and so one act.
"""

import re
from collections.abc import Container, Iterator
from datetime import UTC, datetime

from ivrd.core.actors import Origin
from ivrd.core.call import Call
from ivrd.core.call_book import CallBook, device_of
from ivrd.core.effects import CallActKind, Effect, Outcome, RecordCall, RecordCallAct
from ivrd.core.events import LabelPressed
from ivrd.core.ids import CallId, channel_id
from ivrd.core.journal import LABEL, JournalRow
from ivrd.core.label_hold import LabelHolds
from ivrd.core.stay import Closed, Talking, legs_of

MERGED_MAX = 1_000
"""So many hand-overs between queues, by asking first, are made in a county in an hour."""

PRESSED = re.compile(r"[0-9]{9,11}")


class Labelling:
    """What of one PBX's calls guides have said by telephone."""

    def __init__(self, book: CallBook) -> None:
        """Begin with nothing said."""
        self._book = book
        self.holds = LabelHolds(book)
        self._merged: dict[CallId, CallId] = {}
        """From the channel of an agent who asked in a queue to the ended call that took its place,
        oldest first: who answered there knows the call by that name."""

    def press(self, event: LabelPressed, *, finished: Container[CallId]) -> None:
        """Keep what a guide pressed; report what is not to be believed.

        Args:
            event: The code.
            finished: Calls that are decided, and forgotten.
        """
        book = self._book
        named = self._merged.get(event.call_id, event.call_id)
        call_id = book.aliases.get(named, named)
        call = book.calls.get(call_id)
        agent = None if call is None else _agent_in(call, event)
        if agent is None and event.is_after:
            agent = _agent_at(book, event)
        if call is None and call_id not in finished:
            book.report("no call", event, call_id)
        elif event.label not in book.rules.labels:
            book.report("no such label", event, call_id)
        elif agent is None:
            book.report("not an agent", event, call_id)
        else:
            book.effects += _acts(book, event, call_id, agent)
            self.holds.label(call_id, event.at)

    def let_go(self) -> tuple[Effect, ...]:
        """Return what lets everybody go who is held for a label."""
        self.holds.end_all()
        return self._book.take_effects()

    def finish(self, call: Call, record: RecordCall) -> None:
        """Remember by which names an ended call may still be spoken of."""
        has_case = record.outcome is Outcome.RESOLVED
        self.holds.finish(call.call_id, record.at, has_case=has_case)
        for alias in call.aliases:
            self._merged[alias] = call.call_id
            if len(self._merged) > MERGED_MAX:
                del self._merged[next(iter(self._merged))]


def _acts(
    book: CallBook, event: LabelPressed, call_id: CallId, agent: str
) -> Iterator[RecordCallAct]:
    for what in (CallActKind.HALF_HELPED,) * event.is_half + (CallActKind.LABEL,):
        is_label = what is CallActKind.LABEL
        yield RecordCallAct(
            act_id=f"{event.channel_id} {event.pressed_at:%Y-%m-%dT%H:%M:%SZ} {what}",
            at=event.pressed_at,
            system=book.system,
            call_id=call_id,
            agent=agent,
            what=what,
            value=event.label if is_label else "",
            department=book.rules.labels[event.label] if is_label else None,
            who=agent,
            from_where=Origin.PHONE,
        )


def _agent_in(call: Call, event: LabelPressed) -> str | None:
    """Return the agent whose channel it is in a call; None when it is nobody's."""
    for stay in call.entries:
        if isinstance(stay, Talking | Closed) and event.channel_id in legs_of(stay):
            return stay.agent or stay.interface
    return None


def _agent_at(book: CallBook, event: LabelPressed) -> str:
    """Return whose telephone it is, by the channel's name; the telephone itself when unknown."""
    device = event.channel.rpartition("-")[0]
    for member in book.floor(event.queue).members:
        if device_of(member.interface) == device:
            return member.member_name
    return device


def label_pressed(row: JournalRow) -> Iterator[LabelPressed]:
    """Yield what a row of a label tells; nothing when it is cut."""
    if len(row.data) < 6 or not PRESSED.fullmatch(row.data[3]):
        return
    label, label_class, when, pressed, channel, uniqueid = row.data[:6]
    yield LabelPressed(
        at=row.at,
        system=row.system,
        call_id=row.call_id,
        queue=row.queue,
        label=label,
        is_half=label_class == "half",
        is_after=when == "after",
        pressed_at=datetime.fromtimestamp(int(pressed), UTC),
        channel_id=channel_id(row.system, uniqueid),
        channel=channel,
    )


def label_after(row: JournalRow) -> Iterator[LabelPressed]:
    """Yield what a row tells of a call that is decided: a label that came after it, or nothing.

    One that came during the call was seen when the call was.
    """
    if row.event == LABEL:
        yield from (pressed for pressed in label_pressed(row) if pressed.is_after)
