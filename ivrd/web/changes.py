"""Turns what the daemon does into changes for those who watch, a few times a second.

Here: what is looked at again after which effect, and how often. Not here: the stream (events.py).

A queue that changes a hundred times within CHANGES_EVERY_S is told once, as it is then. Lines and
switches change by the clock too, so they are looked at every LINES_EVERY_S; and so are agents,
because a pause's new reason alone is no change of a queue.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from ivrd.access import Deed
from ivrd.core.effects import Effect, PublishQueueState
from ivrd.core.ids import QueueName, SystemName
from ivrd.core.live_view import MemberView
from ivrd.core.switches import RecordAct
from ivrd.web.act_forms import SwitchStatus
from ivrd.web.audit_routes import act_entry
from ivrd.web.decisions_now import LatestDecisions
from ivrd.web.events import EventStream
from ivrd.web.looks import Sights

Switches = Callable[[], Iterable[tuple[SwitchStatus, frozenset[str]]]]
"""Returns every switch as it is now, with the lines that it touches."""

CHANGES_EVERY_S = 0.2
"""As MQTT: five a second per queue are all that an eye can follow."""

LINES_EVERY_S = 1.0

DECISIONS_PER_TURN = 20
"""As many as the engine tells in one: a rule that begins decides hundreds at once."""

QUEUES_PER_TURN = 12
"""Rendered between two looks at the loop's other tasks: 1 to 2 ms, as whoever asks meanwhile, a
scrape above all, waits for one such step in each turn that it needs."""

AGENTS_PER_TURN = 25
"""Told between two looks, likewise."""


class ChangeTeller:
    """Watches effects, and tells the stream."""

    def __init__(self, stream: EventStream, sights: Sights, decisions: LatestDecisions) -> None:
        """Tell nothing yet."""
        self._stream = stream
        self._sights = sights
        self._decisions = decisions
        self._told = 0
        self._dirty: dict[tuple[SystemName, QueueName], None] = {}
        self._agents: dict[SystemName, dict[str, list[MemberView]]] = {}
        """Each agent as last told, by PBX."""
        self.switches: Switches = tuple
        """Set by whoever knows them."""
        self.told_line: Callable[[str, str], None] | None = None
        """Told each line's status as JSON, as often as they are looked at; "" when it is gone."""

    def observe(self, effect: Effect) -> None:
        """See an effect; never raises."""
        self._decisions.observe(effect)
        if isinstance(effect, PublishQueueState):
            self._dirty[(effect.system, effect.queue)] = None

    async def run(self) -> None:
        """Tell, for ever."""
        loop = asyncio.get_running_loop()
        lines_at = loop.time()
        for view in self._sights.statuses.views():
            self._dirty[(view.system, view.queue)] = None
        while True:
            is_whole = loop.time() >= lines_at
            changed = await self._tell_queues()
            for system in self._sights.people.systems() if is_whole else changed:
                await self._tell_agents(system)
            await self._tell_decisions()
            if is_whole:
                lines_at = loop.time() + LINES_EVERY_S
                self._tell_lines()
                await asyncio.sleep(0)
                self._tell_switches()
            await asyncio.sleep(CHANGES_EVERY_S)

    async def _tell_queues(self) -> Iterable[SystemName]:
        """Tell of queues that have changed; return on which PBXs."""
        dirty, self._dirty = list(self._dirty), {}
        for first in range(0, len(dirty), QUEUES_PER_TURN):
            part = dirty[first : first + QUEUES_PER_TURN]
            for status in self._sights.statuses.texts(part):
                self._stream.publish(
                    "queue",
                    f"{status.view.system}/{status.view.queue}",
                    status.text,
                    deed=Deed.SEE_FLOOR,
                    lines=self._lines_of([status.view.queue]),
                )
            await asyncio.sleep(0)
        return dict.fromkeys(system for system, _ in dirty)

    async def _tell_agents(self, system: SystemName) -> None:
        """Tell of a PBX's agents who have changed."""
        people = self._sights.people
        book = people.book(system)
        if book is None or not book.is_synced:
            return
        told = self._agents.setdefault(system, {})
        agents = people.agents_of(book)
        # Nothing to render for most: of hundreds, a call changes one or two.
        changed = [agent for agent, views in agents.items() if told.get(agent) != views]
        gone = [agent for agent in told if agent not in agents]
        for number, agent in enumerate(changed):
            if number % AGENTS_PER_TURN == AGENTS_PER_TURN - 1:
                await asyncio.sleep(0)
            views = told[agent] = agents[agent]
            self._stream.publish(
                "agent",
                f"{system}/{agent}",
                people.agent_text(views),
                deed=Deed.SEE_AGENTS,
                lines=self._lines_of([view.queue for view in views]),
            )
        for agent in gone:
            lines = self._lines_of([view.queue for view in told.pop(agent)])
            self._stream.forget("agent", f"{system}/{agent}", deed=Deed.SEE_AGENTS, lines=lines)

    async def _tell_decisions(self) -> None:
        while self._told < self._decisions.count:
            part, self._told = self._decisions.after(self._told, most=DECISIONS_PER_TURN)
            for decision in part:
                self._stream.publish(
                    "decision",
                    "",
                    decision.model_dump_json(),
                    deed=Deed.SEE_CALLS,
                    lines=self._lines_of([decision.from_queue, decision.to_queue]),
                    is_state=False,
                )
            await asyncio.sleep(0)

    def _tell_lines(self) -> None:
        gone = set(self._stream.keys("line"))
        for line in self._sights.lines():
            gone.discard(line.line)
            text = line.model_dump_json()
            if self.told_line is not None:
                self.told_line(line.line, text)
            self._stream.publish(
                "line",
                line.line,
                text,
                deed=Deed.SEE_FLOOR,
                lines=frozenset({line.line}),
            )
        for name in gone:  # Taken out of the configuration, and ivrd lives on.
            self._stream.forget("line", name, deed=Deed.SEE_FLOOR, lines=frozenset({name}))
            if self.told_line is not None:
                self.told_line(name, "")

    def _tell_switches(self) -> None:
        gone = set(self._stream.keys("switch"))
        for switch, lines in self.switches():
            key = f"{switch.kind}/{switch.name}"
            gone.discard(key)
            self._stream.publish(
                "switch", key, switch.model_dump_json(), deed=Deed.SEE_CALLS, lines=lines
            )
        for key in gone:
            self._stream.forget("switch", key, deed=Deed.SEE_CALLS, lines=None)

    def tell_act(self, act: RecordAct, lines: frozenset[str]) -> None:
        """Tell at once what somebody did, or tried; never raises."""
        self._stream.publish(
            "act",
            "",
            act_entry(act).model_dump_json(),
            deed=Deed.SEE_AUDIT,
            lines=lines,
            is_state=False,
        )

    def _lines_of(self, queues: Sequence[str]) -> frozenset[str]:
        known = self._sights.queue_lines()
        return frozenset().union(*(known.get(queue, frozenset()) for queue in queues))
