"""Wrap-up held until the case has a label: a guide's member is paused, with our reason.

Here: who is held, and until when. Not here: labels (labelling.py), asking Asterisk (ami/pauses.py).

The rules
    1. A hold begins when the caller of a guide hangs up, in a queue that wants it, unless the case
       has a label already, the caller was handed on, or we are not sure who waits.
    2. The guide is paused in each queue where they are a member and not paused: a pause that
       somebody else set is never touched.
    3. It ends with the label, with the end of a call that opens no case, and at its time limit.
    4. The reason marks what is ours. Whoever is paused for it, and is not held, is released: so a
       restart, or a word of Asterisk that came late, leaves nobody paused for ever. A release of
       which Asterisk tells nothing is asked for again, less and less often, until it does.
    5. Who is let go, or paused for another reason, by somebody else is not held any more.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ivrd.core.call import Call, is_handed_on, last_answered, role_of
from ivrd.core.call_book import CallBook
from ivrd.core.effects import PauseMember
from ivrd.core.events import MemberChanged
from ivrd.core.ids import CallId, Interface, QueueName
from ivrd.core.rules import Role
from ivrd.core.staff import HOLD_REASON as REASON

RELEASE_AGAIN_AFTER = timedelta(seconds=10)
"""Longer than an answer of AMI is waited for; twice as long after each time in vain."""

RELEASE_AGAIN_AFTER_MAX = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One guide who is kept from the next call."""

    call_id: CallId
    until: datetime
    queues: frozenset[QueueName]
    """Where they are paused by us."""
    unconfirmed: frozenset[QueueName]
    """Where Asterisk has not said yet that it is so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One end of a pause that was asked for, and is not told by Asterisk yet."""

    again_at: datetime
    wait: timedelta
    """Between the last time of asking and the next."""


class LabelHolds:
    """The guides of one PBX who are held now."""

    def __init__(self, book: CallBook) -> None:
        """Begin with nobody."""
        self._book = book
        self._holds: dict[Interface, Hold] = {}
        self._labelled: set[CallId] = set()
        """Live calls whose case has its label already."""
        self._released: dict[tuple[QueueName, Interface], Release] = {}

    @property
    def next_release(self) -> datetime | None:
        """When the next time limit is over, or a release is asked for again; None for never."""
        if not self._holds and not self._released:
            return None
        limits = (hold.until for hold in self._holds.values())
        return min((*limits, *(release.again_at for release in self._released.values())))

    def begin(self, call: Call, at: datetime) -> None:
        """Hold the guide of a call whose caller has hung up (rules 1 and 2)."""
        book = self._book
        entry = last_answered(call)
        if entry is None or entry.interface is None or not book.is_synced:
            return
        rules = book.rules.queues.get(entry.stay.queue)
        if rules is None or not rules.hold or role_of(rules.name, book.rules.queues) != Role.GUIDE:
            return
        if call.call_id in self._labelled or call.consults_for or is_handed_on(call, entry):
            return
        queues = frozenset(
            queue
            for queue, floor in book.queues.items()
            if (member := floor.members.get(entry.interface)) is not None and not member.is_paused
        )
        if not queues:
            return
        self._holds[entry.interface] = Hold(
            call_id=call.call_id, until=at + rules.hold, queues=queues, unconfirmed=queues
        )
        for queue in sorted(queues):
            self._ask(queue, entry.interface, at, is_paused=True)

    def label(self, call_id: CallId, at: datetime) -> None:
        """Note that a call's case has its label."""
        if call_id in self._book.calls:
            self._labelled.add(call_id)
        self._end_of(call_id, at)

    def finish(self, call_id: CallId, at: datetime, *, has_case: bool) -> None:
        """Note that a call is decided."""
        self._labelled.discard(call_id)
        if not has_case:
            self._end_of(call_id, at)

    def pass_due(self, at: datetime) -> None:
        """Let go of those whose time limit is over, and ask again what was not heard of."""
        for interface, hold in list(self._holds.items()):
            if hold.until <= at:
                self._end(interface, at)
        for (queue, interface), release in list(self._released.items()):
            if release.again_at <= at:
                del self._released[queue, interface]
                if self._is_paused_by_us(queue, interface):
                    longer = min(2 * release.wait, RELEASE_AGAIN_AFTER_MAX)
                    self._release(queue, interface, at, wait=longer)

    def end_all(self) -> None:
        """Let everybody go: nobody will look after them."""
        for (queue, interface), release in list(self._released.items()):
            if self._is_paused_by_us(queue, interface):
                self._ask(queue, interface, release.again_at, is_paused=False)
        for interface, hold in list(self._holds.items()):
            self._end(interface, hold.until)
            for queue in sorted(hold.unconfirmed):
                # Asked a moment ago: nobody will see it come, and end it then.
                member = self._book.floor(queue).members.get(interface)
                if member is not None and not member.is_paused:
                    self._release(queue, interface, hold.until)

    def see(self, event: MemberChanged) -> None:
        """Look at what Asterisk tells of a member (rules 4 and 5)."""
        hold = self._holds.get(event.interface)
        is_ours = event.is_paused and event.pause_reason == REASON
        if not is_ours:
            self._released.pop((event.queue, event.interface), None)
        if hold is None:
            if is_ours:
                self._release(event.queue, event.interface, event.at)
        elif is_ours:
            self._holds[event.interface] = replace(
                hold, unconfirmed=hold.unconfirmed - {event.queue}
            )
        elif event.queue not in hold.unconfirmed and event.queue in hold.queues:
            self._end(event.interface, event.at)

    def see_all(self) -> None:
        """Look at everybody, after a snapshot."""
        self._released.clear()
        for floor in self._book.queues.values():
            for member in floor.members:
                self.see(member)

    def _end_of(self, call_id: CallId, at: datetime) -> None:
        for interface, hold in list(self._holds.items()):
            if hold.call_id == call_id:
                self._end(interface, at)

    def _end(self, interface: Interface, at: datetime) -> None:
        del self._holds[interface]
        for queue in self._book.queues:
            if self._is_paused_by_us(queue, interface):
                self._release(queue, interface, at)

    def _is_paused_by_us(self, queue: QueueName, interface: Interface) -> bool:
        member = self._book.floor(queue).members.get(interface)
        return member is not None and member.is_paused and member.pause_reason == REASON

    def _release(
        self,
        queue: QueueName,
        interface: Interface,
        at: datetime,
        *,
        wait: timedelta = RELEASE_AGAIN_AFTER,
    ) -> None:
        if (queue, interface) not in self._released:
            self._released[queue, interface] = Release(again_at=at + wait, wait=wait)
            self._ask(queue, interface, at, is_paused=False)

    def _ask(
        self, queue: QueueName, interface: Interface, at: datetime, *, is_paused: bool
    ) -> None:
        self._book.effects.append(
            PauseMember(
                at=at,
                system=self._book.system,
                queue=queue,
                interface=interface,
                is_paused=is_paused,
                reason=REASON,
            )
        )
