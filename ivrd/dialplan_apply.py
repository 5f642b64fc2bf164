"""Brings a rendered dialplan into a running Asterisk: checked before and after, or not at all.

Here: the order, and when to go back. Not here: rendering (rendering.py), the directory
(generations.py), what Asterisk is asked (ami/running_dialplan.py), what is kept for calls that are
still in it (dialplan/retiring.py), and what is printed (cli_dialplan.py).

The order
    1. Nothing is touched: Asterisk is there, lets us, and has what the dialplan needs.
    2. The directory is replaced as a whole, and Asterisk reads it.
    3. Each context, extension, step and include of the files is asked back. When something lacks,
       the directory before comes back, Asterisk reads it, and that is asked back too.
Two at once cannot be: the second is refused.
"""

import difflib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from ivrd.ami.errand import errand
from ivrd.ami.running_dialplan import RunningContext, RunningDialplan
from ivrd.config import Config, PbxConfig
from ivrd.core.targets import ToNumber
from ivrd.dialplan.reading import Context, Contexts, Step, contexts_of, differences
from ivrd.dialplan.retiring import RETIRED_FILE, plain, with_retired
from ivrd.dialplan.targets import NUMBERS, SITE_NUMBERS
from ivrd.errors import IvrdError, PeerError
from ivrd.generations import Generations

LABEL_MODULES = ("app_playtones",)
"""Where the tones of codes by telephone come from."""

Files = Mapping[str, str]

ZONE_PROBE = 1_814_443_200
"""Noon of 2027-07-01 by UTC: a zone that Asterisk's machine lacks gives UTC, from which summer time
differs all over Europe."""

FAULTS_MAX = 8
"""Told of one dialplan; the rest is a number."""


class NotApplied(IvrdError):
    """The dialplan was not brought into use; what was before is.

    Attributes:
        faults: Why, one sentence each.
        is_restored: Asterisk runs what it ran before, and this was asked back.
    """

    def __init__(self, faults: list[str], *, is_restored: bool, told: str) -> None:
        self.faults = faults
        self.is_restored = is_restored
        super().__init__("\n".join([*shortened(faults), told]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What came of it."""

    is_changed: bool
    """Asterisk runs another dialplan now than before."""
    contexts: int
    steps: int
    retired: int
    """Contexts that are kept, whole or in part, for calls that are still in them."""
    told: str
    """Which generation is in use now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What is to be brought into use, and what Asterisk must have for it."""

    files: Files
    zone: ZoneInfo | None = None
    """Whose wall clock hours are told by; None when that is not known any more."""
    rings_numbers: bool = False
    """A menu names a number, which the site's own context must ring."""
    queues: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    """More than every dialplan of ours needs."""


def aim_of(config: Config, files: Files) -> Aim:
    """Return what a configuration asks for."""
    targets = [
        *(choice for menu in config.menus for choice in menu.choices.values()),
        *(menu.stay_choice for menu in config.menus),
        *(menu.failure_choice for menu in config.menus),
        *(line.closed_choice for line in config.lines),
        *(key for queue in config.queues for key in queue.exit_keys.values()),
    ]
    return Aim(
        files=files,
        zone=ZoneInfo(config.time_zone),
        rings_numbers=any(one is not None and isinstance(one.target, ToNumber) for one in targets),
        queues=tuple(queue.name for queue in config.queues),
        modules=LABEL_MODULES if any(queue.labels_by_phone for queue in config.queues) else (),
    )


def diff(before: Files, after: Files) -> list[str]:
    """Return the unified diff of two sets of files; what is retired is left out."""
    old, new = plain(before), plain(after)
    lines: list[str] = []
    for name in sorted({*old, *new}):
        lines += difflib.unified_diff(
            old.get(name, "").splitlines(),
            new.get(name, "").splitlines(),
            fromfile=name if name in old else "/dev/null",
            tofile=name if name in new else "/dev/null",
            lineterm="",
        )
    return lines


class Applier:
    """Brings one directory and one PBX from one dialplan to another."""

    def __init__(
        self, generations: Generations, pbx: PbxConfig, *, note: Callable[[str], None]
    ) -> None:
        """Do nothing yet.

        Args:
            generations: The directory, locked by the caller.
            pbx: Whose dialplan it is.
            note: Takes a sentence that keeps nobody from going on.
        """
        self._generations = generations
        self._pbx = pbx
        self._note = note

    async def apply(self, aim: Aim, *, now: datetime, is_step_back: bool = False) -> Applied:
        """Bring a dialplan into use.

        Raises:
            NotApplied: It was not; what was before is in use.
            PeerError: Asterisk cannot be asked, and nothing was changed.
        """
        async with self._running() as running:
            await self._check(running, aim)
            before = self._generations.in_use()
            is_run = await self._compare_before(running, before)
            if plain(before) == aim.files:
                if not is_run and (faults := await self._take(running, before)):
                    told = "the files were right already, and are as they were"
                    raise NotApplied(faults, is_restored=False, told=told)
                return self._applied(before, is_changed=not is_run)
            files = self._with_retired(aim.files, before, now)
            self._generations.put(files, now=now)
            if faults := await self._take(running, files):
                raise await self._restored(running, faults, before)
            self._generations.confirm(is_step_back=is_step_back)
            return self._applied(files, is_changed=True)

    def _applied(self, files: Files, *, is_changed: bool) -> Applied:
        wanted = contexts_of(plain(files).values())
        return Applied(
            is_changed=is_changed,
            contexts=len(wanted),
            steps=sum(len(steps) for one in wanted.values() for steps in one.extensions.values()),
            retired=len(contexts_of([files.get(RETIRED_FILE, "")])),
            told=self._generations.told(),
        )

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[RunningDialplan]:
        user = f"AMI user {self._pbx.username!r} of {self._pbx.name}"
        async with errand(self._pbx) as request:
            running = RunningDialplan(request, user=user)
            await running.check_rights()
            yield running

    async def _check(self, running: RunningDialplan, aim: Aim) -> None:
        """See, before anything is changed, that Asterisk has what the dialplan needs."""
        faults = [
            f"Asterisk has not loaded {module}.so, which the dialplan needs"
            for module in await running.missing_modules(aim.modules)
        ]
        if aim.zone is not None:
            right = f"{datetime.fromtimestamp(ZONE_PROBE, aim.zone):%H%M}"
            told = await running.evaluate(f"STRFTIME({ZONE_PROBE},{aim.zone.key},%H%M)")
            if told != right:
                faults.append(
                    f"Asterisk's machine does not know the zone {aim.zone.key}: it says {told} "
                    f"where it is {right}; install tzdata there"
                )
        if aim.rings_numbers and await running.context(SITE_NUMBERS) is None:
            faults.append(
                f"a menu names a number, and [{SITE_NUMBERS}], which is to ring it, is not in "
                "extensions.conf"
            )
        if faults:
            raise NotApplied(faults, is_restored=True, told="nothing was changed")
        for queue in aim.queues:
            if await running.evaluate(f"QUEUE_EXISTS({queue})") == "0":
                self._note(f"Asterisk has no queue {queue}: put it into queues.conf")

    async def _compare_before(self, running: RunningDialplan, before: Files) -> bool:
        """Tell whether Asterisk runs what is in the directory; say when somebody forgot it."""
        try:
            wanted = contexts_of(before.values())
        except ValueError as error:
            self._note(f"the files of before were changed by hand: {error}")
            return False
        faults = differences(wanted, await _found(running, wanted))
        for fault in shortened(faults):
            self._note(f"before: {fault}")
        if faults:
            self._note("Asterisk did not run what its files said")
        return not faults

    def _with_retired(self, rendered: Files, before: Files, now: datetime) -> Files:
        try:
            return with_retired(rendered, before, now=now)
        except ValueError:
            self._note("so nothing of them is kept for calls that are still in them")
            return rendered

    async def _take(self, running: RunningDialplan, files: Files) -> list[str]:
        """Let Asterisk read the directory; return what of it is not there then."""
        try:
            await running.reload()
            wanted = contexts_of(files.values())
            return differences(wanted, await _found(running, wanted)) + await _lost(running, wanted)
        except PeerError as error:
            return [str(error)]

    async def _restored(
        self, running: RunningDialplan, faults: list[str], before: Files
    ) -> NotApplied:
        """Bring back what was before; return what is to be told."""
        was_there = self._generations.take_back()
        if all(fault.endswith("is not there") for fault in faults):
            faults = ["does extensions.conf say `#include ivrd/ivrd.conf`?", *faults]
        kept = "the files that were not taken are kept in ivrd.undone"
        try:
            again = await self._take(running, before) if was_there else []
        except ValueError:
            again = []
        if not was_there:
            told = f"there was no dialplan before, and there is none now; {kept}"
        elif again:
            told = "\n".join(
                [
                    *shortened(again),
                    f"the dialplan before is back in its directory; {kept}",
                    "Asterisk does not run it: look at its log, then `dialplan reload`",
                ]
            )
        else:
            told = f"the dialplan before is back, and Asterisk runs it; {kept}"
        return NotApplied(faults, is_restored=not again, told=told)


async def _found(running: RunningDialplan, wanted: Contexts) -> Contexts:
    return {name: _as_read(one) for name, one in (await running.contexts(wanted)).items()}


def _as_read(context: RunningContext) -> Context:
    return Context(
        extensions={
            number: tuple(
                Step(application=step.application, arguments=step.arguments, label=step.label)
                for step in steps
            )
            for number, steps in context.extensions.items()
        },
        includes=context.includes,
    )


async def _lost(running: RunningDialplan, wanted: Contexts) -> list[str]:
    """Return which contexts are included, and are not there; the site's numbers may be missing."""
    return [
        f"[{name}] includes [{included}], which is not there"
        for name, context in wanted.items()
        for included in context.includes
        if name != NUMBERS and await running.context(included) is None
    ]


def shortened(faults: list[str]) -> list[str]:
    """Return the first of many."""
    more = len(faults) - FAULTS_MAX
    return faults if more <= 0 else [*faults[:FAULTS_MAX], f"and {more} more"]
