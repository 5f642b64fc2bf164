"""What a PBX would answer if it were asked for a snapshot now, from the events that it sent."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ivrd.core.events import (
    AgentConnected,
    AgentLegReplaced,
    AgentRang,
    AttendedTransferred,
    CallArrived,
    CallerJoined,
    CallerLeft,
    ChannelHungUp,
    ChoiceMade,
    Event,
    MemberChanged,
    MemberRemoved,
    QueueSnapshot,
    SnapshotTaken,
    WaitingCaller,
)
from ivrd.core.ids import CallId, ChannelId, Interface, QueueName, SystemName

RINGING = 6
"""Device state (devicestate.h)."""


@dataclass(slots=True)
class Bystander:
    """Somebody who stands at the PBX and knows who is where."""

    system: SystemName
    channels: set[ChannelId] = field(default_factory=set)
    lines: dict[QueueName, dict[CallId, CallerJoined]] = field(default_factory=dict)
    members: dict[QueueName, dict[Interface, MemberChanged]] = field(default_factory=dict)

    def see(self, event: Event) -> None:
        """Take note of one event; what changes nobody's place is passed over."""
        match event:
            case CallArrived() | ChoiceMade():
                self.channels.add(ChannelId(event.call_id))
            case CallerJoined():
                self.channels.add(ChannelId(event.call_id))
                self.lines.setdefault(event.queue, {})[event.call_id] = event
            case CallerLeft():
                self.lines.setdefault(event.queue, {}).pop(event.call_id, None)
            case AgentConnected():
                self.channels.add(event.agent_leg)
            case AttendedTransferred(destination="App"):
                self._take_place(event)
            case AgentLegReplaced():
                self.channels.add(event.new_id)
            case ChannelHungUp():
                self.channels.discard(event.channel_id)
            case MemberChanged():
                self.members.setdefault(event.queue, {})[event.interface] = event
            case AgentRang():
                # The phone's state follows within a millisecond, as an event of its own.
                members = self.members.setdefault(event.queue, {})
                if event.interface in members:
                    members[event.interface] = replace(
                        members[event.interface], device_state=RINGING
                    )
            case MemberRemoved():
                self.members.setdefault(event.queue, {}).pop(event.interface, None)
            case SnapshotTaken():
                self._take_over(event)
            case _:
                pass

    def _take_place(self, event: AttendedTransferred) -> None:
        """Put the caller into the line in which the agent asked."""
        if event.transferee_id is None:
            return
        for line in self.lines.values():
            joined = line.pop(CallId(event.second_transferer_id), None)
            if joined is not None:
                caller = CallId(event.transferee_id)
                line[caller] = replace(joined, call_id=caller)

    def _take_over(self, snapshot: SnapshotTaken) -> None:
        self.channels = set(snapshot.channels)
        self.lines = {queue.queue: {} for queue in snapshot.queues}
        self.members = {
            queue.queue: {member.interface: member for member in queue.members}
            for queue in snapshot.queues
        }

    def snapshot(self, at: datetime) -> SnapshotTaken:
        """Return what the PBX says at a moment; waits in whole seconds, as Asterisk tells them."""
        return SnapshotTaken(
            at=at,
            system=self.system,
            queues=tuple(self._queue(queue, at) for queue in self.members | self.lines),
            channels=frozenset(self.channels),
            can_withdraw=True,
        )

    def _queue(self, queue: QueueName, at: datetime) -> QueueSnapshot:
        line = self.lines.get(queue, {}).values()
        return QueueSnapshot(
            queue=queue,
            members=tuple(self.members.get(queue, {}).values()),
            callers=tuple(
                WaitingCaller(
                    call_id=joined.call_id,
                    channel=joined.channel,
                    position=position,
                    wait=timedelta(seconds=int((at - joined.at).total_seconds())),
                )
                for position, joined in enumerate(line, start=1)
            ),
        )
