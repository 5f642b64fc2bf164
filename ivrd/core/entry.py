"""One caller's stay in one queue: the only place where an entry changes state.

Here: a function per state. Not here: the states as types (stay.py), which entry an event belongs to
(tracker.py) and what a whole call comes to (call.py).

The states
    Waiting   in the queue's waiting list.
    Leaving   out of the list, and not yet known why: a failed exit and an answer begin alike (F3).
    Talking   answered. The disposition is fixed; only talk time is open.
    Closed    ended, with one disposition. Terminal.

The rules
    1. QueueCallerAbandon decides nothing: Asterisk sends it for every unanswered exit (F1).
    2. QueueCallerLeave decides nothing: on an answer it comes before AgentConnect (F3).
    3. What decides is the next fact: an answer, the dialplan's own word, another queue, a hang-up.
    4. A hang-up is an abandon only if somebody asked for it before the caller left the queue, or
       within HANGUP_RACE after: an AMI Redirect leaves the queue alike, but asks for none (F8).
    5. AgentComplete may be late, wrong or missing (ASTERISK.md §C4): a hang-up of either party
       ends the talk too, and the late event is harmless.
    6. An entry is counted once, when its disposition is fixed, and recorded once, when it closes.
    7. An event that does not fit is reported and changes nothing.
    8. After a gap a caller who lives and waits nowhere is `Leaving`, but not sure, and a talk whose
       agent's channel is gone is not sure either: the next fact of the entry itself decides as
       always; the caller's hang-up, or another queue, leaves it unknown.

The table (a test compares it with the code; "=" stays of its type, "!" is reported)
    event                Waiting   Leaving   Talking   Closed
    CallerJoined         Closed    Closed    Closed    =
    CallerLeft           Leaving   =         =         =
    CallerAbandonNoted   =         =         =         =
    QueueExited          Closed    Closed    Closed    =
    AgentRang            =         =         =         =
    AgentRingEnded       =         =         =         =
    AgentConnected       Talking   Talking   =         !
    AgentCompleted       !         !         Closed    =
    HangupRequested      =         =         =         =
    ChannelHungUp        Closed    Closed    Closed    =
    AgentLegReplaced     =         =         =         =
    MoveRefused          =         =         =         =

CallerJoined here means that the same caller joined *again*, in this queue or another.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from ivrd.core import entry_facts as facts
from ivrd.core.effects import (
    Disposition,
    Effect,
    MoveEnd,
    ReportUnexpected,
)
from ivrd.core.events import (
    AgentCompleted,
    AgentConnected,
    AgentLegReplaced,
    AgentRang,
    AgentRingEnded,
    CallerAbandonNoted,
    CallerJoined,
    CallerLeft,
    ChannelHungUp,
    HangupRequested,
    MoveRefused,
    QueueExited,
)
from ivrd.core.exits import DISPOSITION_BY_STATUS, MOVE_MARK, REFUSALS
from ivrd.core.ids import QueueName
from ivrd.core.stay import Closed, EntryState, Leaving, Move, Stay, Talking, Waiting

HANGUP_RACE = timedelta(milliseconds=500)
"""A hang-up asked for so soon after the exit is what caused it: an AMI Hangup raises its event
after it has woken the queue (channel.c, ast_softhangup). Longer would blame callers for
Redirects."""

EntryEvent = (
    CallerJoined
    | CallerLeft
    | CallerAbandonNoted
    | QueueExited
    | AgentRang
    | AgentRingEnded
    | AgentConnected
    | AgentCompleted
    | HangupRequested
    | ChannelHungUp
    | AgentLegReplaced
    | MoveRefused
)


@dataclass(frozen=True, slots=True)
class Step:
    """The next state, and what to do about it."""

    state: EntryState
    effects: tuple[Effect, ...] = ()


def apply(state: EntryState, event: EntryEvent) -> Step:
    """Return the state after an event, and the effects; one that does not fit changes nothing."""
    match state:
        case Waiting():
            return _waiting(state, event)
        case Leaving():
            return _leaving(state, event)
        case Talking():
            return _talking(state, event)
        case Closed():
            return _closed(state, event)
        case _:
            assert_never(state)


def lose(state: EntryState, at: datetime) -> Step:
    """Return the state of an entry that ended while we were not looking.

    No wait is invented: an unanswered entry is unknown, an answered one keeps its answer and has no
    talk time.
    """
    match state:
        case Waiting() | Leaving():
            step = _close(state, Disposition.UNKNOWN, ended_at=at, left_at=None)
            return _with_move_end(step, state, at, MoveEnd.LAPSED)
        case Talking():
            return _end_talk(state, at, is_end_known=False)
        case Closed():
            return Step(state)
        case _:
            assert_never(state)


def doubt(state: EntryState) -> EntryState:
    """Return the state of an entry of which we missed the end, while the caller lives on.

    It is not closed: events from before the snapshot may still come (ASTERISK.md §C4), and the next
    fact decides as always. Only if none comes it is unknown how the entry, or the talk, ended.
    """
    match state:
        case Waiting():
            return Leaving(
                stay=state.stay,
                left_at=None,
                hangup_asked_at=state.hangup_asked_at,
                move=state.move,
                is_sure=False,
            )
        case Leaving():
            return replace(state, is_sure=False)
        case Talking():
            return replace(state, is_sure=False)
        case Closed():
            return state
        case _:
            assert_never(state)


def refuse(stay: Stay, status: str) -> Step:
    """Return the closed entry of a caller who never joined (F4). `joined_at` is the refusal."""
    disposition = DISPOSITION_BY_STATUS[status]
    state = Closed(
        stay=stay, disposition=disposition, ended_at=stay.joined_at, entry_wait=None, wait=None
    )
    return Step(state, (facts.count(state), facts.record(state, talk=None)))


def _waiting(state: Waiting, event: EntryEvent) -> Step:
    match event:
        case CallerLeft():
            return Step(
                Leaving(
                    stay=state.stay,
                    left_at=event.at,
                    hangup_asked_at=state.hangup_asked_at,
                    move=state.move,
                )
            )
        case AgentRang():
            return Step(replace(state, offered_to=state.offered_to | {event.interface}))
        case AgentRingEnded():
            return Step(replace(state, offered_to=state.offered_to - {event.interface}))
        case AgentConnected():
            return _answer(state, event)
        case QueueExited():
            return _exit(state, event, left_at=event.at)
        case HangupRequested():
            return Step(replace(state, hangup_asked_at=event.at))
        case ChannelHungUp():
            return _hang_up(state, event.at, left_at=event.at, is_abandon=True)
        case CallerJoined():
            step = _close(state, Disposition.REDIRECTED, ended_at=event.at, left_at=event.at)
            return _with_move_end(step, state, event.at, MoveEnd.REFUSED)
        case MoveRefused():
            if state.move is None or state.move.asked_at != event.asked_at:
                return Step(state)  # The answer of a request that is over already.
            return _with_move_end(Step(replace(state, move=None)), state, event.at, MoveEnd.REFUSED)
        case AgentCompleted():
            return _unexpected(state, event)
        case CallerAbandonNoted() | AgentLegReplaced():
            return Step(state)
        case _:
            assert_never(event)


def _leaving(state: Leaving, event: EntryEvent) -> Step:
    match event:
        case AgentConnected():
            return _answer(state, event)
        case QueueExited():
            return _exit(state, event, left_at=state.left_at or event.at)
        case HangupRequested():
            if state.hangup_asked_at is None:
                return Step(replace(state, hangup_asked_at=event.at))
            return Step(state)
        case ChannelHungUp():
            return _hang_up_leaving(state, event.at)
        case CallerJoined():
            if not state.is_sure:
                return lose(state, event.at)
            step = _close(state, Disposition.REDIRECTED, ended_at=event.at, left_at=state.left_at)
            return _with_move_end(step, state, event.at, MoveEnd.REFUSED)
        case CallerLeft():
            if state.left_at is None:
                return Step(replace(state, left_at=event.at, is_sure=True))
            return Step(state)
        case AgentCompleted():
            return _unexpected(state, event)
        case (
            CallerAbandonNoted()
            | AgentRang()
            | AgentRingEnded()
            | AgentLegReplaced()
            | MoveRefused()
        ):
            return Step(state)
        case _:
            assert_never(event)


def _talking(state: Talking, event: EntryEvent) -> Step:
    match event:
        case AgentCompleted():
            if not state.is_sure:
                return Step(state)  # May be of a later stay in this queue that was not seen.
            return _end_talk(state, event.at, is_end_known=event.is_end_known)
        case ChannelHungUp():
            is_end_known = state.is_sure or event.channel_id == state.agent_leg
            return _end_talk(state, event.at, is_end_known=is_end_known)
        case CallerJoined() | QueueExited():
            return _end_talk(state, event.at, is_end_known=state.is_sure)
        case AgentLegReplaced():
            return _replace_leg(state, event)
        case (
            CallerLeft()
            | CallerAbandonNoted()
            | AgentRang()
            | AgentRingEnded()
            | AgentConnected()
            | HangupRequested()
            | MoveRefused()
        ):
            return Step(state)
        case _:
            assert_never(event)


def _closed(state: Closed, event: EntryEvent) -> Step:
    match event:
        case AgentConnected():
            return _unexpected(state, event)
        case AgentLegReplaced():
            return _replace_leg(state, event)
        case (
            CallerJoined()
            | CallerLeft()
            | CallerAbandonNoted()
            | QueueExited()
            | AgentRang()
            | AgentRingEnded()
            | AgentCompleted()
            | HangupRequested()
            | ChannelHungUp()
            | MoveRefused()
        ):
            return Step(state)
        case _:
            assert_never(event)


def _answer(state: Waiting | Leaving, event: AgentConnected) -> Step:
    talking = Talking(
        stay=state.stay,
        answered_at=event.at,
        interface=event.interface,
        agent=event.member_name,
        agent_leg=event.agent_leg,
    )
    step = Step(talking, (facts.count_answer(talking),))
    return _with_move_end(step, state, event.at, MoveEnd.ANSWERED_FIRST)


def _replace_leg(state: Talking | Closed, event: AgentLegReplaced) -> Step:
    """Follow the agent to the channel that took the leg's place, and remember the old one.

    An attended transfer swaps the target in for the agent before AttendedTransfer names the agent's
    old leg, so who handed the caller on is found by every leg there was.
    """
    if event.old_id != state.agent_leg:
        return Step(state)
    former = (*state.former_legs, event.old_id)
    return Step(replace(state, agent_leg=event.new_id, former_legs=former))


def _exit(state: Waiting | Leaving, event: QueueExited, *, left_at: datetime) -> Step:
    if event.status in REFUSALS:
        # Refused at a door after this stay, so this one ended without a word.
        if isinstance(state, Leaving) and not state.is_sure:
            return lose(state, event.at)
        disposition = Disposition.REDIRECTED
    elif event.status == "WITHDRAW":
        if event.info.startswith(MOVE_MARK):
            move = state.move or move_told(event)
            return _close(state, Disposition.MOVED, ended_at=event.at, left_at=left_at, move=move)
        disposition = Disposition.WITHDRAWN
    else:
        # No named reason and no hang-up: the caller was taken away, by whom we cannot tell.
        disposition = DISPOSITION_BY_STATUS.get(event.status, Disposition.REDIRECTED)
    step = _close(state, disposition, ended_at=event.at, left_at=left_at)
    return _with_move_end(step, state, event.at, MoveEnd.REFUSED)


def move_told(event: QueueExited) -> Move | None:
    """Return the move that a withdraw's info tells of: asked by us, before a restart or a lapse.

    The info is "ivrd-move QUEUE RULE" (ami/actions.py); the rule may be cut.
    """
    _, _, told = event.info.partition(" ")
    to_queue, _, rule = told.partition(" ")
    if not to_queue:
        return None
    return Move(rule=rule, to_queue=QueueName(to_queue), asked_at=event.at, lapses_at=event.at)


def _hang_up_leaving(state: Leaving, at: datetime) -> Step:
    asked_at, left_at = state.hangup_asked_at, state.left_at
    if asked_at is not None and left_at is not None and asked_at <= left_at + HANGUP_RACE:
        return _hang_up(state, at, left_at=left_at, is_abandon=True)
    if not state.is_sure or left_at is None:
        return lose(state, at)
    return _hang_up(state, at, left_at=left_at, is_abandon=False)


def _hang_up(
    state: Waiting | Leaving, at: datetime, *, left_at: datetime, is_abandon: bool
) -> Step:
    disposition = Disposition.ABANDONED if is_abandon else Disposition.REDIRECTED
    step = _close(state, disposition, ended_at=at, left_at=left_at)
    return _with_move_end(step, state, at, MoveEnd.HUNG_UP_FIRST)


def _close(
    state: Waiting | Leaving,
    disposition: Disposition,
    *,
    ended_at: datetime,
    left_at: datetime | None,
    move: Move | None = None,
) -> Step:
    """Close an unanswered entry. `left_at` None means that nobody knows how long the wait was."""
    stay = state.stay
    closed = Closed(
        stay=stay,
        disposition=disposition,
        ended_at=ended_at if left_at is None else left_at,
        entry_wait=None if left_at is None else left_at - stay.joined_at,
        wait=None if left_at is None else left_at - stay.first_joined_at,
        move=move,
    )
    return Step(closed, (facts.count(closed), facts.record(closed, talk=None)))


def _end_talk(state: Talking, at: datetime, *, is_end_known: bool) -> Step:
    stay = state.stay
    closed = Closed(
        stay=stay,
        disposition=Disposition.ANSWERED,
        ended_at=at,
        entry_wait=state.answered_at - stay.joined_at,
        wait=state.answered_at - stay.first_joined_at,
        answered_at=state.answered_at,
        interface=state.interface,
        agent=state.agent,
        agent_leg=state.agent_leg,
        former_legs=state.former_legs,
        is_end_known=is_end_known,
    )
    talk = at - state.answered_at if is_end_known else None
    return Step(closed, (facts.record(closed, talk=talk),))


def _with_move_end(step: Step, was: Waiting | Leaving, at: datetime, end: MoveEnd) -> Step:
    """Add the end of an outstanding move, if there was one."""
    if was.move is None:
        return step
    ended = facts.move_ended(was.stay, was.move, at, end)
    return Step(step.state, (*step.effects, ended))


def _unexpected(state: EntryState, event: EntryEvent) -> Step:
    report = ReportUnexpected(
        at=event.at,
        system=event.system,
        state=type(state).__name__,
        event=type(event).__name__,
        call_id=state.stay.call_id,
    )
    return Step(state, (report,))
