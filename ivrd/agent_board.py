"""Carries out what people do with agents, and with a caller's rank; the one way for all who act.

Here: acts in, requests to the PBX out, waiting until they have come true, the audit, and undo. Not
here: what an act comes to (core/agent_acts.py), what requests look like (ami/agent_requests.py),
who may (access/), and how an act comes in (control.py, web/, MQTT).

    result = await board.act(AgentAct(deed=AgentDeed.PAUSE, agent="PJSIP/anna", reason="..."), by)

Asterisk holds the truth about agents, so nothing is kept here but who acted last, what would undo
it, and how agents who have left were logged in. A restart forgets these three.

Rank: a caller's priority is the moment of the first arrival (dialplan/queues.py), so a caller who
is to go first gets URGENT_BONUS more: before all who are not urgent, and among the urgent by
arrival. It is kept on the channel too, so a move to another queue does not lose it.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol, TypeVar

import structlog

from ivrd.ami.actions import AmiAction
from ivrd.ami.agent_requests import (
    ask_priority,
    can_sort_at_once,
    change_priority,
    keep_priority,
    priority_in,
    refusal_of,
    request_of,
)
from ivrd.ami.replies import Reply
from ivrd.audit import Audit
from ivrd.core.actors import Actor
from ivrd.core.agent_acts import (
    AgentAct,
    Impossible,
    Step,
    has_come_true,
    inverse,
    plan,
    version_of,
)
from ivrd.core.call_book import CallBook
from ivrd.core.effects import Effect, PublishQueueState
from ivrd.core.ids import QueueName, SystemName
from ivrd.core.live_view import CallerView, MemberView, callers_of, members_of
from ivrd.core.switches import FRESH, REASON_CHARACTERS_MAX, ActOutcome
from ivrd.dialplan.queues import PRIORITY_BASE
from ivrd.errors import PeerError

COME_TRUE_S_MAX = 5.0
"""An act waits so long for the events that prove it; they come within milliseconds."""

REMEMBERED_MAX = 2_000
"""Agents whose last act, and whose last log-in, is remembered."""

URGENT_BONUS = 100_000_000
"""Tenths of seconds, 115 days: before everybody who may be waiting, and within 32 bits."""

URGENT_FROM = 10_000_000
"""So much more than a newcomer's priority is nobody's by arrival: 11 days of waiting."""

Key = TypeVar("Key")

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Pbx(Protocol):
    """Where Asterisk is asked (ami/client.py)."""

    @property
    def asterisk_version(self) -> tuple[int, ...] | None: ...
    async def ask(self, action: AmiAction) -> Reply: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentResult:
    """What came of an act, for whoever acted."""

    outcome: ActOutcome
    text: str
    version: str | None = None
    """The agent's version now; None when nobody knows the agent."""
    is_unknown: bool = False
    """Nobody has that name."""

    @property
    def is_taken(self) -> bool:
        """Whether what was wished for is so, or will be."""
        return self.outcome in (ActOutcome.DONE, ActOutcome.PENDING, ActOutcome.ALREADY)


@dataclass(frozen=True, slots=True)
class _Last:
    """The last act on an agent."""

    by: Actor
    at: datetime
    undo: tuple[Step, ...]
    version: str


@dataclass(slots=True)
class _Known:
    """An agent as last seen in each queue."""

    views: dict[QueueName, MemberView] = field(default_factory=dict)


class AgentBoard:
    """Acts on agents and callers of every PBX."""

    def __init__(
        self,
        *,
        books: Callable[[], Mapping[SystemName, CallBook]],
        pbxes: Mapping[SystemName, Pbx],
        audit: Audit,
        now: Callable[[], datetime],
        queues: Callable[[], Collection[str]],
    ) -> None:
        """Know nobody yet.

        Args:
            books: Who waits and serves, by PBX.
            pbxes: Where to ask.
            audit: Where every act is told of.
            now: The PBXs' time.
            queues: Every queue of ours.
        """
        self._books = books
        self._pbxes = pbxes
        self._audit = audit
        self._now = now
        self._queues = queues
        self._known: dict[tuple[SystemName, str], _Known] = {}
        self._last: dict[tuple[SystemName, str], _Last] = {}
        self._ranked: dict[str, _Last] = {}
        self._busy: set[tuple[SystemName, str]] = set()
        self._sizes: dict[tuple[SystemName, QueueName], int] = {}
        self._news = asyncio.Event()

    def observe(self, effect: Effect) -> None:
        """See an effect: a queue has changed; never raises."""
        if not isinstance(effect, PublishQueueState):
            return
        self._news.set()
        book = self._books().get(effect.system)
        floor = None if book is None else book.queues.get(effect.queue)
        size = 0 if floor is None else sum(1 for _ in floor.members)
        place = (effect.system, effect.queue)
        if book is not None and self._sizes.get(place) != size:
            self._sizes[place] = size
            self._remember(book, effect.queue)

    # Looking.

    def find(self, agent: str) -> tuple[SystemName, list[MemberView]] | None:
        """Return an agent's PBX, and what the agent is in each queue now; None: never seen.

        An agent of several PBXs is the one who is logged in, on the first of them.
        """
        for system, book in self._books().items():
            views = _views(book, agent)
            if views:
                return system, views
        for system, name in self._known:
            if name == agent:
                return system, []
        return None

    def queues_of(self, agent: str) -> frozenset[QueueName]:
        """Return every queue in which an agent is or was."""
        found = self.find(agent)
        if found is None:
            return frozenset()
        system, views = found
        known = self._known.get((system, agent))
        return frozenset({*(view.queue for view in views), *(known.views if known else ())})

    # Acting on agents.

    async def act(self, act: AgentAct, by: Actor, *, seen: str | None = None) -> AgentResult:
        """Do what somebody wishes, and say what came of it.

        Args:
            act: The wish.
            by: Whose it is.
            seen: The agent's version on which it was decided; None when it does not say.
        """
        act = replace(act, reason=act.reason.strip())
        fault = _reason_fault(act.reason)
        if fault is not None:
            self._audit.refuse(act.deed, _subject(act), by, (fault,))
            return AgentResult(outcome=ActOutcome.REFUSED, text=fault)
        system, present = self.find(act.agent) or (next(iter(self._pbxes)), [])
        known = self._known.get((system, act.agent), _Known()).views
        steps = plan(act, present, list(known.values()), queues=sorted(self._queues()))
        if isinstance(steps, Impossible):
            self._audit.refuse(act.deed, _subject(act), by, (steps.text,))
            is_unknown = not present and not known
            return AgentResult(outcome=ActOutcome.REFUSED, text=steps.text, is_unknown=is_unknown)
        result = await self._carry_out(system, act.agent, steps, by, seen)
        self._audit.note(act.deed, _subject(act), by, result.outcome, reason=act.reason)
        return result

    async def undo(self, agent: str, by: Actor, *, seen: str | None = None) -> AgentResult:
        """Bring back what was before the last act on an agent."""
        system, _ = self.find(agent) or (next(iter(self._pbxes)), [])
        last = self._last.get((system, agent))
        if last is None:
            told = f"nothing was done with {agent} that could be undone"
            self._audit.refuse("agent_undo", f"agent {agent}", by, (told,))
            return AgentResult(outcome=ActOutcome.REFUSED, text=told, is_unknown=True)
        result = await self._carry_out(system, agent, last.undo, by, seen or last.version)
        self._audit.note("agent_undo", f"agent {agent}", by, result.outcome, reason="undo")
        return result

    async def _carry_out(
        self,
        system: SystemName,
        agent: str,
        steps: Sequence[Step],
        by: Actor,
        seen: str | None,
    ) -> AgentResult:
        key = (system, agent)
        before = self._present(key)
        version = version_of(before)
        if not steps:
            return AgentResult(
                outcome=ActOutcome.ALREADY, text=f"{agent}: {_told(before)}", version=version
            )
        last = self._last.get(key)
        is_late = seen is None and last is not None and last.by != by
        if (
            key in self._busy
            or (seen is not None and seen != version)
            or (is_late and last is not None and abs(self._now() - last.at) < FRESH)
        ):
            who = "somebody" if last is None else last.by.who
            text = f"{agent}: {who} was first; now {_told(before)}; look again"
            return AgentResult(outcome=ActOutcome.CONFLICT, text=text, version=version)
        self._busy.add(key)
        try:
            done, faults = await self._ask_all(system, steps)
            is_there = await self._until_true(key, done)
        finally:
            self._busy.discard(key)
        after = self._present(key)
        by_queue = {view.queue: view for view in before}
        if done:
            undo = tuple(inverse(step, by_queue.get(step.queue)) for step in reversed(done))
            _note_last(self._last, key, _Last(by, self._now(), undo, version_of(after)))
        if faults:
            text = f"{agent}: {'; '.join(faults)}; now {_told(after)}"
            return AgentResult(outcome=ActOutcome.REFUSED, text=text, version=version_of(after))
        outcome = ActOutcome.DONE if is_there else ActOutcome.PENDING
        return AgentResult(
            outcome=outcome, text=f"{agent}: {_told(after)}", version=version_of(after)
        )

    async def _ask_all(
        self, system: SystemName, steps: Sequence[Step]
    ) -> tuple[list[Step], list[str]]:
        """Ask for each step; return those that Asterisk took, and why it did not take others."""
        done, faults = [], []
        for step in steps:
            try:
                answer = await self._pbxes[system].ask(request_of(step))
            except PeerError as error:
                faults.append(f"{step.queue}: {error}")
                continue
            if answer.is_success:
                done.append(step)
            else:
                faults.append(f"{step.queue}: {refusal_of(answer)}")
        return done, faults

    async def _until_true(self, key: tuple[SystemName, str], steps: Sequence[Step]) -> bool:
        """Wait until events prove every step, but not for long."""
        try:
            async with asyncio.timeout(COME_TRUE_S_MAX):
                while not all(has_come_true(step, self._present(key)) for step in steps):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    # A caller's rank.

    async def rank(self, call: str, by: Actor, *, is_urgent: bool, reason: str) -> AgentResult:
        """Let a caller go before all who are not urgent, or by arrival again."""
        word = "caller_first" if is_urgent else "caller_by_arrival"
        subject, reason = f"call {call}", reason.strip()
        view = self.find_caller(call)
        fault = _reason_fault(reason)
        if view is None or fault is not None:
            told = fault or f"nobody waits under the id {call!r}"
            self._audit.refuse(word, subject, by, (told,))
            return AgentResult(outcome=ActOutcome.REFUSED, text=told, is_unknown=view is None)
        result = await self._rank(view, by, is_urgent=is_urgent)
        self._audit.note(word, f"call {view.call_id}", by, result.outcome, reason=reason)
        return result

    async def _rank(self, view: CallerView, by: Actor, *, is_urgent: bool) -> AgentResult:
        pbx = self._pbxes[view.system]
        last = self._ranked.get(view.call_id)
        try:
            priority = priority_in(await pbx.ask(ask_priority(view.channel)))
            if priority is None:
                told = f"{view.queue} does not rank callers by ivrd's dialplan"
                return AgentResult(outcome=ActOutcome.REFUSED, text=told)
            newcomer = PRIORITY_BASE - int(self._now().timestamp() * 10)
            was_urgent = priority > newcomer + URGENT_FROM
            told = "goes first" if is_urgent else "goes by arrival"
            if was_urgent == is_urgent:
                return AgentResult(outcome=ActOutcome.ALREADY, text=f"the caller {told}")
            if last is not None and last.by != by and abs(self._now() - last.at) < FRESH:
                text = f"{last.by.who} was first; look again"
                return AgentResult(outcome=ActOutcome.CONFLICT, text=text)
            if not can_sort_at_once(pbx.asterisk_version):
                text = "this Asterisk cannot sort who waits anew; move the caller instead"
                return AgentResult(outcome=ActOutcome.REFUSED, text=text)
            wanted = priority + (URGENT_BONUS if is_urgent else -URGENT_BONUS)
            answer = await pbx.ask(change_priority(view.channel, view.queue, wanted))
            if answer.is_success:
                # Second, for it may only hold for queues to come if it held for this one.
                answer = await pbx.ask(keep_priority(view.channel, wanted))
        except PeerError as error:
            return AgentResult(outcome=ActOutcome.REFUSED, text=str(error))
        if not answer.is_success:
            return AgentResult(outcome=ActOutcome.REFUSED, text=refusal_of(answer))
        _note_last(self._ranked, view.call_id, _Last(by, self._now(), (), ""))
        return AgentResult(outcome=ActOutcome.DONE, text=f"the caller {told} in {view.queue}")

    def find_caller(self, call: str) -> CallerView | None:
        """Return who waits under a call's id, or what stands after its slash."""
        for system, book in self._books().items():
            for view in callers_of(book):
                if view.call_id in (call, f"{system}/{call}"):
                    return view
        return None

    # Inside.

    def _present(self, key: tuple[SystemName, str]) -> list[MemberView]:
        book = self._books().get(key[0])
        return [] if book is None else _views(book, key[1])

    def _remember(self, book: CallBook, queue: QueueName) -> None:
        for view in members_of(book, (queue,)):
            known = self._known.setdefault((book.system, view.agent), _Known())
            known.views[view.queue] = view
        while len(self._known) > REMEMBERED_MAX:
            del self._known[next(iter(self._known))]


def _note_last(acts: dict[Key, _Last], key: Key, last: _Last) -> None:
    acts.pop(key, None)
    acts[key] = last
    if len(acts) > REMEMBERED_MAX:
        del acts[next(iter(acts))]


def _views(book: CallBook, agent: str) -> list[MemberView]:
    return [view for view in members_of(book) if view.agent == agent]


def _told(views: Sequence[MemberView]) -> str:
    """Return what an agent is in each queue, in words."""
    if not views:
        return "logged out"
    return ", ".join(
        f"{view.queue} {_paused(view)}" for view in sorted(views, key=lambda one: one.queue)
    )


def _paused(view: MemberView) -> str:
    if not view.is_paused:
        return "not paused"
    return f"paused ({view.pause_reason})" if view.pause_reason else "paused"


def _subject(act: AgentAct) -> str:
    where = f" in {', '.join(sorted(act.queues))}" if act.queues else ""
    return f"agent {act.agent}{where}"


def _reason_fault(reason: str) -> str | None:
    if not reason:
        return "reason: say why; whoever asks later must know"
    if len(reason) > REASON_CHARACTERS_MAX or not reason.isprintable():
        return f"reason: one line of at most {REASON_CHARACTERS_MAX} characters"
    return None
