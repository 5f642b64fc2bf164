"""What to do: one frozen record per effect, and the union `Effect` of them all.

Here: plain values that the core returns. Not here: how they are carried out (engine.py hands each
to metrics, database, MQTT and AMI, in that order).

Durations are `timedelta`; None is "not known" or "did not happen", as each field says.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ivrd.core.actors import Origin
from ivrd.core.expected_wait import Expectation
from ivrd.core.ids import CallId, Interface, LineName, MenuName, QueueName, SystemName
from ivrd.core.overflow_state import Decision, HandMove, RuleChange


class Disposition(StrEnum):
    """How a caller's stay in one queue ended."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    """The caller hung up before an answer; a short abandon is told by its wait."""
    TIMED_OUT = "timed_out"
    EMPTY = "empty"
    """The queue sent the caller on because no agent was left (LEAVEEMPTY)."""
    FULL = "full"
    """Refused at the door: the queue was full."""
    JOIN_EMPTY = "join_empty"
    """Refused at the door: no agent, or no such queue."""
    KEY_EXIT = "key_exit"
    MOVED = "moved"
    """Taken to another queue by our own policy."""
    WITHDRAWN = "withdrawn"
    """Taken out by somebody else's QueueWithdrawCaller."""
    REDIRECTED = "redirected"
    """Left without a reason and without hanging up: somebody's AMI Redirect, or an exit unseen."""
    DIVERTED = "diverted"
    """Sent to another queue at the door by our own policy, before waiting at all."""
    CLOSED = "closed"
    """The queue was closed, or in a meeting; or the caller's line closed while they waited."""
    UNKNOWN = "unknown"
    """Ended while we were not looking; never counted as anything else."""


class Outcome(StrEnum):
    """How a whole call ended; exactly one per call."""

    RESOLVED = "resolved"
    """Answered by a guide and not handed on."""
    HANDED_ON = "handed_on"
    """A guide answered and handed the caller on."""
    SWITCHBOARD = "switchboard"
    """Answered by the switchboard, and by no guide."""
    ABANDONED = "abandoned"
    MENU_HANGUP = "menu_hangup"
    """Hung up before any queue, and heard nothing that they had asked for."""
    UNSERVED = "unserved"
    """Refused, timed out or sent on, and ended without an answer."""
    CLOSED = "closed"
    """Met a closed line or queue, and was not served."""
    INFORMED = "informed"
    """Hung up during or after an announcement or a notice: it answered the question."""
    DIRECTED = "directed"
    """The menu led to a number outside our queues."""
    UNKNOWN = "unknown"


class Reach(StrEnum):
    """What became of a hand-over."""

    UNKNOWN = "unknown"
    """No word came of the target: left at once, or dialled in a way that Asterisk does not tell."""
    REACHED = "reached"
    """The target answered."""
    RANG_OUT = "rang_out"
    """No answer, busy, unavailable, or the caller gave up while it rang."""
    CAME_BACK = "came_back"
    """Reached nobody, and the caller came back: to a queue of ours, or to the agent."""
    QUEUE = "queue"
    """Into another queue of ours."""
    CONFERENCE = "conference"
    """The agent left a talk of three; the caller stayed with the third."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountEntry:
    """Count an entry whose disposition is now fixed: at the answer, or at the unanswered exit."""

    system: SystemName
    call_id: CallId
    number: int
    """As in RecordEntry; with the call it names the entry, which is counted once."""
    queue: QueueName
    disposition: Disposition
    entry_wait: timedelta | None
    """Spent in this queue; None when unknown or never joined."""
    wait: timedelta | None
    """Since the call's first arrival in any queue; None when unknown or never joined."""
    expected: Expectation | None = None
    """What `entry_wait` looked like when the caller entered; None when nobody could tell."""
    line: LineName | None = None
    """The call's; None when its beginning was not seen."""
    is_first: bool = True
    """No earlier entry of the call was answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountJoin:
    """Count a caller who entered a queue."""

    system: SystemName
    call_id: CallId
    number: int
    """Of the entry, as in RecordEntry."""
    queue: QueueName


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEntry:
    """Store one ended stay in one queue. (call_id, number) is unique."""

    at: datetime
    """When the stay ended."""
    system: SystemName
    call_id: CallId
    number: int
    """The how-manieth entry of the call, from 1."""
    queue: QueueName
    joined_at: datetime
    """For a refused caller, the moment of refusal."""
    disposition: Disposition
    entry_wait: timedelta | None
    wait: timedelta | None
    interface: Interface | None
    """The member that answered; None when nobody did."""
    agent: str | None
    """That member's name."""
    answered_at: datetime | None
    talk: timedelta | None
    """Answer to the end of the agent's part; None when nobody answered or the end is unknown."""
    joined_by: CallId | None = None
    """The channel of an agent who asked there first, and under whose id queue_log has the stay;
    None when the caller joined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCall:
    """Store one ended call. call_id is unique."""

    at: datetime
    """When the caller's channel was gone, or the loss was noticed."""
    system: SystemName
    call_id: CallId
    line: LineName | None
    """None when the call began while we were not looking."""
    caller_number: str | None
    """In clear, and in memory only: journal and database take what it is sealed to, below."""
    arrived_at: datetime
    choice: str | None
    """None when no choice was made (hung up in the menu) or it was not seen."""
    digit: str | None
    is_static_menu: bool
    tries: int
    outcome: Outcome
    wait: timedelta | None
    """First arrival in any queue to the first answer; None when never answered or unknown."""
    first_queue: QueueName | None
    last_queue: QueueName | None
    moves: int
    """Moves between queues that were proven by events."""
    transfers: int
    """Hand-overs, whatever became of them."""
    hand_over: Reach | None = None
    """What became of the last hand-over; None when there was none."""
    is_from_journal: bool = False
    """A part of it was learnt from queue_log after a gap, to the whole second."""
    path: str = ""
    """Every choice in order: "huvudmeny:2>va:1"; a menu's name alone where the caller stayed."""
    language: str = ""
    """The caller's language after the last choice; "" when none was told."""
    handed_to: str = ""
    """Extension of the last hand-over, if a label knows it; "" otherwise."""
    caller_sealed: str | None = None
    """The number, sealed on its way to the journal (privacy/callers.py); None as rules 2 and 3
    there say."""
    caller_key: str | None = None
    """A keyed hash of the number; None as for `caller_sealed`."""
    caller_key_before: str | None = None
    """The caller's key of the period before, when a repeat may lie across its end; else None."""
    is_protected: bool = False
    """The caller's identity is protected: nothing that leads to them is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCase:
    """Store one case. (call_id, rule) is unique."""

    at: datetime
    system: SystemName
    call_id: CallId
    rule: str
    line: LineName | None
    queue: QueueName
    agent: str
    interface: Interface
    department: str | None
    """From the queue's configuration; None leaves the case without a label."""
    answered_at: datetime
    is_from_journal: bool = False
    """As in RecordCall."""
    caller_key: str | None = None
    """A keyed hash of the caller's number; None when there is none, or nobody makes one."""
    caller_number: str | None = None
    """As in RecordCall: in memory only."""
    earlier_keys: str = ""
    """Caller keys that an earlier call of this caller may have, besides `caller_key`; blanks
    between them. Not kept in the database."""
    is_protected: bool = False
    """As in RecordCall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordContact:
    """Store one call that a guide answered and handed on. (call_id, rule) is unique, as of cases.

    No case, unless the guide says later that they half helped.
    """

    at: datetime
    system: SystemName
    call_id: CallId
    rule: str
    line: LineName | None
    queue: QueueName
    agent: str
    """The guide who handed on."""
    interface: Interface
    department: str | None
    answered_at: datetime
    is_from_journal: bool = False
    caller_key: str | None = None
    caller_number: str | None = None
    earlier_keys: str = ""
    is_protected: bool = False
    """These all as in OpenCase."""


class CallActKind(StrEnum):
    """What a guide may say of a call before anybody knows what it opens."""

    LABEL = "label"
    HALF_HELPED = "half_helped"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCallAct:
    """Do to a call's case what a guide said of the call; kept until there is one.

    act_id is unique, so that a repeat changes nothing.
    """

    act_id: str
    at: datetime
    system: SystemName
    call_id: CallId
    agent: str
    what: CallActKind
    value: str
    """The label's code; "" for half helped."""
    department: str | None
    """Of the label."""
    who: str
    from_where: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishCase:
    """Tell subscribers of a case that the database holds."""

    at: datetime
    system: SystemName
    call_id: CallId
    rule: str
    case_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishQueueState:
    """Tell subscribers that a queue looks different now; they read the floor for how."""

    system: SystemName
    queue: QueueName


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveCaller:
    """Ask the PBX to withdraw a waiting caller, who then enters the other queue.

    The place in the target's line is not asked for here: every caller carries a queue priority made
    from the first arrival (dialplan/), so Asterisk itself keeps the order.
    """

    at: datetime
    system: SystemName
    call_id: CallId
    channel: str
    from_queue: QueueName
    to_queue: QueueName
    reason: str
    """The rule's name."""
    not_after: datetime
    """A late move is a wrong move: drop the request when Asterisk's clock is past this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TellRuleChange:
    """Tell that an overflow rule began or ended, and by which figures."""

    at: datetime
    system: SystemName
    change: RuleChange


@dataclass(frozen=True, slots=True, kw_only=True)
class TellDecision:
    """Tell that a caller is to be moved, and by which figures; in a dry run nothing follows."""

    at: datetime
    system: SystemName
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class TellNotMoved:
    """Tell that a caller whom a person wished to move is not moved, and why."""

    at: datetime
    system: SystemName
    move: HandMove
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DivertCallers:
    """Let the dialplan send callers who come to a queue's door to another queue, or let them in."""

    at: datetime
    system: SystemName
    queue: QueueName
    to_queue: QueueName | None
    """None lets them in."""
    reason: str
    """The rule's name; "" when they are let in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseMember:
    """Ask the PBX to pause one member of one queue, or to let them take calls again."""

    at: datetime
    system: SystemName
    queue: QueueName
    interface: Interface
    is_paused: bool
    reason: str
    """Marks the pause as ours."""


class MoveEnd(StrEnum):
    """How a requested move ended."""

    LANDED = "landed"
    ANSWERED_FIRST = "answered_first"
    HUNG_UP_FIRST = "hung_up_first"
    REFUSED = "refused"
    LAPSED = "lapsed"
    """No proof came in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordMove:
    """Count one ended move."""

    at: datetime
    system: SystemName
    call_id: CallId
    from_queue: QueueName
    to_queue: QueueName
    reason: str
    end: MoveEnd
    out_of: int | None = None
    """The number of the entry that it took the caller out of; None when it took nobody out. With
    it a move is known again that queue_log tells after a restart: by then its moment differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountChoice:
    """Count what came of one visit to a tone menu."""

    system: SystemName
    call_id: CallId
    number: int
    """The how-manieth choice of the call, from 1."""
    menu: MenuName
    outcome: str
    is_static: bool
    digit: str | None
    """The accepted key; None when none was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountNotice:
    """Count one hearing of a notice."""

    system: SystemName
    call_id: CallId
    number: int
    """The how-manieth word of a notice in the call."""
    notice: str
    is_whole: bool
    """False when the caller hung up during it: the question was answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportUnexpected:
    """Count and log an event that does not fit the state; nothing was changed."""

    at: datetime
    system: SystemName
    state: str
    event: str
    call_id: CallId | None
    """None when the event belongs to no known call."""


Effect = (
    CountEntry
    | CountJoin
    | RecordEntry
    | RecordCall
    | OpenCase
    | RecordContact
    | RecordCallAct
    | PublishCase
    | PublishQueueState
    | MoveCaller
    | TellRuleChange
    | TellDecision
    | TellNotMoved
    | DivertCallers
    | PauseMember
    | RecordMove
    | CountChoice
    | CountNotice
    | ReportUnexpected
)
