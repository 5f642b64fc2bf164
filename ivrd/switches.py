"""Carries out what people switch while calls go on, on every PBX; the one way for all who act.

Here: acts in, the state on the disk, each PBX brought to it and asked what it says itself, and the
audit. Not here: who is right (core/switches.py, core/switch_entries.py), and how an act comes in
(control.py; later API and MQTT).

How it is used
    board = SwitchBoard(...)                      reads the file
    AmiClient(..., keep_database=partial(board.keep, system))
    result = await board.act(act, by, seen=...)   from wherever somebody acts
Everything happens on one event loop. An act is decided without waiting, so two never mix; then it
waits a little for the PBXs, to say what came of it. A PBX that is away, or does not let us, gets it
later, and the act counts all the same.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, assert_never

import structlog

from ivrd.audit import Audit
from ivrd.core.ids import SystemName
from ivrd.core.switch_entries import (
    Adopt,
    Entry,
    Held,
    Keep,
    Write,
    act_entry,
    decide,
    entries_of,
    value_entry,
)
from ivrd.core.switches import (
    WORDS,
    Act,
    Actor,
    ActOutcome,
    Conflict,
    LineForced,
    Names,
    NoticeOn,
    Origin,
    RuleSet,
    Setting,
    Stand,
    Switch,
    SwitchKind,
    SwitchState,
    Version,
    faults,
    switch_of,
    take,
    undo_of,
    word_of,
)
from ivrd.errors import PeerRefused
from ivrd.switch_file import SwitchFile

CONFIRM_S_MAX = 6.0
"""An act waits so long for the PBXs that are there: a little more than one AMI action may take."""

LOOK_S = 60.0
"""How often each PBX is asked what it holds: so late do we learn what was written by hand."""

END_SLACK_S = 1.0
"""What has ended is tidied away so much later; the dialplan has passed over it since the end."""

ACTS_AT_ONCE_MAX = 100
"""Acts that wait for PBXs; more at once is no person."""

CONFIGURATION = "configuration"

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Database(Protocol):
    """Asterisk's own database; "" is no entry. `PeerRefused`: it does not let us."""

    async def get(self, family: str, key: str) -> str: ...
    async def put(self, family: str, key: str, text: str) -> None: ...
    async def delete(self, family: str, key: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """What came of a new configuration."""

    faults: tuple[str, ...] = ()
    """Why nothing was changed; empty when it is in use."""
    summary: str = ""


Reload = Callable[[], Awaitable[Reloaded]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActResult:
    """What came of an act, for whoever acted."""

    outcome: ActOutcome
    switch: Switch | None = None
    """None for a reload."""
    setting: Setting | None = None
    """What is set now; after a conflict what somebody else has set; None when nothing ever was."""
    faults: tuple[str, ...] = ()
    pending: Mapping[SystemName, str] = field(default_factory=dict)
    """Each PBX that has it not yet, and why."""
    summary: str = ""

    @property
    def is_taken(self) -> bool:
        """Whether what was wished for is so, or will be."""
        return self.outcome in (ActOutcome.DONE, ActOutcome.PENDING, ActOutcome.ALREADY)


@dataclass(slots=True)
class _Pbx:
    """One PBX, as far as switches go."""

    system: SystemName
    is_there: bool = False
    waiting: set[Switch] = field(default_factory=set)
    """Switches of which it has not got our setting yet."""
    refused: set[Switch] = field(default_factory=set)
    """Those of them that it would not take when last asked."""
    fault: str | None = None
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def why_waiting(self) -> str:
        """Return why it has not got everything."""
        if not self.is_there:
            return "not connected; it gets it when it is back"
        return self.fault or "has not answered yet"


class SwitchBoard:
    """What is switched, and the one way to switch it.

    Attributes:
        names: What the configuration knows; set anew by whoever reloads it.
        audit: Where every act is told of.
        faults: Times a PBX began to refuse, by system.
        rules_changed: Set when an overflow rule was switched: that is ours to obey, no PBX's.
    """

    def __init__(
        self,
        *,
        names: Names,
        systems: Sequence[SystemName],
        file: SwitchFile,
        now: Callable[[], datetime],
        audit: Audit,
        reload: Reload,
    ) -> None:
        """Read the file.

        Args:
            names: What can be switched.
            systems: Every PBX.
            file: Where the state is kept.
            now: The PBXs' time: it is their dialplan that compares.
            audit: Where every act is told of.
            reload: Takes the configuration anew.
        """
        self.names = names
        self.audit = audit
        self.faults: Counter[tuple[str, ...]] = Counter({(system,): 0 for system in systems})
        self.rules_changed = asyncio.Event()
        self._pbxes = {system: _Pbx(system) for system in systems}
        self._file = file
        self._now = now
        self._reload = reload
        self._state = file.load()
        self._progress = asyncio.Event()
        self._acting = 0
        self._reloading = asyncio.Lock()

    # What is so.

    def now(self) -> datetime:
        """Return the time by which settings end."""
        return self._now()

    @property
    def state(self) -> SwitchState:
        """Every switch that was ever set."""
        return self._state

    @property
    def file_failures(self) -> int:
        """Times that the file could not be written or read."""
        return self._file.failures + self._file.refused

    def waiting(self) -> Mapping[SystemName, int]:
        """Return how many switches each PBX has still to get."""
        return {system: len(pbx.waiting) for system, pbx in self._pbxes.items()}

    def troubles(self) -> list[str]:
        """Return a sentence for each PBX that does not let us switch."""
        return [
            f"PBX {pbx.system}: live switches: {pbx.fault}"
            for pbx in self._pbxes.values()
            if pbx.fault is not None
        ]

    def pending(self, switch: Switch) -> Mapping[SystemName, str]:
        """Return each PBX that has not got a switch's setting yet, and why."""
        return {
            system: pbx.why_waiting()
            for system, pbx in self._pbxes.items()
            if switch in pbx.waiting
        }

    def switches(self) -> Sequence[Switch]:
        """Return every switch there is: of the configuration, and what was set before it."""
        known = self.names.switches()
        return [*known, *(switch for switch in self._state.tracks if switch not in known)]

    # Acting.

    async def act(self, act: Act, by: Actor, *, seen: Version | None = None) -> ActResult:
        """Do what somebody wishes, and say what came of it.

        Args:
            act: The wish.
            by: Whose it is.
            seen: The version of the switch on which it was decided; None when it does not say.
        """
        switch = switch_of(act)
        now = self._now()
        wrong = faults(act, self.names, now=now)
        if wrong:
            return self._refuse(act, by, tuple(wrong))
        if self._acting >= ACTS_AT_ONCE_MAX:
            return self._refuse(act, by, ("too many acts at once; try again in some seconds",))
        result = take(self._state, act, by, now=now, seen=seen)
        if isinstance(result, Conflict):
            self._note(act, by, ActOutcome.CONFLICT)
            return ActResult(outcome=ActOutcome.CONFLICT, switch=switch, setting=result.setting)
        if not result.is_new:
            self._note(act, by, ActOutcome.ALREADY)
            return ActResult(
                outcome=ActOutcome.ALREADY,
                switch=switch,
                setting=result.setting,
                pending=self.pending(switch),
            )
        self._set(switch, result.state)
        try:
            await self._until_there(switch, result.setting)
        finally:
            # Also when we are cut off: it was taken, and the audit must know.
            pending = self.pending(switch)
            outcome = ActOutcome.PENDING if pending else ActOutcome.DONE
            self._note(act, by, outcome)
        return ActResult(outcome=outcome, switch=switch, setting=result.setting, pending=pending)

    async def undo(self, switch: Switch, by: Actor, *, seen: Version | None = None) -> ActResult:
        """Set what was set before the last act."""
        act = undo_of(self._state, switch, now=self._now())
        if act is None:
            wrong = self.names.fault(switch) or f"{switch} was never switched"
            return ActResult(outcome=ActOutcome.REFUSED, switch=switch, faults=(wrong,))
        return await self.act(act, by, seen=seen)

    async def reload(self, by: Actor) -> ActResult:
        """Take the configuration anew; one at a time, the second waits for the first."""
        async with self._reloading:
            done = await self._reload()
        outcome = ActOutcome.REFUSED if done.faults else ActOutcome.DONE
        reason = f"{len(done.faults)} faults" if done.faults else done.summary
        self.audit.note("reload", CONFIGURATION, by, outcome, reason=reason)
        return ActResult(outcome=outcome, faults=done.faults, summary=done.summary)

    # One PBX.

    async def keep(self, system: SystemName, database: Database) -> None:
        """Bring a PBX to what is so, and keep it there, until its connection ends.

        Raises:
            PeerError: The connection is in trouble; a refusal is not, and is tried again.
        """
        pbx = self._pbxes[system]
        pbx.is_there = True
        is_first = True
        try:
            while True:
                pbx.wake.clear()
                try:
                    if is_first or not pbx.waiting:
                        await self._look(pbx, database, is_first=is_first)
                        is_first = False
                    await self._push(pbx, database)
                except PeerRefused as error:
                    pbx.refused |= pbx.waiting
                    self._note_refusal(pbx, str(error))
                else:
                    self._note_health(pbx)
                self._progress.set()
                await self._pause(pbx)
        finally:
            pbx.is_there = False
            self._progress.set()

    async def _look(self, pbx: _Pbx, database: Database, *, is_first: bool) -> None:
        """Ask a PBX what it holds, and settle each difference.

        On a new connection all is settled by what the PBX holds, also what has waited for it; later
        on, what somebody has set meanwhile is only pushed: it is newer than what was read.
        """
        switches = [one for one in self.switches() if one.kind is not SwitchKind.RULE]
        if is_first and switches:
            # Harmless, and tells at once when the right to write is missing.
            await database.delete("ivrd-probe", "none")
        for switch in switches:
            before = self._state.setting(switch)
            held = Held(
                value=await _get(database, value_entry(switch)),
                act=await _get(database, act_entry(switch)),
            )
            setting = self._state.setting(switch)
            if setting is not before or (switch in pbx.waiting and not is_first):
                continue
            decision = decide(switch, setting, held, system=pbx.system, now=self._now())
            match decision:
                case Keep():
                    pbx.waiting.discard(switch)
                case Adopt():
                    self._adopt(switch, decision.setting, pbx)
                case Write():
                    if decision.is_unreadable:
                        log.error(
                            "switch_unreadable",
                            asterisk=pbx.system,
                            switch=str(switch),
                            value=held.value,
                        )
                    await self._write(pbx, database, switch, decision)
                case _:
                    assert_never(decision)

    async def _push(self, pbx: _Pbx, database: Database) -> None:
        """Give a PBX what it has not got yet, one after the other.

        Raises:
            PeerRefused: It would not take one of them, for whatever reason; so it is with all.
        """
        while missing := pbx.waiting - pbx.refused:
            switch = min(missing, key=str)
            setting = self._state.setting(switch)
            assert setting is not None, "what waits was set"
            await self._write(pbx, database, switch, entries_of(switch, setting, self._now()))

    async def _write(self, pbx: _Pbx, database: Database, switch: Switch, entries: Write) -> None:
        """Write both entries, the dialplan's first: half of it is then repaired, not misread."""
        setting = self._state.setting(switch)
        await _put(database, value_entry(switch), entries.value)
        await _put(database, act_entry(switch), entries.act)
        if self._state.setting(switch) is setting:
            pbx.waiting.discard(switch)
        pbx.refused.discard(switch)
        log.info(
            "switch_written",
            asterisk=pbx.system,
            switch=str(switch),
            value=entries.value or None,
            is_ended=not entries.value and setting is not None and setting.stand is not Stand.FREE,
        )
        self._progress.set()

    def _adopt(self, switch: Switch, setting: Setting, pbx: _Pbx) -> None:
        """Take over what a PBX holds; every PBX gets it, that one for its act entry."""
        self._set(switch, self._state.having(switch, setting))
        log.warning(
            "switch_adopted",
            asterisk=pbx.system,
            switch=str(switch),
            stand=setting.stand.value,
            until=_iso(setting.until),
            origin=setting.by.origin.value,
        )
        if setting.by.origin is Origin.HAND:
            self.audit.note(
                WORDS[switch.kind, setting.stand],
                str(switch),
                setting.by,
                ActOutcome.DONE,
                reason=setting.reason,
                until=setting.until,
            )

    async def _pause(self, pbx: _Pbx) -> None:
        """Wait for an act, the end of a setting, or the next look."""
        now = self._now()
        end = self._state.next_end(now)
        wait_s = LOOK_S
        if end is not None:
            wait_s = min(wait_s, (end - now).total_seconds() + END_SLACK_S)
        try:
            async with asyncio.timeout(wait_s):
                await pbx.wake.wait()
        except TimeoutError:
            # What was refused is tried again.
            pbx.refused.clear()

    # Inside.

    def _set(self, switch: Switch, state: SwitchState) -> None:
        self._state = state
        self._file.save(state)
        if switch.kind is SwitchKind.RULE:
            self.rules_changed.set()
            return
        for pbx in self._pbxes.values():
            pbx.waiting.add(switch)
            pbx.refused.discard(switch)
            pbx.wake.set()

    async def _until_there(self, switch: Switch, setting: Setting) -> None:
        """Wait until every PBX that is there has a setting, or would not take it, or for long."""
        self._acting += 1
        try:
            async with asyncio.timeout(CONFIRM_S_MAX):
                while self._state.setting(switch) is setting and any(
                    pbx.is_there and switch in pbx.waiting - pbx.refused
                    for pbx in self._pbxes.values()
                ):
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            return
        finally:
            self._acting -= 1

    def _note_refusal(self, pbx: _Pbx, reason: str) -> None:
        if pbx.fault is None:
            self.faults[(pbx.system,)] += 1
            log.error("switch_refused", asterisk=pbx.system, reason=reason)
        pbx.fault = reason

    def _note_health(self, pbx: _Pbx) -> None:
        if pbx.fault is not None:
            log.info("switch_accepted", asterisk=pbx.system)
        pbx.fault = None

    def _refuse(self, act: Act, by: Actor, wrong: tuple[str, ...]) -> ActResult:
        switch = switch_of(act)
        self.audit.refuse(word_of(act), str(switch), by, wrong)
        return ActResult(outcome=ActOutcome.REFUSED, switch=switch, faults=wrong)

    def _note(self, act: Act, by: Actor, outcome: ActOutcome) -> None:
        until = act.until if isinstance(act, NoticeOn | LineForced | RuleSet) else None
        subject = str(switch_of(act))
        self.audit.note(word_of(act), subject, by, outcome, reason=act.reason, until=until)


async def _get(database: Database, entry: Entry) -> str:
    return await database.get(entry.family, entry.key)


async def _put(database: Database, entry: Entry, text: str) -> None:
    if text:
        await database.put(entry.family, entry.key, text)
    else:
        await database.delete(entry.family, entry.key)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
