"""A small PBX plays random calls: each is counted and recorded once, whatever is cut or doubled.

The model knows the truth, so a tracker that saw only part of it can be held to it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ivrd.core.effects import (
    CountEntry,
    Effect,
    MoveCaller,
    MoveEnd,
    OpenCase,
    Outcome,
    PublishQueueState,
    RecordCall,
    RecordEntry,
    RecordMove,
)
from ivrd.core.events import (
    AgentConnected,
    AgentLegReplaced,
    AttendedTransferred,
    CallArrived,
    CallerJoined,
    CallerLeft,
    ChannelHungUp,
    Event,
    MemberChanged,
    MoveRefused,
    SnapshotTaken,
)
from ivrd.core.ids import CallId, QueueName
from ivrd.core.rules import FloorRules, OverflowRule
from ivrd.core.staff import Condition, condition_of
from ivrd.core.stay import Closed, Talking, Waiting
from ivrd.core.tracker import Tracker
from ivrd.core.tracker_state import TrackerState
from tests.unit.core.story import (
    SYSTEM,
    cid,
    floor_rules,
    new_tracker,
    overflow_rule,
    pass_deadlines,
    read,
)

GUIDES, SWITCHBOARD = "guides", "switchboard"
QUEUES = (GUIDES, SWITCHBOARD)
NAMED = tuple(tuple(map(QueueName, names)) for names in (QUEUES, QUEUES[:1], QUEUES[1:], ()))
"""Queues that a configuration names."""
MEMBERS = {GUIDES: ("anna", "bo"), SWITCHBOARD: ("olle", "lisa")}
RULE = overflow_rule(start=2, stop=1, moves_per_call=2)
BACK = overflow_rule(
    start=4,
    stop=2,
    name="back",
    moves_per_call=1,
    from_queue=RULE.to_queues[0],
    to_queue=RULE.from_queues[0],
)
RULES = (RULE, BACK)


@dataclass
class Caller:
    """One caller, as the PBX knows it: in the menu, waiting, talking, elsewhere or gone."""

    name: str
    place: str = "menu"
    queue: str = ""
    joined: float = 0.0
    rings: str = ""
    leg: str = ""
    move_to: str = ""
    asks: str = ""
    """The channel with which the agent asks in another queue, meanwhile."""
    asks_in: str = ""
    asks_since: float = 0.0


@dataclass
class Pbx:
    """Plays one operation at a time; each returns its events as lines of a story."""

    now: float = 0.0
    callers: list[Caller] = field(default_factory=list)
    legs: int = 0
    logged_out: set[str] = field(default_factory=set)

    def at(self, *places: str) -> list[Caller]:
        return [caller for caller in self.callers if caller.place in places]

    def pick(self, number: int, *places: str) -> Caller | None:
        those = self.at(*places)
        return those[number % len(those)] if those else None

    def play(self, operation: str, number: int, seconds: float = 0.0) -> list[str]:
        """Return the events of one operation; none when nobody is fit for it."""
        self.now = round(self.now + seconds, 3)
        events: Iterable[str] = getattr(self, f"_{operation}")(number)
        return [f"{self.now} {event}" for event in events]

    def _arrive(self, number: int) -> Iterable[str]:
        caller = Caller(name=f"c{len(self.callers)}")
        self.callers.append(caller)
        yield f"arrived {caller.name} main"
        if number % 5:
            queue = QUEUES[number % 2]
            yield f"chose {caller.name} {queue} digit=1"
            yield from self._enter(caller, queue, number)

    def _choose(self, number: int) -> Iterable[str]:
        if caller := self.pick(number, "menu"):
            queue = QUEUES[number % 2]
            yield f"chose {caller.name} {queue} digit=1"
            yield from self._enter(caller, queue, number)

    def _again(self, number: int) -> Iterable[str]:
        if caller := self.pick(number, "elsewhere"):
            yield from self._enter(caller, QUEUES[number % 2], number)

    def _enter(self, caller: Caller, queue: str, number: int = 0) -> Iterable[str]:
        if number % 7 == 6:
            caller.place = "elsewhere"
            yield f"exited {caller.name} {queue} FULL"
            return
        caller.place, caller.queue, caller.joined = "waiting", queue, self.now
        caller.rings = caller.leg = caller.move_to = ""
        yield f"joined {caller.name} {queue}"

    def _ring(self, number: int) -> Iterable[str]:
        if (caller := self.pick(number, "waiting")) and not caller.rings:
            member = MEMBERS[caller.queue][number % 2]
            if all(other.rings != member for other in self.callers):
                caller.rings = member
                yield f"member {caller.queue} {member} state=6"
                yield f"rang {caller.name} {caller.queue} {member}"

    def _ring_out(self, number: int) -> Iterable[str]:
        if (caller := self.pick(number, "waiting")) and caller.rings:
            yield f"ring_ended {caller.name} {caller.queue} {caller.rings}"
            yield f"member {caller.queue} {caller.rings}"
            caller.rings = ""

    def _answer(self, number: int) -> Iterable[str]:
        if caller := self.pick(number, "waiting"):
            member = caller.rings or "somebody"
            self.legs += 1
            caller.place, caller.leg, caller.rings = "talking", f"a{self.legs}", ""
            yield f"left {caller.name} {caller.queue}"
            yield f"connected {caller.name} {caller.queue} {member} leg={caller.leg}"
            if member != "somebody":
                yield f"member {caller.queue} {member}"

    def talking(self, number: int) -> Caller | None:
        """Return a caller whose agent does nothing else."""
        those = [caller for caller in self.at("talking") if not caller.asks]
        return those[number % len(those)] if those else None

    def asking(self, number: int) -> Caller | None:
        those = [caller for caller in self.at("talking") if caller.asks]
        return those[number % len(those)] if those else None

    def _ask(self, number: int) -> Iterable[str]:
        if caller := self.talking(number):
            self.legs += 1
            caller.asks, caller.asks_in = f"k{self.legs}", QUEUES[number % 2]
            caller.asks_since = self.now
            yield f"joined {caller.asks} {caller.asks_in} linked={caller.name}"

    def _ask_in_vain(self, number: int) -> Iterable[str]:
        if caller := self.asking(number):
            yield from self._stop_asking(caller)

    def _stop_asking(self, caller: Caller) -> Iterable[str]:
        asks, caller.asks = caller.asks, ""
        yield f"hangup_asked {asks}"
        yield f"abandon {asks} {caller.asks_in}"
        yield f"left {asks} {caller.asks_in}"
        yield f"hung_up {asks}"

    def _hand_to_asked(self, number: int) -> Iterable[str]:
        if caller := self.asking(number):
            asks, caller.asks = caller.asks, ""
            yield f"attended {caller.leg} {asks} to=App"
            yield f"hung_up {asks}"
            yield f"completed {caller.name} {caller.queue} transfer"
            yield f"hung_up {caller.leg}"
            caller.place, caller.queue, caller.joined = "waiting", caller.asks_in, caller.asks_since
            caller.rings = caller.leg = caller.move_to = ""

    def _dial(self, number: int) -> Iterable[str]:
        if caller := self.pick(number, "elsewhere"):
            status = ("ANSWER", "NOANSWER", "BUSY")[number % 3]
            yield f"dial_ended {caller.name} d{number} {status}"

    def _agent_ends(self, number: int) -> Iterable[str]:
        if caller := self.talking(number):
            yield f"completed {caller.name} {caller.queue} agent"
            yield f"hung_up {caller.leg}"
            caller.place = "elsewhere"

    def _swap(self, number: int) -> Iterable[str]:
        if caller := self.talking(number):
            self.legs += 1
            yield f"replaced {caller.leg} a{self.legs}"
            yield f"hung_up {caller.leg}"
            caller.leg = f"a{self.legs}"

    def _hand_out(self, number: int) -> Iterable[str]:
        if caller := self.talking(number):
            if number % 2:
                yield f"replaced {caller.leg} x{caller.leg}"
            yield f"attended {caller.leg} y{caller.leg}"
            yield f"completed {caller.name} {caller.queue} transfer"
            yield f"hung_up {caller.leg}"
            caller.place = "elsewhere"

    def _hand_in(self, number: int) -> Iterable[str]:
        if caller := self.talking(number):
            yield f"blind {caller.leg} 3210"
            yield f"completed {caller.name} {caller.queue} transfer"
            yield f"hung_up {caller.leg}"
            yield from self._enter(caller, QUEUES[number % 2])

    def _caller_ends(self, number: int) -> Iterable[str]:
        if caller := self.pick(number, "menu", "waiting", "talking", "elsewhere"):
            yield f"hangup_asked {caller.name}"
            if caller.place == "waiting":
                yield from self._leave(caller)
            yield f"hung_up {caller.name}"
            if caller.place == "talking":
                yield f"hung_up {caller.leg}"
                yield f"completed {caller.name} {caller.queue}"
            caller.place = "gone"
            if caller.asks:
                yield from self._stop_asking(caller)

    def _leave(self, caller: Caller) -> Iterable[str]:
        caller.rings = ""
        yield f"abandon {caller.name} {caller.queue}"
        yield f"left {caller.name} {caller.queue}"

    def _go(self, number: int, status: str) -> Iterable[str]:
        if caller := self.pick(number, "waiting"):
            yield from self._leave(caller)
            if status:
                yield f"exited {caller.name} {caller.queue} {status}"
            caller.place = "elsewhere"

    def _time_out(self, number: int) -> Iterable[str]:
        return self._go(number, ("TIMEOUT", "LEAVEEMPTY", "KEY", "WITHDRAW:byhand")[number % 4])

    def _redirect(self, number: int) -> Iterable[str]:
        return self._go(number, "")

    def _move(self, number: int) -> Iterable[str]:
        """The PBX gets round to a withdraw that was asked for."""
        those = [c for c in self.at("waiting") if c.move_to and not c.rings]
        if those:
            caller = those[number % len(those)]
            target = caller.move_to
            yield from self._leave(caller)
            yield f"exited {caller.name} {caller.queue} WITHDRAW:relief"
            yield from self._enter(caller, target, number)

    def _log_out(self, number: int) -> Iterable[str]:
        member = MEMBERS[GUIDES][number % 2]
        if all(caller.rings != member for caller in self.callers):
            self.logged_out ^= {member}
            state = 5 if member in self.logged_out else 1
            yield f"member {GUIDES} {member} state={state}"

    def _wait(self, number: int) -> Iterable[str]:
        return ()

    def heed(self, effects: Iterable[Effect]) -> None:
        """Remember the moves that are asked for."""
        for effect in effects:
            if isinstance(effect, MoveCaller):
                for caller in self.at("waiting"):
                    if cid(caller.name) == effect.call_id and caller.queue == effect.from_queue:
                        caller.move_to = effect.to_queue

    def snapshot(self) -> str:
        """Return what the PBX says is there now."""
        asking = [c for c in self.callers if c.asks]
        waiting = ",".join(
            [f"{c.name}:{c.queue}:{self.now - c.joined}" for c in self.at("waiting")]
            + [f"{c.asks}:{c.asks_in}:{self.now - c.asks_since}" for c in asking]
        )
        alive = ",".join(
            [c.name for c in self.callers if c.place != "gone"]
            + [c.leg for c in self.at("talking")]
            + [c.asks for c in asking]
        )
        ringing = {caller.rings for caller in self.at("waiting")}
        members = ",".join(
            f"{queue}:{name}:{5 if name in self.logged_out else 6 if name in ringing else 1}"
            for queue in QUEUES
            for name in MEMBERS[queue]
        )
        return f"{self.now} snapshot waiting={waiting} alive={alive} members={members}"


OPERATIONS = [
    *("arrive",) * 5,
    *("answer", "move", "ring", "hand_in") * 3,
    *("hand_out", "agent_ends", "caller_ends", "again", "swap") * 2,
    *("ask", "hand_to_asked", "dial") * 2,
    *("choose", "ring_out", "time_out", "redirect", "log_out", "wait", "ask_in_vain"),
]
operations = st.sampled_from(OPERATIONS)
numbers = st.integers(0, 20)
seconds = st.sampled_from([0.0, 0.0, 0.1, 1.0, 1.0, 3.0, 7.0, 31.0])
steps = st.tuples(operations, numbers, seconds)


def said(effects: Iterable[Effect]) -> Counter[Effect]:
    return Counter(effect for effect in effects if not isinstance(effect, PublishQueueState))


def ordered(state: TrackerState) -> TrackerState:
    """Return a state without the order in which its queues were first heard of."""
    return replace(state, queues=tuple(sorted(state.queues, key=lambda one: one.queue)))


def rules_of(overflow: tuple[OverflowRule, ...], named: tuple[QueueName, ...]) -> FloorRules:
    """Return the rules of a configuration that names so many queues."""
    rules = floor_rules(*(overflow if set(QUEUES) <= set(named) else ()))
    queues = {name: queue for name, queue in rules.queues.items() if name in named}
    return replace(rules, queues=queues)


class AnyLife(RuleBasedStateMachine):
    """Random calls, with events lost, doubled and late, and the tracker restarted."""

    def __init__(self) -> None:
        super().__init__()
        self.pbx = Pbx()
        self.tracker = new_tracker(*RULES)
        self.late: list[Event] = []
        self.is_cut = False
        self.entries: Counter[tuple[CallId, int]] = Counter()
        self.calls: Counter[CallId] = Counter()
        self.counted: Counter[tuple[str, str]] = Counter()
        self.recorded: Counter[tuple[str, str]] = Counter()
        self.open_moves: Counter[CallId] = Counter()
        self.ended_moves: Counter[CallId] = Counter()
        self.lapsed: Counter[CallId] = Counter()
        self.asked: Counter[CallId] = Counter()
        self.asked_at: defaultdict[CallId, list[datetime]] = defaultdict(list)

    @initialize(named=st.sampled_from(NAMED))
    def begin(self, named: tuple[QueueName, ...]) -> None:
        self.tracker = Tracker(system=SYSTEM, rules=rules_of(RULES, named))
        self.sees("0 snapshot members=" + self.pbx.snapshot().rpartition("members=")[2])

    def sees(self, line: str) -> None:
        self.takes(read(line)[0])

    def takes(self, event: Event) -> None:
        effects = self.tracker.apply(event)
        self.checks(effects)
        self.pbx.heed(effects)

    def checks(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            for name in ("entry_wait", "wait", "talk"):
                duration = getattr(effect, name, None)
                assert duration is None or duration >= timedelta()
            match effect:
                case CountEntry():
                    self.counted[effect.queue, effect.disposition] += 1
                    assert effect.expected is None or effect.expected.wait >= timedelta()
                case RecordEntry():
                    self.entries[effect.call_id, effect.number] += 1
                    self.recorded[effect.queue, effect.disposition] += 1
                case RecordCall():
                    self.calls[effect.call_id] += 1
                case MoveCaller():
                    self.open_moves[effect.call_id] += 1
                    self.asked[effect.call_id] += 1
                    self.asked_at[effect.call_id].append(effect.at)
                    assert self.tracker.is_synced
                    view = self.tracker.view(effect.to_queue)
                    assert view is not None
                    assert view.members_available + view.members_busy
                case RecordMove():
                    self.ends_move(effect)
                case _:
                    pass

    def ends_move(self, effect: RecordMove) -> None:
        """Note the end of a move; one that lapsed may be proven after all, by its own info."""
        self.ended_moves[effect.call_id] += 1
        if self.lapsed[effect.call_id] and not self.open_moves[effect.call_id]:
            self.lapsed[effect.call_id] -= 1
            return
        self.open_moves[effect.call_id] -= 1
        self.lapsed[effect.call_id] += effect.end is MoveEnd.LAPSED

    @rule(step=steps, doubled=st.booleans(), is_late=st.booleans())
    def live(self, step: tuple[str, int, float], doubled: bool, is_late: bool) -> None:
        events = [read(line)[0] for line in self.pbx.play(*step)]
        if self.is_cut:
            return
        self.late, due = [], self.late
        for event in due:
            self.takes(event)
        for event in events:
            kind = type(event).__name__
            if is_late and kind in {"AgentCompleted", "AgentLegReplaced", "BlindTransferred"}:
                self.late.append(event)
                continue
            self.takes(event)
            if doubled and kind not in {"ChoiceMade"}:
                self.takes(event)

    @rule(number=numbers, was_sent=st.booleans(), is_newest=st.booleans())
    def refuse_a_move(self, number: int, was_sent: bool, is_newest: bool) -> None:
        if caller := self.pbx.pick(number, "waiting"):
            sent = "yes" if was_sent else "no"
            [refused] = read(f"{self.pbx.now} move_refused {caller.name} sent={sent}")
            assert isinstance(refused, MoveRefused)
            asked = self.asked_at[refused.call_id]
            if not asked:
                return
            answered = asked[-1] if is_newest else asked[number % len(asked)]
            refused = replace(refused, asked_at=answered)
            is_open = self.open_moves[refused.call_id] > 0 and answered == asked[-1]
            # One that was never sent does not count; of two in one moment only the first ends it.
            if is_open and not was_sent:
                self.asked[refused.call_id] -= 1
                caller.move_to = ""  # Nor will the PBX get round to it.
            ended = self.ended_moves[refused.call_id]
            self.takes(refused)
            if not is_open:
                assert self.ended_moves[refused.call_id] == ended, "an old answer ends no move"

    @rule(
        name=st.sampled_from(["c0", "c1", "c2", "a1", "a2", "zz"]),
        queue=st.sampled_from(QUEUES),
        kind=st.sampled_from(
            [
                "left {0} {1}",
                "abandon {0} {1}",
                "rang {0} {1} anna",
                "ring_ended {0} {1} bo",
                "connected {0} {1} anna leg=z9",
                "completed {0} {1}",
                "hangup_asked {0}",
                "exited {0} {1} TIMEOUT",
                "replaced {0} z8",
                "replaced z9 a1",
                "blind {0} 1",
                "attended {0} a2",
                "attended a1 a1 target=l1 to=Threeway",
                "attended a1 a1 target=l1",
                "dial_ended l2 d1 ANSWER linked={0}",
                "dial_ended - d1 NOANSWER device=anna",
                "move_refused {0}",
                "case_saved {0}",
                "passed",
                "hung_up z9",
            ]
        ),
        back=st.sampled_from([0.0, 0.5, 5.0]),
    )
    def odd(self, name: str, queue: str, kind: str, back: float) -> None:
        """An event that nobody expects, perhaps with an old stamp."""
        self.sees(f"{max(0.0, self.pbx.now - back)} " + kind.format(name, queue))

    @rule(overflow=st.sampled_from(((), (RULE,), RULES)), named=st.sampled_from(NAMED))
    def configure(self, overflow: tuple[OverflowRule, ...], named: tuple[QueueName, ...]) -> None:
        """A new configuration, perhaps without a queue in which callers wait."""
        self.tracker.change_rules(rules_of(overflow, named))

    @rule()
    def cut(self) -> None:
        self.sees(f"{self.pbx.now} lost")
        self.is_cut = True
        self.late = []

    @rule(is_restart=st.booleans())
    def resume(self, is_restart: bool) -> None:
        if is_restart:
            tracker = Tracker(system=SYSTEM, rules=self.tracker._book.rules)
            tracker.restore(self.tracker.state())
            assert ordered(tracker.state()) == ordered(self.tracker.state())
            self.tracker = tracker
        self.is_cut = False
        self.sees(self.pbx.snapshot())

    @invariant()
    def nobody_is_moved_twice_at_once_or_too_often(self) -> None:
        assert all(0 <= number <= 1 for number in self.open_moves.values())
        assert all(number <= RULE.moves_per_call for number in self.asked.values())

    @invariant()
    def everything_is_recorded_at_most_once(self) -> None:
        assert all(number == 1 for number in self.entries.values())
        assert all(number == 1 for number in self.calls.values())

    @invariant()
    def counts_conserve(self) -> None:
        inside: Counter[str] = Counter()
        for call in self.tracker.state().calls:
            for stay in call.entries if call.consults_for is None else ():
                inside[stay.stay.queue] += not isinstance(stay, Closed | Talking)
            assert all(isinstance(stay, Closed) for stay in call.entries[:-1])
        for view in self.tracker.views():
            c = view.counts
            if view.queue not in self.tracker._book.rules.queues:
                assert c.joined == c.answered == c.abandoned == 0
                continue
            ended = c.answered + c.abandoned + c.timed_out + c.empty + c.key_exits
            ended += c.moved_out + c.withdrawn + c.redirected + c.unknown
            assert c.joined == ended + inside[view.queue]
            assert c.moved_in <= c.joined

    @invariant()
    def the_book_is_consistent(self) -> None:
        book = self.tracker._book
        waiting = {
            (s.stay.queue, c.call_id)
            for c in book.calls.values()
            for s in c.entries
            if isinstance(s, Waiting) and c.consults_for is None
        }
        assert waiting == {(f.queue, call) for f in book.queues.values() for call in f.waiting}
        for floor in book.queues.values():
            line, staff = floor.waiting, floor.members
            callers = [caller for call in line if (caller := line.get(call)) is not None]
            assert line.queued == sum(not (c.is_moving or c.met_free_agent) for c in callers)
            assert line.unserved == sum(not (c.is_moving or c.is_offered) for c in callers)
            for condition in Condition:
                assert staff.count(condition) == sum(condition_of(m) is condition for m in staff)
        for queue, call_id in waiting:
            call, caller = book.calls[call_id], book.queues[queue].waiting.get(call_id)
            last = call.entries[-1]
            assert isinstance(last, Waiting)
            assert caller is not None
            assert caller.first_joined_at == last.stay.first_joined_at
            assert caller.is_offered == bool(last.offered_to)
            assert caller.is_moving == (last.move is not None)
            assert caller.moves_asked == call.moves_asked
        assert set(book.legs.values()) <= set(book.calls)
        assert not book.effects

    def teardown(self) -> None:
        self.resume(is_restart=False)
        while self.pbx.at("menu", "waiting", "talking", "elsewhere"):
            self.live(("caller_ends", 0, 0.0), doubled=False, is_late=False)
        self.checks(pass_deadlines(self.tracker))
        book = self.tracker._book
        assert self.tracker.live_calls == 0
        assert not any(
            (book.legs, book.aliases, book.recalls, book.thirds, book.talkers, book.answered)
        )
        assert not book.deadlines
        assert not any(floor.waiting for floor in book.queues.values())
        assert self.counted == self.recorded
        assert not +self.open_moves
        super().teardown()


AnyLife.TestCase.settings = settings(
    deadline=None,
    print_blob=True,
    max_examples=120,
    stateful_step_count=40,
    suppress_health_check=list(HealthCheck),
)
TestAnyLife = AnyLife.TestCase


def whole(story: list[tuple[str, int, float]]) -> tuple[list[Event], list[Effect]]:
    """Return a story's events until everybody has hung up, and what came of them uncut."""
    pbx = Pbx()
    tracker = new_tracker(*RULES)
    events = read(pbx.snapshot())
    effects = list(tracker.apply(events[0]))
    endings = [("caller_ends", 0, 0.1)] * len(story)
    for step in [*story, *endings]:
        for line in pbx.play(*step):
            events += read(line)
            gained = tracker.apply(events[-1])
            effects += gained
            pbx.heed(gained)
    return events, effects + pass_deadlines(tracker)


def snapshot_after(events: list[Event]) -> Event:
    """Return what the PBX would say just after some events."""
    waiting: dict[str, tuple[str, float]] = {}
    alive: dict[str, None] = {}
    legs: dict[str, str] = {}
    members: dict[tuple[str, str], MemberChanged] = {}
    for event in events:
        match event:
            case SnapshotTaken():
                members |= {(m.queue, m.interface): m for q in event.queues for m in q.members}
            case MemberChanged():
                members[event.queue, event.interface] = event
            case CallArrived():
                alive[short(event.call_id)] = None
            case CallerJoined():
                waiting[short(event.call_id)] = (event.queue, event.at.timestamp())
                alive[short(event.call_id)] = None
            case CallerLeft():
                waiting.pop(short(event.call_id), None)
            case AgentConnected():
                alive[short(event.agent_leg)] = None
                legs[short(event.call_id)] = event.agent_leg
            case AgentLegReplaced():
                alive[short(event.new_id)] = None
                legs |= {c: event.new_id for c, leg in legs.items() if leg == event.old_id}
            case AttendedTransferred(destination="App"):
                # The caller has taken the place of the channel that asked.
                [caller] = [c for c, leg in legs.items() if leg == event.orig_transferer_id]
                waiting[caller] = waiting.pop(short(event.second_transferer_id))
            case ChannelHungUp():
                alive.pop(short(event.channel_id), None)
            case _:
                pass
    now = events[-1].at.timestamp()
    places = ",".join(f"{call}:{queue}:{now - at}" for call, (queue, at) in waiting.items())
    listed = ",".join(f"{q}:{name}:{m.device_state}" for (q, name), m in members.items())
    [event] = read(f"0 snapshot waiting={places} alive={','.join(alive)} members={listed}")
    return replace(event, at=events[-1].at)


def short(channel: str) -> str:
    return channel.rpartition("/")[2]


def resumed(before: list[Event], after: list[Event], snapshot: Event) -> list[Effect]:
    """Return what comes of a story that another tracker goes on with."""
    first, second = new_tracker(*RULES), new_tracker(*RULES)
    effects = [effect for event in before for effect in first.apply(event)]
    second.restore(first.state())
    for event in [snapshot, *after]:
        effects += second.apply(event)
    return effects + pass_deadlines(second)


limits = settings(
    deadline=None, print_blob=True, max_examples=50, suppress_health_check=list(HealthCheck)
)
told_steps = steps.filter(lambda step: step[0] != "redirect")
"""Nobody tells of a redirect: cut after the leave, it cannot be known from a missed answer."""


@limits
@given(story=st.lists(told_steps, min_size=20, max_size=30))
def test_cut_at_any_event_and_resumed_from_a_snapshot_gives_the_same(
    story: list[tuple[str, int, float]],
) -> None:
    events, effects = whole(story)
    expected = said(effects)
    for cut in range(1, len(events) + 1):
        snapshot = snapshot_after(events[:cut])
        assert said(resumed(events[:cut], events[cut:], snapshot)) == expected


@limits
@given(story=st.lists(steps, min_size=20, max_size=30), ahead=st.integers(1, 6))
def test_snapshot_ahead_of_the_events_held_back_invents_nothing(
    story: list[tuple[str, int, float]], ahead: int
) -> None:
    events, effects = whole(story)
    for cut in range(1, len(events) - ahead):
        snapshot = replace(snapshot_after(events[: cut + ahead]), at=events[cut - 1].at)
        assert_nothing_is_invented(resumed(events[:cut], events[cut:], snapshot), effects)


@settings(limits, max_examples=200)
@given(
    story=st.lists(steps, min_size=20, max_size=40),
    start=st.integers(1, 60),
    gap=st.integers(0, 40),
)
def test_gap_opens_no_case_that_was_none_and_invents_no_outcome(
    story: list[tuple[str, int, float]], start: int, gap: int
) -> None:
    events, effects = whole(story)
    start = between_instants(events, min(start, len(events)))
    end = between_instants(events, min(start + gap, len(events)))
    got = resumed(events[:start], events[end:], snapshot_after(events[:end]))
    assert_nothing_is_invented(got, effects)


def between_instants(events: list[Event], index: int) -> int:
    """Return the next index between two instants: no gap parts a hand-over from its own swap."""
    while 0 < index < len(events) and events[index].at == events[index - 1].at:
        index += 1
    return index


def assert_nothing_is_invented(got: list[Effect], truth: list[Effect]) -> None:
    """Hold what was seen of a story to what happened: what is not known must say so."""
    outcomes = {
        effect.call_id: effect.outcome for effect in truth if isinstance(effect, RecordCall)
    }
    for effect in got:
        if isinstance(effect, RecordCall):
            # Handed on, and solved by somebody whom we did not see, stays handed on: no false bill.
            is_claim = effect.outcome is Outcome.RESOLVED
            assert not is_claim or outcomes[effect.call_id] is Outcome.RESOLVED
    keys = [(e.call_id, e.rule) for e in got if isinstance(e, OpenCase)]
    assert len(keys) == len(set(keys))
    assert set(keys) <= {(e.call_id, e.rule) for e in truth if isinstance(e, OpenCase)}
