"""A county's floor behind AMI: 200 queues, 5,000 callers who wait, and calls that come and go.

Here: the made-up floor (made_up_floor.py) in real time, as the bytes that Asterisk would write, and
the configuration beside it. Not here: measuring. The PBX is scripted, because no machine of a bench
holds 5,000 calls, and it is not the one that is measured.
"""

import asyncio
import time
from dataclasses import dataclass

from ivrd.core import events as on
from ivrd.core.ids import CallId, Interface, QueueName
from tests.bench.made_up_floor import START, SYSTEM, MadeUpFloor
from tests.integration.scripted_ami import ScriptedAmi, block, event

LINES = 40
QUEUES_PER_LINE = 5
QUEUES = LINES * QUEUES_PER_LINE
WAITING = 5_000

CALLS_PER_S = 10.0
"""2.3 million calls a week in office hours are 14 a second: all of Sweden's municipalities."""

WAIT_S = 535.0
"""Found by trying: with so long a mean wait somewhat more than WAITING stand in line."""

FILLING_S = 2_000.0
"""Until as many leave as come."""

PROBE = QueueName("probe")
"""A queue in which nothing happens but what a measurement does itself."""


def queue_name(number: int) -> QueueName:
    """Return a queue's name."""
    return QueueName(f"queue{number}")


def line_of(queue: QueueName) -> str:
    """Return the line whose menu leads to a queue."""
    return f"line{int(queue.removeprefix('queue')) // QUEUES_PER_LINE}"


def ivrd_toml(*, ami_port: int, agi_port: int, web_port: int, directory: str) -> str:
    """Return the daemon's configuration."""
    parts = [
        f"""
state_directory = "{directory}/state"
[[pbx]]
name = "{SYSTEM}"
port = {ami_port}
secret_file = "ami-secret"
queue_log_file = "{directory}/queue_log"
[agi]
port = {agi_port}
[web]
port = {web_port}
[access]
anonymous_role = "viewer"
requests_per_minute = 100000
address_requests_per_minute = 100000
[database]
url = "sqlite+aiosqlite:///{directory}/ivrd.sqlite"
[journal]
directory = "{directory}/journal"
"""
    ]
    for number in range(QUEUES):
        parts.append(_queue(queue_name(number), "switchboard" if number % 2 else "guide"))
        if number % 4 == 0:
            parts.append(_overflow(queue_name(number), queue_name(number + 1)))
    parts.append(_queue(PROBE, "guide"))
    parts += (_line(number) for number in range(LINES))
    parts.append('[[lines]]\nname = "probes"\nnumber = "8999"\nqueue = "probe"\n')
    return "".join(parts)


def _queue(name: QueueName, role: str) -> str:
    return f"""
[[queues]]
name = "{name}"
role = "{role}"
title_sv = "Kö {name}"
title_en = "Queue {name}"
service_level_threshold_s = 60
"""


def _overflow(source: QueueName, target: QueueName) -> str:
    """Return a rule that is looked at and never begins: moves are another measurement's."""
    return f"""
[[overflow]]
name = "relief-{source}"
from_queue = "{source}"
to_queue = "{target}"
start_waiting = 500
stop_waiting = 400
"""


def _line(number: int) -> str:
    first = number * QUEUES_PER_LINE
    keys = ", ".join(f'{key + 1} = "{queue_name(first + key)}"' for key in range(QUEUES_PER_LINE))
    return f"""
[[menus]]
name = "menu{number}"
prompt = "menu"
choices = {{ {keys} }}
stay_choice = "{queue_name(first)}"
[[lines]]
name = "line{number}"
number = "{8000 + number}"
menu = "menu{number}"
goal_percent = 85
goal_within_s = 60
"""


@dataclass(slots=True)
class _Waiting:
    queue: QueueName
    since_s: float


class LargeFloor:
    """A PBX in the middle of its day.

    Attributes:
        calls: That came since it was looked at.
    """

    def __init__(self) -> None:
        """Let the day go on until as many leave as come."""
        queues = [queue_name(number) for number in range(QUEUES)]
        self._floor = MadeUpFloor(queues, wait_s=WAIT_S, when_ended=None)
        self._next_call_s = 0.0
        self._waiting: dict[CallId, _Waiting] = {}
        self._members: dict[tuple[QueueName, Interface], on.MemberChanged] = {}
        self._channels: set[str] = set()
        self._queues = [*queues, PROBE]
        self._probes = self.calls = 0
        self._offset_s = 0.0
        self._play_until(FILLING_S)
        self._offset_s = time.time() - self._floor.now_s
        self.calls = 0

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return len(self._waiting)

    @property
    def members(self) -> int:
        """How many agents are logged in."""
        return len(self._members)

    def server(self) -> dict[str, object]:
        """Return what a scripted AMI answers for this floor."""
        return {
            "Ping": lambda ami, action: ami.response(
                action, "Success", "", "Ping: Pong", f"Timestamp: {time.time():.6f}"
            ),
            "QueueStatus": lambda ami, action: ami.listed(
                action, self._queue_items(), "QueueStatusComplete"
            ),
            "CoreShowChannels": lambda ami, action: ami.listed(
                action, self._channel_items(), "CoreShowChannelsComplete"
            ),
        }

    async def run(self, ami: ScriptedAmi) -> None:
        """Let calls come and go in real time, for ever."""
        while True:
            told = self._play_until(time.time() - self._offset_s)
            if told and ami.open_connections:
                ami.send(b"".join(told))
            await asyncio.sleep(0.01)

    def probe(self, ami: ScriptedAmi) -> int:
        """Let one more caller wait in the probe's queue; return how many do."""
        self._probes += 1
        call_id = CallId(f"{SYSTEM}/1767571199.{self._probes}")
        now_s = time.time()
        self._waiting[call_id] = _Waiting(PROBE, now_s - self._offset_s)
        self._channels.add(call_id)
        ami.send(
            event("QueueCallerJoin", now_s, Uniqueid=_id(call_id), Queue=PROBE, Position=1, Count=1)
        )
        return self._probes

    # Inside.

    def _play_until(self, until_s: float) -> list[bytes]:
        """Let all happen that is due; return it as Asterisk would write it."""
        floor, told = self._floor, []
        while True:
            while self._next_call_s <= until_s and self._next_call_s <= (
                floor.next_s if floor.next_s is not None else until_s
            ):
                floor.call_in(max(0.0, self._next_call_s - floor.now_s))
                self._next_call_s += 1 / CALLS_PER_S
            if floor.next_s is None or floor.next_s > until_s:
                return told
            for each in floor.step():
                self._note(each)
                if self._offset_s:
                    told.append(self._ami(each, self._stamp(each)))

    def _ami(self, each: on.Event, at_s: float) -> bytes:
        if isinstance(each, on.CallArrived):
            return event(
                "UserEvent",
                at_s,
                Uniqueid=_id(each.call_id),
                CallerIDNum=each.caller_number,
                UserEvent="IvrdArrived",
                Line=line_of(self._floor.callers[each.call_id].queue),
            )
        return _ami(each, at_s)

    def _stamp(self, each: on.Event) -> float:
        return (each.at - START).total_seconds() + self._offset_s

    def _note(self, each: on.Event) -> None:
        match each:
            case on.CallerJoined():
                since_s = (each.at - START).total_seconds()
                self._waiting[each.call_id] = _Waiting(each.queue, since_s)
            case on.CallerLeft():
                self._waiting.pop(each.call_id, None)
            case on.MemberChanged():
                self._members[(each.queue, each.interface)] = each
            case on.CallArrived():
                self._channels.add(each.call_id)
                self.calls += 1
            case on.ChannelHungUp():
                self._channels.discard(each.channel_id)

    def _queue_items(self) -> list[bytes]:
        now_s = time.time()
        by_queue: dict[QueueName, list[bytes]] = {queue: [] for queue in self._queues}
        for queue in by_queue:
            by_queue[queue].append(event("QueueParams", now_s, Queue=queue))
        for (queue, _), member in self._members.items():
            by_queue[queue].append(
                event(
                    "QueueMember",
                    now_s,
                    Queue=queue,
                    Name=member.member_name,
                    Location=member.interface,
                    StateInterface=member.interface,
                    Membership="dynamic",
                    Penalty=0,
                    InCall=int(member.is_in_call),
                    Status=member.device_state,
                    Paused=0,
                )
            )
        for call_id, each in self._waiting.items():
            waited_s = max(0, int(now_s - self._offset_s - each.since_s))
            uniqueid = _id(call_id)
            by_queue[each.queue].append(
                (
                    f"Event: QueueEntry\r\nQueue: {each.queue}\r\nPosition: 1\r\n"
                    f"Channel: PJSIP/x-{uniqueid}\r\nUniqueid: {uniqueid}\r\n"
                    f"CallerIDNum: <unknown>\r\nWait: {waited_s}\r\nPriority: 0\r\n\r\n"
                ).encode()
            )
        return [item for items in by_queue.values() for item in items]

    def _channel_items(self) -> list[bytes]:
        now_s = time.time()
        return [event("CoreShowChannel", now_s, Uniqueid=_id(each)) for each in self._channels]


def _id(channel_id: str) -> str:
    return channel_id.partition("/")[2]


def _ami(each: on.Event, at_s: float) -> bytes:
    """Return an event as Asterisk writes it."""
    match each:
        case on.ChoiceMade():
            return _choice(each, at_s)
        case on.CallerJoined():
            place: dict[str, object] = {"Queue": each.queue, "Position": 1, "Count": 1}
            return event("QueueCallerJoin", at_s, Uniqueid=_id(each.call_id), **place)
        case on.CallerLeft():
            return event("QueueCallerLeave", at_s, Uniqueid=_id(each.call_id), Queue=each.queue)
        case on.CallerAbandonNoted():
            return event("QueueCallerAbandon", at_s, Uniqueid=_id(each.call_id), Queue=each.queue)
        case on.HangupRequested():
            return event("HangupRequest", at_s, Uniqueid=_id(each.channel_id))
        case on.ChannelHungUp():
            return event("Hangup", at_s, Uniqueid=_id(each.channel_id), Cause=each.cause)
        case on.MemberChanged():
            return _member(each, at_s)
        case on.AgentRang() | on.AgentRingEnded():
            name = "AgentCalled" if isinstance(each, on.AgentRang) else "AgentRingNoAnswer"
            where: dict[str, object] = {"Queue": each.queue, "Interface": each.interface}
            return event(name, at_s, Uniqueid=_id(each.call_id), **where)
        case on.AgentConnected():
            return event(
                "AgentConnect",
                at_s,
                Uniqueid=_id(each.call_id),
                **block(_id(each.agent_leg), "Dest"),
                Queue=each.queue,
                MemberName=each.member_name,
                Interface=each.interface,
            )
        case on.AgentCompleted():
            why: dict[str, object] = {"Queue": each.queue, "Reason": each.reason}
            return event("AgentComplete", at_s, Uniqueid=_id(each.call_id), **why)
        case _:
            return _handed_on(each, at_s)


def _choice(each: on.ChoiceMade, at_s: float) -> bytes:
    return event(
        "UserEvent",
        at_s,
        Uniqueid=_id(each.call_id),
        UserEvent="IvrdChoice",
        Menu=f"menu{line_of(QueueName(each.choice)).removeprefix('line')}",
        Outcome=each.outcome,
        Choice=each.choice,
        Digit=each.digit or "",
        Tries=each.tries,
        Source="ivrd",
    )


def _member(each: on.MemberChanged, at_s: float) -> bytes:
    return event(
        "QueueMemberStatus",
        at_s,
        Queue=each.queue,
        MemberName=each.member_name,
        Interface=each.interface,
        StateInterface=each.interface,
        Membership="dynamic",
        Penalty=0,
        InCall=int(each.is_in_call),
        Status=each.device_state,
        Paused=int(each.is_paused),
        PausedReason="",
    )


def _handed_on(each: on.Event, at_s: float) -> bytes:
    match each:
        case on.BlindTransferred():
            assert each.transferee_id is not None, "a made-up caller is one"
            return event(
                "BlindTransfer",
                at_s,
                Result="Success",
                **block(_id(each.transferer_id), "Transferer"),
                **block(_id(each.transferee_id), "Transferee"),
                Extension=each.extension,
            )
        case on.AttendedTransferred():
            assert each.transferee_id is not None, "a made-up caller is one"
            assert each.target_id is not None, "and so is who is asked"
            return event(
                "AttendedTransfer",
                at_s,
                Result="Success",
                **block(_id(each.orig_transferer_id), "OrigTransferer"),
                **block(_id(each.second_transferer_id), "SecondTransferer"),
                **block(_id(each.transferee_id), "Transferee"),
                **block(_id(each.target_id), "TransferTarget"),
                DestType=each.destination,
            )
        case on.DialEnded():
            assert each.channel_id is not None, "the caller dials"
            return event(
                "DialEnd",
                at_s,
                Uniqueid=_id(each.channel_id),
                **block(_id(each.dialled_id), "Dest"),
                DialStatus=each.status,
            )
        case _:
            raise AssertionError(f"the made-up floor knows no {type(each).__name__}")
