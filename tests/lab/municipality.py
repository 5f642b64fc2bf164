"""A whole municipality on loopback: a PBX, ivrd beside it as a process, and everybody's phones.

Used alike by `./run demo`, the end-to-end tests and `./run bench`. Everything is ended by the id of
what was started, also after a failure.
"""

import asyncio
import contextlib
import json
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from ivrd import config as ivrd_config
from ivrd import dialplan, rules
from ivrd.ami.filters import asterisk_version, event_filter_lines
from ivrd.core.ids import CallId, SystemName
from ivrd.core.journal_story import Story, stories_of_journal
from ivrd.core.reconcile import Difference, differences
from ivrd.db.connection import open_engine
from ivrd.db.facts import CallFacts, facts_of
from ivrd.labels import label_tree
from ivrd.privacy.sealing import new_key_line
from ivrd.reconciliation import History, story_of
from ivrd.rendering import dialplan_files, pauses_members
from tests.lab import floor_plan
from tests.lab.directories import instance_directory, keep_logs, temporary_parent
from tests.lab.floor_plan import LINE_NUMBER, Desk, FloorPlan
from tests.lab.pbx import Agent, Pbx, PbxPlan
from tests.lab.phone import Call, Phone
from tests.lab.ports import LOOPBACK, reserve_port
from tests.lab.processes import Child, LabError
from tests.lab.prompts import install_sheet
from tests.lab.root import Asterisk, find_asterisk
from tests.lab.warm import start_ivrd
from tests.lab.wire import Wire

SYSTEM = SystemName("pbx1")

READY_S_MAX = 60.0
"""Measured 1.5 s; the machine may be busy with other tests: at load 20 it took over 20 s."""

STOP_S_MAX = 60.0

WAIT_S_MAX = 30.0
"""For what happens within seconds; only a machine that stands still takes longer."""

POLL_S = 0.05

ONE_REQUEST = httpx.Limits(max_keepalive_connections=0)
"""A connection for each request: one that is kept is closed by ivrd after some seconds, and when
ivrd stands still just then, the next request may have gone into it."""

REPOSITORY = Path(__file__).resolve().parents[2]


class Municipality:
    """One running municipality; use `start`."""

    def __init__(
        self,
        *,
        plan: FloorPlan,
        pbx: Pbx,
        phones: dict[str, Phone],
        directory: Path,
        web_port: int,
    ) -> None:
        """Only describes it."""
        self.plan = plan
        self.pbx = pbx
        self.phones = phones
        self.directory = directory
        self.web = f"http://{LOOPBACK}:{web_port}"
        self.daemon: Child | None = None
        self.wire: Wire | None = None
        """Between ivrd and AMI, to be cut; None unless the plan has one."""
        self._http = httpx.AsyncClient(base_url=self.web, timeout=WAIT_S_MAX, limits=ONE_REQUEST)

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls, plan: FloorPlan, *, with_daemon: bool = True
    ) -> "AsyncIterator[Municipality]":
        """Run everything until the body ends, in whatever way it ends."""
        async with contextlib.AsyncExitStack() as stack:
            directory = stack.enter_context(instance_directory(temporary_parent()))
            ports = [reserve_port() for _ in range(2)]
            for port in ports:
                stack.callback(port.release)
            phones = await _open_phones(plan, stack)
            secret = secrets.token_urlsafe(18)
            (directory / "ami-secret").write_text(secret + "\n", encoding="utf-8")
            agi_port, web_port = (port.first for port in ports)
            texts = f'state_directory = "{directory / "state"}"\n' + floor_plan.ivrd_toml(
                plan,
                # Rendering needs a port, which the PBX chooses only when it starts.
                ami_port=1,
                agi_port=agi_port,
                web_port=web_port,
                sqlite=str(directory / "ivrd.sqlite"),
            )
            texts += _privacy_of(texts, directory)
            (directory / "prompts.toml").write_text(plan.sheet, encoding="utf-8")
            (directory / "ivrd.toml").write_text(texts, encoding="utf-8")
            settings = ivrd_config.load(directory / "ivrd.toml")
            asterisk = await find_asterisk()
            pbx = await stack.enter_async_context(
                Pbx.start(
                    _pbx_plan(plan, settings, phones, secret=secret, asterisk=asterisk),
                    asterisk=asterisk,
                )
            )
            wire = None
            if plan.has_wire:
                wire = await stack.enter_async_context(Wire.to(pbx.ami_port))
            ami_port = wire.port if wire else pbx.ami_port
            known = f'port = {ami_port}\nqueue_log_file = "{pbx.queue_log}"\n'
            texts = texts.replace("port = 1\n", known, 1)
            (directory / "ivrd.toml").write_text(texts, encoding="utf-8")
            if plan.prompts:
                assert settings.sheet is not None, "a lab has a prompt sheet"
                await install_sheet(settings.sheet, pbx.sounds_dir)
            town = cls(plan=plan, pbx=pbx, phones=phones, directory=directory, web_port=web_port)
            town.wire = wire
            stack.push_async_callback(town._close)
            try:
                if with_daemon:
                    await town.start_daemon()
                yield town
            except Exception:
                keep_logs(directory, name="ivrd")
                raise

    # The daemon.

    @property
    def config_path(self) -> Path:
        """The daemon's configuration."""
        return self.directory / "ivrd.toml"

    @property
    def daemon_log(self) -> Path:
        """What the daemon wrote, over all its lives."""
        return self.directory / "ivrd.log"

    async def start_daemon(self, *, is_ready: bool = True) -> None:
        """Start ivrd, and wait until it says that it is ready."""
        words = ["run", "--config", self.config_path]
        self.daemon = await start_ivrd(words, log_path=self.daemon_log)
        if is_ready:
            await self.until(self.is_ready, what="ivrd is ready", within_s=READY_S_MAX)

    async def kill_daemon(self) -> None:
        """End ivrd as a crash would."""
        assert self.daemon is not None, "there is a daemon to kill"
        await self.daemon.stop(steps=((signal.SIGKILL, STOP_S_MAX),))
        self.daemon = None

    async def stop_daemon(self) -> int:
        """End ivrd as systemd would, and return its exit status."""
        daemon, self.daemon = self.daemon, None
        assert daemon is not None, "there is a daemon to stop"
        daemon.send_signal(signal.SIGTERM)
        try:
            return await daemon.wait(within_s=STOP_S_MAX)
        except LabError:
            await daemon.stop()
            raise

    async def is_ready(self) -> bool:
        """Return whether ivrd says that it does its work."""
        if self.daemon is not None and self.daemon.returncode is not None:
            raise LabError(f"ivrd ended by itself:\n{self.daemon.log_tail()}")
        try:
            return (await self._http.get("/readyz")).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    async def queue_status(self, queue: str) -> dict[str, object]:
        """Return what the API tells of one queue."""
        answer = await self._http.get(f"/api/queues/{SYSTEM}/{queue}")
        answer.raise_for_status()
        status: dict[str, object] = answer.json()
        return status

    async def queue_statuses(self) -> list[dict[str, object]]:
        """Return what the API tells of every queue."""
        answer = await self._http.get("/api/queues")
        answer.raise_for_status()
        statuses: list[dict[str, object]] = answer.json()["queues"]
        return statuses

    async def metrics(self) -> str:
        """Return the whole of /metrics."""
        answer = await self._http.get("/metrics")
        answer.raise_for_status()
        return answer.text

    # People.

    async def ring(
        self, citizen: Phone, *, caller: str, name: str | None = None, number: str = LINE_NUMBER
    ) -> Call:
        """Let a citizen dial the municipality."""
        proxy = (LOOPBACK, self.pbx.sip_port)
        return await citizen.dial(proxy, number, caller=caller, caller_name=name)

    # Truth.

    async def facts(self) -> list[CallFacts]:
        """Return every stored call."""
        settings = ivrd_config.load(self.config_path)
        engine = open_engine(settings.database)
        since = self.pbx.now() - timedelta(days=1)
        until = self.pbx.now() + timedelta(days=1)
        try:
            return [
                call async for call in facts_of(engine, system=SYSTEM, since=since, until=until)
            ]
        finally:
            await engine.dispose()

    async def wait_for_calls(self, count: int, *, within_s: float = 60.0) -> list[CallFacts]:
        """Return the stored calls, once there are so many."""
        found: list[CallFacts] = []

        async def are_there() -> bool:
            found[:] = await self.facts()
            return len(found) >= count

        await self.until(are_there, what=f"{count} calls are stored", within_s=within_s)
        return found

    def journal(self) -> dict[CallId, Story]:
        """Return what Asterisk's own queue_log tells of each call."""
        history = History(self.pbx.queue_log, system=SYSTEM)
        rows = history.rows(since=datetime.min.replace(tzinfo=UTC), until=self.pbx.now())
        queues = rules.floor_rules(ivrd_config.load(self.config_path)).queues
        return stories_of_journal(rows, roles={name: each.role for name, each in queues.items()})

    def unreconciled(self, facts: list[CallFacts]) -> tuple[Difference, ...]:
        """Return each call that ivrd and queue_log tell differently."""
        return differences({call.call_id: story_of(call) for call in facts}, self.journal())

    async def differing(
        self, facts: list[CallFacts], *, calls: Collection[CallId] | None = None
    ) -> list[Difference]:
        """Return each call that is told differently, once queue_log holds what it will hold.

        A thread of Asterisk's own writes queue_log, some time after AMI has told of the same.

        Args:
            facts: What ivrd has stored.
            calls: Only these; None for all.
        """
        found: list[Difference] = []

        async def none_is() -> bool:
            found[:] = [
                each for each in self.unreconciled(facts) if calls is None or each.call_id in calls
            ]
            return not found

        with contextlib.suppress(LabError):
            await self.until(none_is, what="queue_log tells the same")
        return found

    async def reconcile(self) -> dict[str, object]:
        """Return the summary of `ivrd reconcile`, the command, over the last day.

        Raises:
            LabError: It could not be done.
        """
        now = self.pbx.now()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ivrd", "reconcile", "--json", "-c", self.config_path,
            "--from", (now - timedelta(days=1)).isoformat(), "--to", now.isoformat(),
            cwd=REPOSITORY,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, faults = await asyncio.wait_for(process.communicate(), READY_S_MAX)
        lines = output.splitlines()
        if not lines:
            raise LabError(f"ivrd reconcile says nothing but {faults.decode()}")
        summary: dict[str, object] = json.loads(lines[-1])
        return summary

    async def until(
        self, condition: Callable[[], Awaitable[bool]], *, what: str, within_s: float = WAIT_S_MAX
    ) -> None:
        """Wait for a condition.

        Raises:
            LabError: It took longer.
        """
        deadline = time.monotonic() + within_s
        while not await condition():
            if time.monotonic() > deadline:
                raise LabError(f"not within {within_s} s: {what}; ivrd says:\n{self._tail()}")
            await asyncio.sleep(POLL_S)

    async def waiting(self, queue: str, count: int, *, within_s: float = WAIT_S_MAX) -> None:
        """Wait until ivrd says that so many wait in a queue."""

        async def is_so() -> bool:
            return (await self.queue_status(queue))["waiting"] == count

        await self.until(is_so, what=f"{count} wait in {queue}", within_s=within_s)

    def _tail(self) -> str:
        if not self.daemon_log.exists():
            return "(nothing)"
        return "\n".join(self.daemon_log.read_text(errors="replace").splitlines()[-30:])

    async def _close(self) -> None:
        await self._http.aclose()
        if self.daemon is not None:
            await self.daemon.stop()


async def _open_phones(plan: FloorPlan, stack: contextlib.AsyncExitStack) -> dict[str, Phone]:
    """Open every agent's and department's phone; an agent takes one call at a time."""
    phones = {}
    for desk in plan.desks:
        phone = Phone(desk.name, answer_policy=desk.answer, talk=desk.talk)
        phones[desk.name] = await stack.enter_async_context(phone)
    for department in plan.departments:
        name = f"department-{department.number}"
        phone = Phone(name, answer_policy=department.answer, talk=department.talk)
        phones[name] = await stack.enter_async_context(phone)
    return phones


def _privacy_of(texts: str, directory: Path) -> str:
    """Make a key for callers' numbers, and return the section that names it, unless a plan has."""
    key = directory / "privacy-key"
    key.touch(mode=0o600)
    key.write_text(new_key_line(datetime.now(UTC)) + "\n", encoding="ascii")
    return "" if "[privacy]" in texts else '\n[privacy]\nkey_file = "privacy-key"\n'


def _pbx_plan(
    plan: FloorPlan,
    settings: ivrd_config.Config,
    phones: dict[str, Phone],
    *,
    secret: str,
    asterisk: Asterisk,
) -> PbxPlan:
    files = dialplan_files(settings, first_year=(plan.starts_at or datetime.now(UTC)).year)
    manager = dialplan.render_manager(
        settings.pbx[0], event_filters=_filters(asterisk), pauses_members=pauses_members(settings)
    )
    return PbxPlan(
        system_name=SYSTEM,
        manager_text=f"{manager}secret = {secret}\n",
        dialplan={
            "site.conf": floor_plan.site_dialplan(plan),
            "ivrd/ivrd.conf": files["ivrd.conf"],
        },
        queues_text=dialplan.render_queues(settings.queues) + floor_plan.queues_conf(plan),
        more_files={
            "features.conf": floor_plan.features_conf(plan),
            "ivrd-features.conf": dialplan.render_features(
                label_tree(settings.department), settings.labels
            ),
            **{f"ivrd/{name}": text for name, text in files.items()},
        },
        log_verbose=plan.is_verbose,
        rtp_port_count=plan.rtp_port_count,
        starts_at=plan.starts_at,
        agents=tuple(
            Agent(name=phone.name, sip_port=phone.address[1]) for phone in phones.values()
        ),
    )


def _filters(asterisk: Asterisk) -> list[str]:
    version = asterisk_version(asterisk.version)
    assert version is not None, "a version is a version"
    return event_filter_lines(version)


def desks(count: int, queue: str, *, prefix: str, like: Desk) -> tuple[Desk, ...]:
    """Return so many desks of one kind, named prefix1, prefix2, ..."""
    return tuple(
        Desk(name=f"{prefix}{number}", queue=queue, answer=like.answer, talk=like.talk)
        for number in range(1, count + 1)
    )
