"""What happened: one frozen record per fact, and the union `Event` of them all.

Here: plain values. Not here: parsing (ami/parse.py) and decisions (entry.py, call.py, tracker.py).

Every event has `at`, an aware UTC `datetime` from Asterisk's own stamp, and `system`, the PBX it
happened on. Do not subclass an event: the union is closed, and every state function names them all.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ivrd.core.ids import (
    CallId,
    ChannelId,
    Interface,
    LineName,
    MenuName,
    QueueName,
    SystemName,
)
from ivrd.core.journal import JournalRow
from ivrd.core.overflow_state import HandMove, RuleOrders


@dataclass(frozen=True, slots=True, kw_only=True)
class CallArrived:
    """A caller reached one of our lines (dialplan: UserEvent IvrdArrived)."""

    at: datetime
    system: SystemName
    call_id: CallId
    linked_id: ChannelId
    """Linkedid at this moment; it may change during the call, so it is kept only as a witness."""
    channel: str
    """The channel's name now, such as "PJSIP/trunk-0000002a"."""
    line: LineName
    caller_number: str | None
    """The caller's number in clear; None when hidden or absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceMade:
    """The tone menu ended with a choice (dialplan: UserEvent IvrdChoice)."""

    at: datetime
    system: SystemName
    call_id: CallId
    menu: MenuName
    outcome: str
    """`chosen`, `stayed` or `gave_up`; see core/menu.py."""
    choice: str
    """The queue chosen."""
    digit: str | None
    """The accepted key; None when the caller stayed on the line."""
    tries: int
    """Wrong keys before the choice."""
    is_static: bool
    """The static twin in the dialplan ran the menu, because ivrd was not there."""
    language: str = ""
    """The channel's language then, before a choice of another; "" when not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineClosed:
    """The caller met a closed line, or it closed while they waited (dialplan's UserEvent)."""

    at: datetime
    system: SystemName
    call_id: CallId
    line: LineName
    reason: str
    """"hours" or "forced"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeTold:
    """A notice begins to be heard, or was heard to its end (dialplan's UserEvent)."""

    at: datetime
    system: SystemName
    call_id: CallId
    notice: str
    is_over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPressed:
    """A code came from a guide's telephone, during a call or after it (dialplan's UserEvent)."""

    at: datetime
    system: SystemName
    call_id: CallId
    """The call that rang the telephone, as the queue named it."""
    queue: QueueName
    label: str
    is_half: bool
    """The caller was helped with a part."""
    is_after: bool
    """After the caller had hung up, on a channel that only an agent of the queue can have."""
    pressed_at: datetime
    """Cut to the whole second: the same in the event and in the journal."""
    channel_id: ChannelId
    channel: str
    """Of the telephone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerJoined:
    """A caller entered a queue (AMI QueueCallerJoin)."""

    at: datetime
    system: SystemName
    call_id: CallId
    linked_id: ChannelId
    channel: str
    queue: QueueName
    position: int
    """Place in line at entry, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerLeft:
    """A caller is no longer in the queue's waiting list (AMI QueueCallerLeave). Decides nothing."""

    at: datetime
    system: SystemName
    call_id: CallId
    queue: QueueName


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerAbandonNoted:
    """Asterisk says "abandon", which it says of every unanswered exit (F1). Decides nothing."""

    at: datetime
    system: SystemName
    call_id: CallId
    queue: QueueName


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueExited:
    """The dialplan went on after Queue() (UserEvent IvrdQueueExit): the caller was not answered."""

    at: datetime
    system: SystemName
    call_id: CallId
    queue: QueueName
    status: str
    """QUEUESTATUS, or "KEY" when a key led out of the queue; "" when Asterisk named no reason."""
    info: str
    """QUEUE_WITHDRAW_INFO; "" when the caller was not withdrawn."""
    linked_id: ChannelId
    channel: str
    """Both as in CallerJoined: of a refused caller nothing else tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRang:
    """A waiting caller is being offered to a member (AMI AgentCalled)."""

    at: datetime
    system: SystemName
    call_id: CallId
    queue: QueueName
    interface: Interface


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRingEnded:
    """A member did not take the offered caller (AMI AgentRingNoAnswer)."""

    at: datetime
    system: SystemName
    call_id: CallId
    queue: QueueName
    interface: Interface


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConnected:
    """An agent answered the caller (AMI AgentConnect). Comes after CallerLeft (F3)."""

    at: datetime
    system: SystemName
    call_id: CallId
    queue: QueueName
    interface: Interface
    member_name: str
    agent_leg: ChannelId


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCompleted:
    """The agent's part ended (AMI AgentComplete). May be late, missing or wrong in its reason."""

    at: datetime
    system: SystemName
    call_id: CallId
    queue: QueueName
    reason: str
    """`caller`, `agent` or `transfer`; a witness only, see ASTERISK.md §C4."""
    is_end_known: bool = True
    """False when only queue_log told it, and it cannot tell whether the caller was handed on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HangupRequested:
    """A party hung up, or a channel was asked to (AMI HangupRequest, SoftHangupRequest)."""

    at: datetime
    system: SystemName
    channel_id: ChannelId


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelHungUp:
    """A channel is gone (AMI Hangup)."""

    at: datetime
    system: SystemName
    channel_id: ChannelId
    cause: int
    """Q.850 cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindTransferred:
    """Somebody handed a caller on without asking first (AMI BlindTransfer)."""

    at: datetime
    system: SystemName
    transferer_id: ChannelId
    transferee_id: ChannelId | None
    """None when Asterisk named no single transferee."""
    extension: str
    is_success: bool
    """True only means "placed in the dialplan", not answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttendedTransferred:
    """Somebody handed a caller on after asking the target (AMI AttendedTransfer)."""

    at: datetime
    system: SystemName
    orig_transferer_id: ChannelId
    second_transferer_id: ChannelId
    transferee_id: ChannelId | None
    target_id: ChannelId | None
    """Whom the caller is with now; None when Asterisk did not say."""
    destination: str
    """DestType: "Bridge", "Link": with the target; "App": as Dial; "Threeway"; "": unknown."""
    is_success: bool
    extension: str = ""
    """Whom the agent asked; "" when not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialEnded:
    """One phone was dialled, by other than a queue of ours, and that came to an end (DialEnd)."""

    at: datetime
    system: SystemName
    channel_id: ChannelId | None
    """Who dialled; None when Asterisk itself did, as to give a caller back to the agent."""
    linked_id: ChannelId
    """Linkedid of the phone dialled: the caller's, when the caller or the agent's code dialled."""
    dialled_id: ChannelId
    device: str
    """What was dialled, such as "PJSIP/anna"."""
    status: str
    """DIALSTATUS of this phone: ANSWER, NOANSWER, BUSY, CANCEL, CONGESTION, CHANUNAVAIL, ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLegReplaced:
    """A channel took another's place in a bridge (AMI BridgeEnter with SwapUniqueid)."""

    at: datetime
    system: SystemName
    old_id: ChannelId
    new_id: ChannelId


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberChanged:
    """A queue member was added, or its state changed (QueueMemberAdded, -Status, -Pause)."""

    at: datetime
    system: SystemName
    queue: QueueName
    interface: Interface
    member_name: str
    device_state: int
    """Asterisk's device state: 1 not in use, 2 in use, 5 unavailable, 6 ringing, ... (0 to 8)."""
    is_paused: bool
    is_in_call: bool
    pause_reason: str = ""
    """Why, as whoever paused has said; Asterisk keeps it also when nobody is paused any more."""
    is_fixed: bool = False
    """By queues.conf: Asterisk takes such a member out of no queue."""
    penalty: int = 0
    state_interface: str = ""
    """The device whose state counts, when it is not the interface; empty when it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRemoved:
    """A member left a queue (QueueMemberRemoved)."""

    at: datetime
    system: SystemName
    queue: QueueName
    interface: Interface


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingCaller:
    """One caller in a snapshot (AMI QueueEntry)."""

    call_id: CallId
    channel: str
    position: int
    wait: timedelta
    """Whole seconds; since entry into *this* queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSnapshot:
    """One queue in a snapshot (AMI QueueParams with its members and entries)."""

    queue: QueueName
    members: tuple[MemberChanged, ...]
    callers: tuple[WaitingCaller, ...]
    """In queue order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotTaken:
    """What the PBX says is there now (QueueStatus and CoreShowChannels, after FullyBooted)."""

    at: datetime
    system: SystemName
    queues: tuple[QueueSnapshot, ...]
    channels: frozenset[ChannelId]
    """Every live channel."""
    can_withdraw: bool
    """Whether the PBX can take a caller out of a queue for us; without it nobody is moved."""
    is_part: bool = False
    """Some callers whom nobody knew, and nothing else; the whole follows (resync.py, `parts`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalRead:
    """What Asterisk's queue journal holds since before our oldest call; comes before a snapshot."""

    at: datetime
    system: SystemName
    rows: tuple[JournalRow, ...]
    """In the order of the file."""
    members: tuple[MemberChanged, ...] = ()
    """Who serves now, by the snapshot that follows: the journal knows members by name only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingChanged:
    """Asterisk began, or ended, to record a channel; of no meaning to a call, but an alarm."""

    at: datetime
    system: SystemName
    channel_id: ChannelId
    linked_id: ChannelId
    """The caller's channel, when an agent's is recorded."""
    is_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerLost:
    """The AMI connection is gone, or events were lost: what we know is no longer sure."""

    at: datetime
    system: SystemName
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlinePassed:
    """The tracker's `next_deadline()` has come; `at` is that deadline itself.

    Not the clock's reading: so a replay decides exactly as the live run did.
    """

    at: datetime
    system: SystemName


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRefused:
    """Asterisk, or the connection to it, did not take the request to move a caller."""

    at: datetime
    system: SystemName
    call_id: CallId
    asked_at: datetime
    """Which request of this call it answers: `at` of its MoveCaller. An older one may be answered
    after a newer one was asked."""
    reason: str
    was_sent: bool
    """False when Asterisk has never seen it: then the caller may be asked for again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSaved:
    """The database holds the case: a subscriber may now hear of it."""

    at: datetime
    system: SystemName
    call_id: CallId
    rule: str
    case_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseLabelled:
    """The database holds a case's label, however it was set."""

    at: datetime
    system: SystemName
    call_id: CallId


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderGiven:
    """A person said something about overflow, or what was said has ended."""

    at: datetime
    system: SystemName
    order: RuleOrders | HandMove


Event = (
    CallArrived
    | LineClosed
    | NoticeTold
    | ChoiceMade
    | LabelPressed
    | CallerJoined
    | CallerLeft
    | CallerAbandonNoted
    | QueueExited
    | AgentRang
    | AgentRingEnded
    | AgentConnected
    | AgentCompleted
    | HangupRequested
    | ChannelHungUp
    | BlindTransferred
    | AttendedTransferred
    | DialEnded
    | AgentLegReplaced
    | RecordingChanged
    | MemberChanged
    | MemberRemoved
    | SnapshotTaken
    | JournalRead
    | PeerLost
    | DeadlinePassed
    | MoveRefused
    | CaseSaved
    | CaseLabelled
    | OrderGiven
)

OwnReport = CaseSaved | CaseLabelled | MoveRefused | DeadlinePassed | OrderGiven
"""What our own side tells: its stamp may be older than what Asterisk has told meanwhile."""
