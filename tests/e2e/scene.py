"""One scenario in a running municipality: its callers, its recording, and what came of it.

A scene watches the PBX by an AMI connection of its own, the same events that ivrd gets, and so
waits for what happened there, never for time. The raw bytes are kept: at its end each scene checks
that what ivrd stored is what a replay of the recording gives, and that Asterisk's journal agrees.
"""

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import TypeVar

from pydantic import SecretStr

from ivrd import config as ivrd_config
from ivrd.ami import record
from ivrd.ami.actions import PING
from ivrd.ami.client import AmiClient
from ivrd.clock import AsteriskClock
from ivrd.core.events import (
    AgentConnected,
    AgentRang,
    CallArrived,
    CallerJoined,
    ChannelHungUp,
    ChoiceMade,
    Event,
)
from ivrd.core.ids import CallId, ChannelId
from ivrd.db.facts import CallFacts
from ivrd.errors import PeerError
from tests.e2e import shelf
from tests.e2e.replaying import as_json, replayed, rounded
from tests.lab.floor_plan import LINE_NUMBER, PATIENT_NUMBER
from tests.lab.municipality import Municipality
from tests.lab.phone import Call, CallOver, Phone
from tests.lab.processes import LabError

STORED_S_MAX = 40.0
"""Grace of 2 s after the hang-up, then one transaction; a busy machine takes its time."""

EVENT_S_MAX = 30.0
"""All that is waited for happens within seconds; only a machine that stands still takes longer."""

ROUNDS_MAX = 5
"""So often is measured how soon something happens: a machine that stands still delays one round,
and what is wrong delays each."""

PRESS_AGAIN_S = 0.3
"""So long a citizen waits for what a key leads to, then presses it again.

With ivrd, Asterisk drops a key that comes while AGI has no command (res_agi.c, run_agi): an ivrd
that stands still for a moment before its first one has not heard it.
"""

PACKETS_PER_S = 50

E = TypeVar("E")


class Watch:
    """Everything the PBX told since it began."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.events: list[Event] = []
        self._news = asyncio.Event()

    def take(self, event: Event) -> None:
        """Keep one event."""
        self.events.append(event)
        self._news.set()

    async def first(
        self,
        kind: type[E] | UnionType,
        condition: Callable[[E], bool] = lambda event: True,
        *,
        start: int = 0,
        within_s: float = EVENT_S_MAX,
    ) -> E:
        """Return the first event of a kind that fits, once there is one.

        Raises:
            LabError: It did not come in time.
        """
        try:
            async with asyncio.timeout(within_s):
                while True:
                    for event in itertools.islice(self.events, start, None):
                        if isinstance(event, kind) and condition(event):
                            return event
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            told = "\n".join(str(event) for event in self.events[-15:])
            raise LabError(
                f"no such {getattr(kind, '__name__', kind)} within {within_s} s; last:\n{told}"
            ) from None


@dataclass(slots=True, eq=False)
class Caller:
    """One citizen on the line."""

    watch: Watch
    line: Call
    call_id: CallId
    number: str
    late_s: float = 0.0
    """How much more was heard than was to be, before an act; see way_in.py."""
    is_doubtful: bool = False
    """ivrd stood still while a key was pressed, so that Asterisk may have dropped a digit of it."""

    async def press(self, keys: str, how: str = "rfc4733") -> None:
        """Press keys."""
        await self.line.press(keys, how)

    async def joined(self, queue: str, *, within_s: float = EVENT_S_MAX) -> CallerJoined:
        """Wait until the caller has entered a queue."""
        return await self.watch.first(
            CallerJoined,
            lambda e: e.call_id == self.call_id and e.queue == queue,
            within_s=within_s,
        )

    async def joined_since(self, queue: str, start: int) -> CallerJoined:
        """Wait until the caller has entered a queue, after so many events of the watch."""
        return await self.watch.first(
            CallerJoined, lambda e: e.call_id == self.call_id and e.queue == queue, start=start
        )

    async def joined_again(self, queue: str) -> CallerJoined:
        """Wait until the caller has entered the same queue for the second time."""
        first = await self.joined(queue)
        return await self.joined_since(queue, self.watch.events.index(first) + 1)

    async def rang(self, queue: str) -> AgentRang:
        """Wait until a phone rings for the caller."""
        return await self.watch.first(
            AgentRang, lambda e: e.call_id == self.call_id and e.queue == queue
        )

    async def talking(self, queue: str, *, within_s: float = EVENT_S_MAX) -> AgentConnected:
        """Wait until an agent has answered the caller."""
        return await self.watch.first(
            AgentConnected,
            lambda e: e.call_id == self.call_id and e.queue == queue,
            within_s=within_s,
        )

    async def hears(self, seconds: float) -> None:
        """Wait until the caller has heard so much more than until now; silence is not sent."""
        packets = self.line.media.heard.packets + int(seconds * PACKETS_PER_S)
        await self.line.heard(packets, timeout_s=EVENT_S_MAX)

    async def hang_up(self) -> None:
        """Give up."""
        await self.line.hang_up()

    async def gone(self, *, within_s: float = EVENT_S_MAX) -> None:
        """Wait until the PBX has no channel of the caller any more."""
        await self.watch.first(
            ChannelHungUp, lambda e: e.channel_id == ChannelId(self.call_id), within_s=within_s
        )


class Scene:
    """See the module; use `scene`."""

    def __init__(self, town: Municipality, citizens: Phone, path: Path) -> None:
        """Only describes it."""
        self.town = town
        self.citizens = citizens
        self.path = path
        self.watch = Watch()
        self.log_start = town.daemon_log.stat().st_size if town.daemon_log.exists() else 0
        """So long was the daemon's log when the scene began."""
        self.callers: list[Caller] = []
        self.facts: dict[CallId, CallFacts] = {}

    async def ring(
        self, keys: str = "", *, how: str = "rfc4733", name: str = "", line: str = ""
    ) -> Caller:
        """Let a citizen dial a line's number, and press keys as soon as the call is in the menu.

        Without a number, it is the patient line for those who press keys, where a town has one.
        A single key is one that the menu takes, and is pressed until it has done so.
        """
        is_patient = keys and self.town.plan.patient_s is not None
        line = line or (PATIENT_NUMBER if is_patient else LINE_NUMBER)
        return await self.ring_as(next(_numbers), name=name, line=line, keys=keys, how=how)

    async def ring_as(
        self,
        number: str,
        *,
        name: str = "",
        is_only_one: bool = False,
        line: str = LINE_NUMBER,
        keys: str = "",
        how: str = "rfc4733",
    ) -> Caller:
        """Let a citizen dial with a number of the scenario's choice.

        Args:
            number: Any text, such as no number at all.
            name: Any text.
            is_only_one: Nobody else rings now, so whoever arrives is this caller, whatever the
                PBX made of the number.
            line: The number that is dialled.
            keys: What is pressed at once, whenever AMI tells of the call; as `ring` says.
            how: See `Call.press`.
        """
        start = len(self.watch.events)
        call = await self.town.ring(self.citizens, caller=number, name=name, number=line)
        await call.answered(EVENT_S_MAX)
        if keys:
            await call.press(keys, how)
        arrived = await self.watch.first(
            CallArrived, lambda e: is_only_one or e.caller_number == number, start=start
        )
        caller = Caller(watch=self.watch, line=call, call_id=arrived.call_id, number=number)
        self.callers.append(caller)
        if len(keys) == 1:
            await self.press_until_chosen(caller, keys, how=how)
        return caller

    async def press_until_chosen(
        self,
        caller: Caller,
        key: str,
        *,
        how: str = "rfc4733",
        start: int = 0,
        again_s: float = PRESS_AGAIN_S,
    ) -> None:
        """Press a key again, now and then, until the PBX has told of a choice, or of the end.

        Args:
            caller: Who has pressed it once.
            key: A key that the menu takes.
            how: See `Call.press`.
            start: How many events the watch had before.
            again_s: Longer than the menu waits for more digits, where it does.
        """

        def is_over(event: ChoiceMade | ChannelHungUp) -> bool:
            if isinstance(event, ChoiceMade):
                return event.call_id == caller.call_id
            return event.channel_id == ChannelId(caller.call_id)

        deadline = time.monotonic() + EVENT_S_MAX
        while True:
            try:
                await self.watch.first(
                    ChoiceMade | ChannelHungUp, is_over, start=start, within_s=again_s
                )
            except LabError:
                if time.monotonic() > deadline:
                    raise
            else:
                return
            with contextlib.suppress(CallOver):  # The PBX may have ended it meanwhile.
                await caller.press(key, how)

    def of(self, caller: Caller) -> CallFacts:
        """Return what ivrd stored of a caller; after the scene."""
        return self.facts[caller.call_id]

    def told(self, caller: Caller) -> str:
        """Return what ivrd stored of a caller, as one line; after the scene."""
        return tell(self.of(caller), self._choice(caller))

    def _choice(self, caller: Caller) -> ChoiceMade | None:
        made = [e for e in self.watch.events if isinstance(e, ChoiceMade)]
        return next((e for e in reversed(made) if e.call_id == caller.call_id), None)

    async def hang_up_all(self) -> None:
        """End every call that is left, and wait until the PBX has none of them."""
        for caller in self.callers:
            if caller.line.is_live:
                await caller.hang_up()
        for caller in self.callers:
            await caller.gone()

    async def collect(self) -> None:
        """Wait until ivrd has stored every caller of the scene."""
        wanted = {caller.call_id for caller in self.callers}

        async def are_stored() -> bool:
            self.facts = {facts.call_id: facts for facts in await self.town.facts()}
            return wanted <= set(self.facts)

        await self.town.until(are_stored, what=f"{wanted} are stored", within_s=STORED_S_MAX)


def tell(facts: CallFacts, choice: ChoiceMade | None) -> str:
    """Return one call as a line: choice | stays | outcome | case."""
    parts = ["-" if facts.choice is None else f"{choice.outcome if choice else '?'} {facts.choice}"]
    if facts.choice is not None:
        parts[0] += f" by {facts.digit}" * (facts.digit is not None)
        parts[0] += f" after {facts.tries} wrong" * (facts.tries > 0)
        parts[0] += " (static)" * facts.is_static_menu
    for entry in facts.entries:
        by = f" by {entry.agent}" if entry.agent else ""
        parts.append(f"{entry.queue} {entry.disposition.value}{by}")
    parts.append(facts.outcome.value)
    parts += [f"case for {case.agent}" for case in facts.cases]
    return " | ".join(parts)


@contextlib.asynccontextmanager
async def scene(
    town: Municipality,
    name: str | None = None,
    *,
    is_orderly: bool = True,
) -> AsyncIterator[Scene]:
    """Play a scenario, then check what ivrd made of it.

    Args:
        town: Where.
        name: What its recording is called under tests/replay/logs; None keeps none.
        is_orderly: ivrd sees all of it: replay, journal and log are checked at the end.
    """
    number = next(_scene_numbers)
    path = town.directory / f"scene-{number}.ami"
    async with Phone("citizens", is_recording=town.plan.prompts) as citizens:
        played = Scene(town, citizens, path)
        async with recording(town, path, played.watch):
            yield played
            await played.hang_up_all()
            if is_orderly:
                await played.collect()
        if is_orderly:
            check_replay_of(path, played)
            await check_in_order(played)
    if name is not None:
        shelf.put(path, name, town)


@contextlib.asynccontextmanager
async def recording(
    town: Municipality, path: Path, watch: Watch, *, is_unfiltered: bool = False
) -> AsyncIterator[AmiClient]:
    """Record what ivrd's own AMI user is told, from a snapshot on.

    Args:
        town: Where.
        path: The recording, which must not exist.
        watch: Takes the events as well.
        is_unfiltered: Record what the lab's own user is told: everything.
    """
    settings = ivrd_config.load(town.config_path).pbx[0]
    settings = settings.model_copy(update={"port": town.pbx.ami_port})  # Not by a wire.
    if is_unfiltered:
        user = {"username": town.pbx.lab_user, "secret": SecretStr(town.pbx.lab_secret)}
        settings = settings.model_copy(update=user)
    with record.Recorder(path) as recorder:
        client = AmiClient(
            settings, watch.take, AsteriskClock(), tap=recorder.tap, is_observer=True
        )
        task = asyncio.create_task(client.run(), name="scene-recorder")
        try:

            async def is_connected() -> bool:
                return client.is_connected

            await town.until(is_connected, what="the recorder is connected")
            yield client
            # A session's own thread writes its events before this answer, however late it is.
            with contextlib.suppress(PeerError):
                await client.ask(PING)
        finally:
            task.cancel()
            await asyncio.wait([task])


def check_replay_of(recording: Path, played: Scene) -> None:
    """See that what ivrd stored of each call is what a replay of a recording gives."""
    calls = replayed(recording, played.town.config_path)
    assert {call["call_id"] for call in calls} == {caller.call_id for caller in played.callers}
    for call in calls:
        facts = played.facts[CallId(str(call["call_id"]))]
        assert as_json(facts) == rounded(call)


async def check_in_order(played: Scene) -> None:
    """See that journal and ivrd agree, and that nothing in ivrd went wrong."""
    town = played.town
    calls = {caller.call_id for caller in played.callers}
    assert await town.differing(list(played.facts.values()), calls=calls) == []
    assert troubles(town, since=played.log_start) == []
    figures = await metrics(town)
    for name in ("ivrd_events_unexpected_total", "ivrd_events_failed_total"):
        assert {series: value for series, value in figures.items() if series.startswith(name)} == {}
    assert figures['ivrd_ami_events_refused_total{system="pbx1"}'] == 0
    assert figures['ivrd_ami_events_failed_total{system="pbx1"}'] == 0


def troubles(town: Municipality, *, since: int = 0) -> list[str]:
    """Return the daemon's log lines that an ordinary run must not have.

    Args:
        town: Whose.
        since: Bytes of the log to pass over.
    """
    lines = town.daemon_log.read_bytes()[since:].decode().splitlines()
    return [line for line in lines if _is_trouble(line)]


def _is_trouble(line: str) -> bool:
    if not line.startswith("{"):
        return True
    entry = json.loads(line)
    is_expected = entry["event"] == "prompt_missing"  # Most towns have no sounds.
    return "exception" in entry or (entry["level"] != "info" and not is_expected)


async def metrics(town: Municipality) -> dict[str, float]:
    """Return /metrics by series, as it is written there."""
    lines = (await town.metrics()).splitlines()
    return {
        series: float(value)
        for line in lines
        if line and not line.startswith("#")
        for series, _, value in [line.rpartition(" ")]
    }


async def until_true(
    condition: Callable[[], bool], *, what: str, within_s: float = EVENT_S_MAX
) -> None:
    """Wait for a condition that is at hand."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"not within {within_s} s: {what}")
        await asyncio.sleep(0.02)


def _fiction() -> Iterator[str]:
    """Yield caller numbers of the series for fiction, again and again."""
    while True:
        yield from (f"07017406{last:02d}" for last in range(5, 100))


_numbers = _fiction()
_scene_numbers = itertools.count(1)
