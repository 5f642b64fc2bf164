"""Publishes queue status, cases and decisions to an MQTT broker, and takes commands from it.

Here: topics, what is kept while the broker is away, and connecting again. Not here: a connection
while it stands (mqtt_session.py), what a message says (mqtt_texts.py), and the payload of a queue
(whoever holds the floor writes it).

    <prefix>/<system>/availability           online | offline; retained; also the last will
    <prefix>/<system>/queue/<queue>/status   JSON; retained; the newest per topic
    <prefix>/<system>/case                   JSON; not retained; each one
    <prefix>/<system>/case/changed           JSON; not retained; each change of a case, or contact
    <prefix>/line/<line>/status              JSON; retained; by the first PBX's connection
    <prefix>/command                         what we take: web/bridge.py
    <prefix>/reply/<id>                      JSON; not retained; what came of it
    <prefix>/<system>/decision               JSON; not retained; each one (core/decisions.py)

All of it at quality of service 1: a message may come twice, so none of them means "one more". A
connection has one last will, so each PBX has a connection of its own. Nobody but the task here ever
waits for the broker.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import structlog

from ivrd.config import MqttConfig
from ivrd.core.case_record import CaseChanged
from ivrd.core.decisions import RecordDecision
from ivrd.core.effects import PublishCase
from ivrd.core.ids import QueueName, SystemName
from ivrd.mqtt_session import PEER_ERRORS, Session, Word, connected, is_refusal
from ivrd.mqtt_texts import case_json, decision_json, topic_level
from ivrd.retry import Backoff

STATUS_INTERVAL_S = 0.2
"""A queue's status is sent at most this often: faster than an eye, slower than a rush of events."""

QUEUES_MAX = 1_000
"""Queues with a status, per PBX; more are names that nobody configured."""

CASES_MAX = 10_000
"""Cases kept while the broker is away, per PBX: more than a week of a large municipality."""

DECISIONS_MAX = 10_000
"""Decisions kept likewise, so that a long overflow pushes out no case."""

DECISIONS_PER_TURN = 20
"""Sent between two looks at the queues' status; each waits for the broker's word."""

COMMANDS_MAX = 100
"""Commands that wait for their turn; more are dropped."""

REPLIES_MAX = 100
"""Answers kept while the broker is away. The oldest go first: whoever asked has given up by then,
and has perhaps asked again."""

Take = Callable[[bytes], Awaitable[tuple[str, str] | None]]
"""Does what a command asks; returns its id and the answer, or None for what is no command."""

StatusSource = Callable[[SystemName, QueueName], str | None]
"""Returns a queue's status as JSON text, as it is now; None when the queue is not known."""

log = structlog.get_logger(__name__)


class Publisher:
    """Everything that goes to the broker, for every PBX."""

    sink = "mqtt"

    def __init__(
        self, config: MqttConfig, *, systems: Sequence[SystemName], status: StatusSource
    ) -> None:
        """Publish for the given PBXs what `status` says when it is sent."""
        self.config = config
        self._links = {system: _Link(config, system, status) for system in systems}
        self._first = next(iter(self._links.values()))

    def take_commands(self, take: Take) -> None:
        """Let somebody carry out what is asked on the command topic. Before `run`."""
        self._first.take = take

    def publish_state(self, topic: str, payload: str) -> None:
        """Tell what something below the prefix is now, retained. Never blocks and never raises."""
        self._first.publish_state(topic, payload)

    def publish_queue(self, system: SystemName, queue: QueueName) -> None:
        """Say that a queue looks different now. Never blocks and never raises."""
        link = self._links.get(system)
        if link is not None:
            link.publish_queue(queue)

    def publish_case(self, case: PublishCase) -> None:
        """Tell of a saved case. Never blocks and never raises; drops the oldest when full."""
        link = self._links.get(case.system)
        if link is not None:
            link.publish_case(case)

    def publish_case_change(self, changed: CaseChanged) -> None:
        """Tell of a change of a case, without what somebody wrote; as `publish_case`."""
        link = self._links.get(changed.case.system)
        if link is not None:
            link.publish_case(changed)

    def publish_decision(self, decision: RecordDecision) -> None:
        """Tell of a decision. Never blocks and never raises; drops the oldest when full."""
        link = self._links.get(decision.system)
        if link is not None:
            link.publish_decision(decision)

    async def run(self) -> None:
        """Publish until cancelled; then say "offline" to each broker that is there."""
        async with asyncio.TaskGroup() as group:
            for system, link in self._links.items():
                group.create_task(link.run(), name=f"mqtt-{system}")

    @property
    def is_connected(self) -> bool:
        """Whether every PBX's connection stands."""
        return all(link.is_connected for link in self._links.values())

    @property
    def depth(self) -> int:
        """Messages that wait to be sent."""
        return sum(link.depth for link in self._links.values())

    @property
    def bound(self) -> int:
        """Messages that may wait."""
        each = QUEUES_MAX + CASES_MAX + DECISIONS_MAX
        return len(self._links) * each + QUEUES_MAX + REPLIES_MAX

    @property
    def dropped(self) -> int:
        """Messages lost because there were too many."""
        return sum(link.dropped for link in self._links.values())


class _Link:
    """One PBX's connection to the broker."""

    def __init__(self, config: MqttConfig, system: SystemName, status: StatusSource) -> None:
        self._config = config
        self._system = system
        self._status = status
        self._root = f"{config.topic_prefix}/{system}"
        self._known: set[QueueName] = set()
        self._changed: dict[QueueName, None] = {}
        """Queues whose status must be sent, in the order of their first change."""
        self._sent_at: dict[QueueName, float] = {}
        """When each status was last sent, by the loop's clock."""
        self._cases: deque[PublishCase | CaseChanged] = deque()
        self._decisions: deque[RecordDecision] = deque()
        self.take: Take | None = None
        self._states: dict[str, str] = {}
        """What is told below the prefix, by topic, as it is now."""
        self._new_states: dict[str, None] = {}
        self._commands: asyncio.Queue[bytes] = asyncio.Queue(COMMANDS_MAX)
        self._replies: deque[tuple[str, str]] = deque()
        self._work = asyncio.Event()
        self._backoff = Backoff(random.Random().random)
        self._is_loss_logged = False
        self._is_drop_logged = False
        self.is_connected = False
        self.dropped = 0

    @property
    def depth(self) -> int:
        told = len(self._changed) + len(self._cases) + len(self._decisions)
        return told + len(self._new_states) + len(self._replies)

    def publish_state(self, topic: str, payload: str) -> None:
        if self._states.get(topic) == payload:
            return
        if topic not in self._states and len(self._states) >= QUEUES_MAX:
            self.dropped += 1
            return
        self._states[topic] = payload
        self._new_states[topic] = None
        self._work.set()

    def publish_queue(self, queue: QueueName) -> None:
        if queue not in self._known:
            if len(self._known) >= QUEUES_MAX:
                self.dropped += 1
                return
            self._known.add(queue)
        self._changed[queue] = None
        self._work.set()

    def publish_case(self, case: PublishCase | CaseChanged) -> None:
        if len(self._cases) >= CASES_MAX:
            self._cases.popleft()
            self.dropped += 1
        self._cases.append(case)
        self._work.set()

    def publish_decision(self, decision: RecordDecision) -> None:
        if len(self._decisions) >= DECISIONS_MAX:
            self._decisions.popleft()
            self.dropped += 1
        self._decisions.append(decision)
        self._work.set()

    async def run(self) -> None:
        """Connect, publish until the connection is lost, and connect again, for ever."""
        async with asyncio.TaskGroup() as group:
            if self.take is not None:
                # Not within a connection: its loss would tear an act that is under way.
                group.create_task(self._obey(self.take), name="mqtt-commands")
            while True:
                try:
                    await self._connect_and_publish()
                except* PEER_ERRORS as errors:
                    self._note_loss(errors)
                await asyncio.sleep(next(self._backoff))

    async def _connect_and_publish(self) -> None:
        # What the will says after an unclean end, we say ourselves at a clean one.
        offline = Word(topic=self._availability, payload=b"offline", is_retained=True)
        async with connected(self._config, name=self._system, will=offline) as session:
            self._note_connection()
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._listen(session), name=f"mqtt-watch-{self._system}")
                    group.create_task(self._publish(session), name=f"mqtt-send-{self._system}")
            except asyncio.CancelledError:
                await session.say_last(offline)
                raise
            finally:
                self.is_connected = False

    @property
    def _availability(self) -> str:
        return f"{self._root}/availability"

    async def _publish(self, session: Session) -> None:
        # A broker that was restarted may have lost what it retained, and what we were sending when
        # the connection broke is off the list already: so send every queue again.
        self._changed.update(dict.fromkeys(sorted(self._known)))
        self._new_states.update(dict.fromkeys(sorted(self._states)))
        await session.say(self._availability, "online", retain=True)
        self._backoff.reset()
        while True:
            self._work.clear()
            await self._send_replies(session)
            await self._send_cases(session)
            await self._send_decisions(session)
            await self._send_others(session)
            await self._wait(await self._send_due(session))

    async def _send_replies(self, session: Session) -> None:
        while self._replies:
            reply = name, text = self._replies[0]
            topic = f"{self._config.topic_prefix}/reply/{name}"
            await session.say(topic, text, retain=False)
            # As with cases.
            if self._replies and self._replies[0] is reply:
                self._replies.popleft()
        self._is_drop_logged = False

    async def _send_cases(self, session: Session) -> None:
        while self._cases:
            case = self._cases[0]
            is_change = isinstance(case, CaseChanged)
            topic = f"{self._root}/case/changed" if is_change else f"{self._root}/case"
            await session.say(topic, case_json(case), retain=False)
            # The oldest may have been dropped for a newer one while we waited for the broker.
            if self._cases and self._cases[0] is case:
                self._cases.popleft()

    async def _send_decisions(self, session: Session) -> None:
        """Send some; then it is a status's turn, which many decisions must not hold up."""
        for _ in range(DECISIONS_PER_TURN):
            if not self._decisions:
                return
            decision = self._decisions[0]
            topic = f"{self._root}/decision"
            await session.say(topic, decision_json(decision), retain=False)
            # As with cases.
            if self._decisions and self._decisions[0] is decision:
                self._decisions.popleft()
        if self._decisions:
            self._work.set()

    async def _send_others(self, session: Session) -> None:
        prefix = self._config.topic_prefix
        for topic in tuple(self._new_states):
            del self._new_states[topic]
            await session.say(f"{prefix}/{topic}", self._states[topic], retain=True)

    async def _listen(self, session: Session) -> None:
        """Take commands in, and raise when the connection is lost."""
        topic = f"{self._config.topic_prefix}/command"
        if self.take is not None:
            await session.subscribe(topic)
        async for word in session.heard():
            # Retained: asked at some time, by somebody who does not know of us now.
            if word.is_retained or word.topic != topic or self._commands.full():
                self.dropped += not word.is_retained
                continue
            self._commands.put_nowait(word.payload)

    async def _obey(self, take: Take) -> None:
        """Carry out commands in turn, and let each be answered; also what came before a loss."""
        while True:
            answer = await take(await self._commands.get())
            if answer is not None:
                self._keep_reply(answer)

    def _keep_reply(self, reply: tuple[str, str]) -> None:
        if len(self._replies) >= REPLIES_MAX:
            self._replies.popleft()
            self.dropped += 1
            if not self._is_drop_logged:
                log.warning("replies_dropped", asterisk=self._system, kept=REPLIES_MAX)
            self._is_drop_logged = True
        self._replies.append(reply)
        self._work.set()

    async def _send_due(self, session: Session) -> float | None:
        """Send each changed status whose interval is over.

        Returns:
            Seconds until the next one is due; None when none waits.
        """
        loop = asyncio.get_running_loop()
        for queue in tuple(self._changed):
            if loop.time() < self._due_at(queue):
                continue
            # Taken off before it is read: a change while we send is then a change to send again.
            del self._changed[queue]
            self._sent_at[queue] = loop.time()
            payload = self._status(self._system, queue)
            if payload is not None:
                topic = f"{self._root}/queue/{topic_level(queue)}/status"
                await session.say(topic, payload, retain=True)
        if not self._changed:
            return None
        return max(0.0, min(self._due_at(queue) for queue in self._changed) - loop.time())

    def _due_at(self, queue: QueueName) -> float:
        sent_at = self._sent_at.get(queue)
        return 0.0 if sent_at is None else sent_at + STATUS_INTERVAL_S

    async def _wait(self, seconds: float | None) -> None:
        """Wait for work, or until a held-back status is due."""
        try:
            async with asyncio.timeout(seconds):
                await self._work.wait()
        except TimeoutError:
            return

    def _note_connection(self) -> None:
        self.is_connected = True
        self._is_loss_logged = False
        log.info("broker_reached", asterisk=self._system, waiting=self.depth)

    def _note_loss(self, errors: BaseExceptionGroup) -> None:
        first = _first_leaf(errors)
        is_refused = is_refusal(first)
        if is_refused:
            self._backoff.slow_down()
        if not self._is_loss_logged:
            log.warning(
                "broker_lost", asterisk=self._system, reason=str(first), is_refused=is_refused
            )
        self._is_loss_logged = True


def _first_leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
