"""Reads calls as text tables, and tells what came of them as text: a whole call on one screen.

One line per event: seconds, what happened, to whom, then the rest. Words with "=" are named.
Channels and calls are single words ("c1", "a1"), always of the system "pbx".

    0    arrived    c1  main
    2    chose      c1  switchboard  digit=1
    3    joined     c1  switchboard
    5    left       c1  switchboard
    5    connected  c1  switchboard  olle  leg=a1
    9    hung_up    c1

A snapshot names who waits where and for how many seconds, which channels live, and which members
serve: `snapshot  waiting=c1:guides:5,c2:guides:3  alive=c1,c2,a1  members=guides:anna:1`.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from textwrap import dedent

from ivrd.core import effects as do
from ivrd.core import events as on
from ivrd.core.ids import (
    CallId,
    ChannelId,
    Interface,
    LineName,
    MenuName,
    QueueName,
    SystemName,
)
from ivrd.core.overflow_rules import Condition, Figure, OverflowRule
from ivrd.core.rules import FloorRules, QueueRules, Role
from ivrd.core.tracker import Tracker

SYSTEM = SystemName("pbx")
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
GUIDES = QueueName("guides")
SWITCHBOARD = QueueName("switchboard")


def at(seconds: float) -> datetime:
    """Return a moment of the story."""
    return START + timedelta(seconds=seconds)


def cid(name: str) -> ChannelId:
    """Return the id of a channel of the story."""
    return ChannelId(f"{SYSTEM}/{name}")


def queue_rules(name: str, role: Role) -> QueueRules:
    """Return a queue with a goal of 20 s, and short abandons under 5 s."""
    return QueueRules(
        name=QueueName(name),
        role=role,
        service_level_threshold=timedelta(seconds=20),
        short_abandon=timedelta(seconds=5),
        department="school" if role is Role.GUIDE else None,
    )


def overflow_rule(
    start: int = 2,
    stop: int = 1,
    *,
    name: str = "relief",
    moves_per_call: int = 1,
    from_queue: QueueName = SWITCHBOARD,
    to_queue: QueueName = GUIDES,
) -> OverflowRule:
    """Return a rule that goes by the number who wait."""
    return OverflowRule(
        name=name,
        from_queues=(from_queue,),
        to_queues=(to_queue,),
        conditions=(Condition(figure=Figure.WAITING, start=start, stop=stop),),
        leave_waiting=stop,
        moves_per_call=moves_per_call,
    )


def floor_rules(*overflow: OverflowRule) -> FloorRules:
    """Return a floor with a guide queue and a switchboard."""
    return FloorRules(
        queues={
            GUIDES: queue_rules("guides", Role.GUIDE),
            SWITCHBOARD: queue_rules("switchboard", Role.SWITCHBOARD),
        },
        overflow=overflow,
        case_rule="resolved",
    )


def new_tracker(*overflow: OverflowRule) -> Tracker:
    """Return a tracker that has seen nothing."""
    return Tracker(system=SYSTEM, rules=floor_rules(*overflow))


def member(queue: str, name: str, state: int = 1, *, when: datetime = START) -> on.MemberChanged:
    """Return a member that is logged in and not paused."""
    return on.MemberChanged(
        at=when,
        system=SYSTEM,
        queue=QueueName(queue),
        interface=Interface(name),
        member_name=name,
        device_state=state,
        is_paused=False,
        is_in_call=False,
    )


Words = list[str]
Named = dict[str, str]


def _arrived(when: datetime, words: Words, named: Named) -> on.Event:
    return on.CallArrived(
        at=when,
        system=SYSTEM,
        call_id=CallId(cid(words[0])),
        linked_id=cid(words[0]),
        channel=f"PJSIP/{words[0]}",
        line=LineName(words[1]),
        caller_number=None,
    )


def _chose(when: datetime, words: Words, named: Named) -> on.Event:
    return on.ChoiceMade(
        at=when,
        system=SYSTEM,
        call_id=CallId(cid(words[0])),
        menu=MenuName(named.get("in", "main")),
        outcome="chosen" if "digit" in named else "stayed",
        choice=words[1],
        digit=named.get("digit"),
        tries=int(named.get("tries", "0")),
        is_static=named.get("menu") == "static",
    )


def _line_closed(when: datetime, words: Words, named: Named) -> on.Event:
    return on.LineClosed(
        at=when,
        system=SYSTEM,
        call_id=CallId(cid(words[0])),
        line=LineName(words[1]),
        reason=words[2],
    )


def _notice(when: datetime, words: Words, named: Named) -> on.Event:
    return on.NoticeTold(
        at=when,
        system=SYSTEM,
        call_id=CallId(cid(words[0])),
        notice=words[1],
        is_over=words[2] == "ended",
    )


def _joined(when: datetime, words: Words, named: Named) -> on.Event:
    return on.CallerJoined(
        at=when,
        system=SYSTEM,
        call_id=CallId(cid(words[0])),
        linked_id=cid(named.get("linked", words[0])),
        channel=named.get("channel", f"PJSIP/{words[0]}"),
        queue=QueueName(words[1]),
        position=1,
    )


def _left(when: datetime, words: Words, named: Named) -> on.Event:
    return on.CallerLeft(
        at=when, system=SYSTEM, call_id=CallId(cid(words[0])), queue=QueueName(words[1])
    )


def _abandon(when: datetime, words: Words, named: Named) -> on.Event:
    return on.CallerAbandonNoted(
        at=when, system=SYSTEM, call_id=CallId(cid(words[0])), queue=QueueName(words[1])
    )


def _exited(when: datetime, words: Words, named: Named) -> on.Event:
    status, _, info = (words[2] if len(words) > 2 else "").replace("~", " ").partition(":")
    return on.QueueExited(
        at=when,
        system=SYSTEM,
        call_id=CallId(cid(words[0])),
        queue=QueueName(words[1]),
        status=status,
        info=f"ivrd-move guides {info}" if info in ("relief", "by-hand") else info,
        linked_id=cid(named.get("linked", words[0])),
        channel=named.get("channel", f"PJSIP/{words[0]}"),
    )


def _rang(when: datetime, words: Words, named: Named) -> on.Event:
    return on.AgentRang(
        at=when,
        system=SYSTEM,
        call_id=CallId(cid(words[0])),
        queue=QueueName(words[1]),
        interface=Interface(words[2]),
    )


def _ring_ended(when: datetime, words: Words, named: Named) -> on.Event:
    return on.AgentRingEnded(
        at=when,
        system=SYSTEM,
        call_id=CallId(cid(words[0])),
        queue=QueueName(words[1]),
        interface=Interface(words[2]),
    )


def _connected(when: datetime, words: Words, named: Named) -> on.Event:
    return on.AgentConnected(
        at=when,
        system=SYSTEM,
        call_id=CallId(cid(words[0])),
        queue=QueueName(words[1]),
        interface=Interface(named.get("at", words[2])),
        member_name=words[2],
        agent_leg=cid(named["leg"]),
    )


def _completed(when: datetime, words: Words, named: Named) -> on.Event:
    return on.AgentCompleted(
        at=when,
        system=SYSTEM,
        call_id=CallId(cid(words[0])),
        queue=QueueName(words[1]),
        reason=words[2] if len(words) > 2 else "caller",
    )


def _hangup_asked(when: datetime, words: Words, named: Named) -> on.Event:
    return on.HangupRequested(at=when, system=SYSTEM, channel_id=cid(words[0]))


def _hung_up(when: datetime, words: Words, named: Named) -> on.Event:
    return on.ChannelHungUp(at=when, system=SYSTEM, channel_id=cid(words[0]), cause=16)


def _blind(when: datetime, words: Words, named: Named) -> on.Event:
    return on.BlindTransferred(
        at=when,
        system=SYSTEM,
        transferer_id=cid(words[0]),
        transferee_id=cid(words[2]) if len(words) > 2 else None,
        extension=words[1],
        is_success=named.get("result") != "Fail",
    )


def _attended(when: datetime, words: Words, named: Named) -> on.Event:
    return on.AttendedTransferred(
        at=when,
        system=SYSTEM,
        orig_transferer_id=cid(words[0]),
        second_transferer_id=cid(words[1]),
        transferee_id=None,
        target_id=cid(named["target"]) if "target" in named else None,
        destination=named.get("to", "Bridge"),
        is_success=named.get("result") != "Fail",
        extension=named.get("exten", ""),
    )


def _dial_ended(when: datetime, words: Words, named: Named) -> on.Event:
    return on.DialEnded(
        at=when,
        system=SYSTEM,
        channel_id=None if words[0] == "-" else cid(words[0]),
        linked_id=cid(named.get("linked", words[0])),
        dialled_id=cid(words[1]),
        device=named.get("device", f"PJSIP/{words[1]}"),
        status=words[2],
    )


def _replaced(when: datetime, words: Words, named: Named) -> on.Event:
    return on.AgentLegReplaced(at=when, system=SYSTEM, old_id=cid(words[0]), new_id=cid(words[1]))


def _member(when: datetime, words: Words, named: Named) -> on.Event:
    return member(words[0], words[1], int(named.get("state", "1")), when=when)


def _member_gone(when: datetime, words: Words, named: Named) -> on.Event:
    return on.MemberRemoved(
        at=when, system=SYSTEM, queue=QueueName(words[0]), interface=Interface(words[1])
    )


def _snapshot(when: datetime, words: Words, named: Named) -> on.Event:
    waiting = [item.split(":") for item in named.get("waiting", "").split(",") if item]
    members = [item.split(":") for item in named.get("members", "").split(",") if item]
    return on.SnapshotTaken(
        at=when,
        system=SYSTEM,
        queues=tuple(
            on.QueueSnapshot(
                queue=queue,
                members=tuple(
                    member(queue, name, int(state), when=when)
                    for where, name, state in members
                    if where == queue
                ),
                callers=tuple(
                    on.WaitingCaller(
                        call_id=CallId(cid(call)),
                        channel=f"PJSIP/{call}",
                        position=1,
                        wait=timedelta(seconds=float(wait)),
                    )
                    for call, where, wait in waiting
                    if where == queue
                ),
            )
            for queue in (GUIDES, SWITCHBOARD)
        ),
        channels=frozenset(cid(name) for name in named.get("alive", "").split(",") if name),
        can_withdraw=named.get("withdraw") != "no",
    )


def _lost(when: datetime, words: Words, named: Named) -> on.Event:
    return on.PeerLost(at=when, system=SYSTEM, reason="cut")


def _passed(when: datetime, words: Words, named: Named) -> on.Event:
    return on.DeadlinePassed(at=when, system=SYSTEM)


def _move_refused(when: datetime, words: Words, named: Named) -> on.Event:
    was_sent = named.get("sent") != "no"
    return on.MoveRefused(
        at=when,
        system=SYSTEM,
        call_id=CallId(cid(words[0])),
        asked_at=at(float(named.get("asked", "0"))),
        reason="no_such_caller" if was_sent else "not_connected",
        was_sent=was_sent,
    )


def _case_saved(when: datetime, words: Words, named: Named) -> on.Event:
    return on.CaseSaved(
        at=when, system=SYSTEM, call_id=CallId(cid(words[0])), rule="resolved", case_id=7
    )


READERS: dict[str, Callable[[datetime, Words, Named], on.Event]] = {
    "arrived": _arrived,
    "chose": _chose,
    "closed": _line_closed,
    "notice": _notice,
    "joined": _joined,
    "left": _left,
    "abandon": _abandon,
    "exited": _exited,
    "rang": _rang,
    "ring_ended": _ring_ended,
    "connected": _connected,
    "completed": _completed,
    "hangup_asked": _hangup_asked,
    "hung_up": _hung_up,
    "blind": _blind,
    "attended": _attended,
    "dial_ended": _dial_ended,
    "replaced": _replaced,
    "member": _member,
    "member_gone": _member_gone,
    "snapshot": _snapshot,
    "lost": _lost,
    "passed": _passed,
    "move_refused": _move_refused,
    "case_saved": _case_saved,
}


def read(text: str) -> list[on.Event]:
    """Return the events of a table."""
    events = []
    for line in filter(str.strip, text.splitlines()):
        seconds, kind, *rest = line.split()
        named = dict(word.split("=", 1) for word in rest if "=" in word)
        words = [word for word in rest if "=" not in word]
        events.append(READERS[kind](at(float(seconds)), words, named))
    return events


def play(tracker: Tracker, events: Iterable[on.Event]) -> list[do.Effect]:
    """Return the effects of events, and of every deadline after them."""
    effects: list[do.Effect] = []
    for event in events:
        effects += tracker.apply(event)
    return effects + pass_deadlines(tracker)


def pass_deadlines(tracker: Tracker) -> list[do.Effect]:
    """Return the effects of every deadline of a call; those of rules may never end."""
    effects: list[do.Effect] = []
    while (deadline := tracker.next_call_deadline()) is not None:
        effects += tracker.apply(on.DeadlinePassed(at=deadline, system=SYSTEM))
    return effects


def tell(text: str, *overflow: OverflowRule, tracker: Tracker | None = None) -> str:
    """Return what came of a table, one line per entry, call, case, move and odd event."""
    effects = play(tracker or new_tracker(*overflow), read(text))
    recorded = sorted((e.queue, e.disposition) for e in effects if isinstance(e, do.RecordEntry))
    counted = sorted((e.queue, e.disposition) for e in effects if isinstance(e, do.CountEntry))
    assert counted == recorded, "each entry is counted once and recorded once"
    handed_on = [
        e.call_id
        for e in effects
        if isinstance(e, do.RecordCall) and e.outcome is do.Outcome.HANDED_ON
    ]
    contacts = [e.call_id for e in effects if isinstance(e, do.RecordContact)]
    assert contacts == handed_on, "each call that a guide handed on is kept as a contact, no other"
    return "\n".join(line for effect in effects for line in _line(effect))


def lines(text: str) -> str:
    """Return a told text as it is written in a test: indented, and with spaces to align."""
    return "\n".join(" ".join(line.split()) for line in dedent(text).strip().splitlines())


def _line(effect: do.Effect) -> list[str]:
    match effect:
        case do.RecordEntry():
            return [
                f"entry {_short(effect.call_id)} {effect.number} {effect.queue}"
                f" {effect.disposition}{_seconds('waited', effect.entry_wait)}"
                f"{_seconds('total', effect.wait)}"
                f"{_seconds('talked', effect.talk)}{_word('by', effect.agent)}"
                f"{_word('joined_by', effect.joined_by and _short(effect.joined_by))}"
            ]
        case do.RecordCall():
            return [
                f"call {_short(effect.call_id)} {effect.outcome}"
                f"{_seconds('waited', effect.wait)}"
                f"{_word('moves', effect.moves or None)}"
                f"{_word('transfers', effect.transfers or None)}"
                f"{_word('ended', effect.hand_over)}"
            ]
        case do.OpenCase():
            return [f"case {_short(effect.call_id)} {effect.queue} {effect.agent}"]
        case do.MoveCaller():
            return [f"move {_short(effect.call_id)} {effect.from_queue} {effect.to_queue}"]
        case do.RecordMove():
            return [f"moved {_short(effect.call_id)} {effect.end}"]
        case do.ReportUnexpected():
            call = effect.call_id
            return [f"odd {'-' if call is None else _short(call)} {effect.state} {effect.event}"]
        case do.PublishCase():
            return [f"publish {_short(effect.call_id)} {effect.case_id}"]
        case do.TellDecision():
            if not effect.decision.is_dry_run:
                return []  # The move itself follows.
            return [f"would move {_short(effect.decision.call_id)}"]
        case do.DivertCallers():
            return [f"divert {effect.queue} {effect.to_queue or '-'}"]
        case do.RecordContact():
            return []  # Just when the call was handed on; see `tell`.
        case do.TellRuleChange():
            return []  # A move, or none, follows.
        case do.CountEntry() | do.CountJoin() | do.PublishQueueState() | do.CountChoice():
            return []


def _short(call_id: CallId) -> str:
    return call_id.removeprefix(f"{SYSTEM}/")


def _seconds(word: str, duration: timedelta | None) -> str:
    return "" if duration is None else f" {word} {duration.total_seconds():g}"


def _word(word: str, value: object) -> str:
    return "" if value is None else f" {word} {value}"
