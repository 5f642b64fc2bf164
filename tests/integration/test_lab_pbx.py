"""The lab's PBX: private, several at once, and gone at the end in whatever way it ends."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.pbx import CLI_S_MAX, STOP_NOW_S_MAX, Agent, Pbx, PbxPlan
from tests.lab.ports import LOOPBACK, reserve_port
from tests.lab.processes import POLL_S, STOP_STEPS, LabError, is_gone
from tests.lab.root import REPOSITORY, find_asterisk

END_S_MAX = 30.0 + CLI_S_MAX + STOP_NOW_S_MAX + sum(within_s for _, within_s in STOP_STEPS)
"""As long as all the steps of stopping a PBX may take, one after the other, on a busy machine."""

LOOPBACK_IN_PROC = "0100007F"
"""127.0.0.1, as /proc/net writes it on a little-endian machine."""

HOLDS_A_PBX = """
import asyncio
import signal
from tests.lab.pbx import Pbx

# A shell that runs the tests in the background lets all below it ignore SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)

async def main():
    async with Pbx.start() as pbx:
        print(pbx.pid, pbx.etc_dir, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


async def wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(END_S_MAX):
        while not condition():  # noqa: ASYNC110  # Another process's end cannot be an event here.
            await asyncio.sleep(POLL_S)


def open_file(link: Path) -> str:
    """Return what a descriptor leads to; empty when it was closed since it was listed."""
    try:
        return os.readlink(link)
    except FileNotFoundError:
        return ""


def bound_addresses(pid: int, protocol: str) -> set[str]:
    """Return `address:port` of the process's IP sockets, as the kernel writes it."""
    names = [open_file(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
    inodes = {name[8:-1] for name in names if name.startswith("socket:[")}
    lines = [
        line.split()
        for table in (protocol, f"{protocol}6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]
    ]
    return {line[1] for line in lines if line[9] in inodes}


def queue_plan(name: str, *, agent_port: int) -> PbxPlan:
    return PbxPlan(
        system_name=name,
        queues_text="[guides]\nmember => PJSIP/guide1\n",
        agents=(Agent(name="guide1", sip_port=agent_port),),
        dialplan={"lab.conf": "[from-citizens]\nexten => _X.,1,Queue(guides)\n[from-agents]\n"},
    )


async def test_two_pbxs_run_side_by_side_and_share_nothing() -> None:
    async with Pbx.start(queue_plan("pbx1", agent_port=9)) as one:
        async with Pbx.start(queue_plan("pbx2", agent_port=9)) as two:
            assert one.ami_port != two.ami_port
            assert one.sip_port != two.sip_port
            assert not set(one.rtp_ports) & set(two.rtp_ports)
            assert one.etc_dir != two.etc_dir
            assert one.queue_log != two.queue_log
            assert "System name:                 pbx1" in await one.cli("core show settings")
            assert "System name:                 pbx2" in await two.cli("core show settings")
            pid = two.pid
        assert is_gone(pid)
        assert one.is_running
        assert not two.etc_dir.exists()


async def test_pbx_boots_clean_and_sees_its_agents_as_free() -> None:
    async with Pbx.start(queue_plan("pbx1", agent_port=9)) as pbx:
        # The state of a phone reaches app_queue by a thread of its own.
        async with asyncio.timeout(END_S_MAX):
            while True:
                shown = await pbx.cli("queue show guides")
                if "PJSIP/guide1 (ringinuse enabled) (Not in use)" in shown:
                    break
                await asyncio.sleep(POLL_S)
        log = pbx.log_path.read_text(encoding="utf-8")
        assert "ERROR" not in log
        assert "WARNING" not in log
        assert pbx.cpu_seconds() > 0
        assert pbx.asterisk.release >= (16, 25)


async def test_pbx_listens_on_loopback_only() -> None:
    async with Pbx.start() as pbx:
        assert bound_addresses(pbx.pid, "tcp") == {f"{LOOPBACK_IN_PROC}:{pbx.ami_port:04X}"}
        udp = bound_addresses(pbx.pid, "udp")
        # PJSIP's own resolver holds one socket for each IP version; it asks only 127.0.0.1.
        elsewhere = {address for address in udp if not address.startswith(LOOPBACK_IN_PROC)}
        assert udp - elsewhere == {f"{LOOPBACK_IN_PROC}:{pbx.sip_port:04X}"}
        assert len(elsewhere) <= 2


async def test_restarted_pbx_keeps_ports_and_journal() -> None:
    async with Pbx.start(queue_plan("pbx1", agent_port=9)) as pbx:
        first_pid, sip_port = pbx.pid, pbx.sip_port
        await pbx.restart()
        assert is_gone(first_pid)
        assert pbx.pid != first_pid
        assert pbx.sip_port == sip_port
        # Asterisk writes its journal from a thread of its own, later than it says that it booted.
        await wait_until(lambda: pbx.queue_log.read_text(encoding="utf-8").count("QUEUESTART") == 2)


async def test_killed_pbx_can_be_resumed() -> None:
    async with Pbx.start() as pbx:
        await pbx.kill()
        assert not pbx.is_running
        await pbx.resume()
        assert "System uptime" in await pbx.cli("core show uptime")


async def test_nothing_is_left_when_the_body_raises() -> None:
    seen: list[Pbx] = []
    pids: list[int] = []

    async def fail_inside() -> None:
        async with Pbx.start() as pbx:
            seen.append(pbx)
            pids.append(pbx.pid)
            raise RuntimeError("the body failed")

    with pytest.raises(RuntimeError, match="the body failed"):
        await fail_inside()
    assert is_gone(pids[0])
    assert not seen[0].etc_dir.exists()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(LOOPBACK, seen[0].ami_port)


async def test_pbx_that_cannot_boot_says_why() -> None:
    plan = PbxPlan(more_files={"modules.conf": "[modules]\nautoload = no\nrequire = app_nope.so\n"})
    with pytest.raises(LabError, match=r"app_nope\.so"):
        async with Pbx.start(plan):
            pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_pbx_does_not_outlive_whoever_started_it(number: signal.Signals) -> None:
    await find_asterisk()  # Builds it, if it must, where the wait is not limited.
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        HOLDS_A_PBX,
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert parent.stdout is not None
    try:
        pid_text, etc_dir = (await asyncio.wait_for(parent.stdout.readline(), 60.0)).split()
        parent.send_signal(number)
        await asyncio.wait_for(parent.wait(), END_S_MAX)
    finally:
        if parent.returncode is None:
            parent.kill()
            await parent.wait()
    await wait_until(lambda: is_gone(int(pid_text)))
    if number != signal.SIGINT:
        async with Pbx.start():
            pass  # The next instance removes what a killed one left.
    # Another worker of this run may be the one that removes it.
    await wait_until(lambda: not Path(os.fsdecode(etc_dir)).exists())


async def test_pbx_ports_are_given_back() -> None:
    async with Pbx.start() as pbx:
        taken = pbx.ami_port
    freed = reserve_port()
    freed.release()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(LOOPBACK, taken)
