"""The lab phone against a real Asterisk: keys, queue, transfers, hold, and every way to end.

These are tests of the instrument. What Asterisk does with a transfer is pinned here as well,
because the scenarios of the core rely on it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from tests.lab.pbx import Agent, Pbx, PbxPlan
from tests.lab.phone import (
    Busy,
    Call,
    ConsultAndReturn,
    Direction,
    EndedBy,
    NoAnswer,
    Phone,
    Refuse,
    Ring,
    Talk,
    TransferBlind,
    TransferRinging,
)
from tests.lab.phone import audio as sound
from tests.lab.phone.media import FRAME_SAMPLES
from tests.lab.phone.talk import carry_out
from tests.lab.ports import reserve_port
from tests.lab.processes import POLL_S

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOON_S = 30.0
"""Everything here takes a second or two; a busy machine takes longer."""
RING_S = 2
"""The queue's ring time, so that a phone that does not answer costs little."""

DIALPLAN = """[from-citizens]
exten => 8000,1,Answer()
 same => n,Read(KEY,,1,,1,8)
 same => n,UserEvent(Key,Key: ${KEY},Number: ${CALLERID(num)},Name: ${CALLERID(name)})
 same => n,Hangup()
exten => 8001,1,Queue(guides)
 same => n,UserEvent(LeftQueue,Status: ${QUEUESTATUS})
 same => n,Hangup()
exten => 8002,1,Answer()
 same => n,Wait(20)
exten => _81XX,1,Dial(PJSIP/official,20)
 same => n,UserEvent(Dialled,Status: ${DIALSTATUS})
 same => n,Hangup()

[from-agents]
exten => _81XX,1,Dial(PJSIP/official,20)
 same => n,UserEvent(Dialled,Status: ${DIALSTATUS})
 same => n,Hangup()
exten => 8200,1,Wait(20)
exten => 8001,1,Queue(experts)
"""

QUEUES = f"""[guides]
strategy = rrmemory
autofill = yes
timeout = {RING_S}
retry = 1
timeoutrestart = no
ringinuse = no
member => PJSIP/guide1
member => PJSIP/guide2

[experts]
strategy = rrmemory
timeout = 5
member => PJSIP/official
"""

Event = Mapping[str, str]


@dataclass(slots=True)
class Ami:
    """Every event so far, and waiting for one more."""

    reader: asyncio.StreamReader
    events: list[Event] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> None:
        """Collect events until the connection ends."""
        while True:
            try:
                frame = await self.reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                return
            lines = (line.split(": ", 1) for line in frame.decode().split("\r\n"))
            event = {pair[0]: pair[1] for pair in lines if len(pair) == 2}
            if event.get("Event") not in (None, "VarSet", "Newexten", "TestEvent", "RTCPSent"):
                self.events.append(event)
                self._more.set()

    async def wait(self, name: str, *, since: int = 0, **values: str) -> Event:
        """Return the first event of that name, after that many events, with those values."""
        try:
            async with asyncio.timeout(SOON_S):
                while True:
                    for event in self.events[since:]:
                        if event["Event"] == name and values.items() <= event.items():
                            return event
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError as exc:
            names = [event["Event"] for event in self.events[since:]]
            raise AssertionError(f"no {name} {values}; there were {names}") from exc


@contextlib.asynccontextmanager
async def listening(pbx: Pbx) -> AsyncIterator[Ami]:
    """Listen to every AMI event of a PBX."""
    reader, writer = await asyncio.open_connection("127.0.0.1", pbx.ami_port)
    login = f"Action: Login\r\nUsername: {pbx.lab_user}\r\nSecret: {pbx.lab_secret}\r\n\r\n"
    writer.write(login.encode())
    ami = Ami(reader)
    reading = asyncio.create_task(ami.read(), name="read AMI")
    try:
        await ami.wait("FullyBooted")
        yield ami
    finally:
        writer.close()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


@dataclass(slots=True, kw_only=True)
class Town:
    """The PBX and the phones around it; each test sets what they do."""

    pbx: Pbx
    ami: Ami
    citizen: Phone
    guide: Phone
    second_guide: Phone
    official: Phone

    @property
    def proxy(self) -> tuple[str, int]:
        """Where to call."""
        return ("127.0.0.1", self.pbx.sip_port)

    async def citizen_calls(self, number: str) -> Call:
        """Let a citizen call."""
        return await self.citizen.dial(self.proxy, number, caller="0701740605", caller_name="Åsa")

    async def connected(self, talk: Talk | None = None) -> tuple[Call, Call]:
        """Let a citizen reach the first guide through the queue; returns both sides.

        Both are in the bridge then: Asterisk refuses a REFER that comes before with 400. Therefore
        `talk` begins here, and not with the guide's answer.
        """
        caller = await self.citizen_calls("8001")
        guide = await self.guide.next_call(SOON_S)
        await guide.answered(SOON_S)
        await caller.answered(SOON_S)
        connect = await self.ami.wait("AgentConnect")
        for side in ("Uniqueid", "DestUniqueid"):
            await self.ami.wait("BridgeEnter", Uniqueid=connect[side])
        if talk is not None:
            self.guide._spawn(carry_out(self.guide, guide, talk), f"talk on {guide.call_id}")
        return caller, guide

    async def settle(self) -> None:
        """Hang up everything, and wait until the PBX holds no channel and no caller."""
        for phone in (self.citizen, self.guide, self.second_guide, self.official):
            for call in phone.live_calls:
                await call.hang_up()
            phone.forget_incoming()
            phone.answer_policy, phone.talk = Ring(), None
        self.second_guide.answer_policy = Refuse(480)
        async with asyncio.timeout(SOON_S):
            while True:
                if "0 active channels" in await self.pbx.cli("core show channels count"):
                    return
                await asyncio.sleep(POLL_S)

    def journal(self) -> list[list[str]]:
        """The rows of the queue_log: time, call, queue, agent, event, data."""
        path = self.pbx.queue_log
        return [line.split("|") for line in path.read_text().splitlines()] if path.exists() else []

    async def queue_row(self, event: str, *, call: str) -> list[str]:
        """Wait for the row of that event of that call."""
        async with asyncio.timeout(SOON_S):
            while True:
                for row in self.journal():
                    if (row[1], row[4]) == (call, event):
                        return row
                await asyncio.sleep(POLL_S)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_town() -> AsyncIterator[Town]:
    """One PBX for all tests of this module."""
    with contextlib.ExitStack() as held:
        ports = {name: reserve_port() for name in ("guide1", "guide2", "official")}
        for port in ports.values():
            held.callback(port.release)
        agents = tuple(Agent(name=name, sip_port=port.first) for name, port in ports.items())
        plan = PbxPlan(queues_text=QUEUES, agents=agents, dialplan={"town.conf": DIALPLAN})
        async with (
            Pbx.start(plan) as pbx,
            listening(pbx) as ami,
            Phone("citizen", is_recording=True) as citizen,
            Phone("guide1", port=ports["guide1"].first) as guide,
            Phone("guide2", port=ports["guide2"].first) as second,
            Phone("official", port=ports["official"].first) as official,
        ):
            yield Town(
                pbx=pbx,
                ami=ami,
                citizen=citizen,
                guide=guide,
                second_guide=second,
                official=official,
            )


@pytest_asyncio.fixture(loop_scope="module")
async def town(shared_town: Town) -> AsyncIterator[Town]:
    """The same PBX, quiet before and after each test."""
    await shared_town.settle()
    shared_town.ami.events.clear()
    yield shared_town
    await shared_town.settle()


@pytest.mark.parametrize("how", ["rfc4733", "info"])
async def test_a_key_and_the_caller_reach_the_dialplan(town: Town, how: str) -> None:
    call = await town.citizen_calls("8000")
    await call.answered(SOON_S)
    await call.press("7", how=how)
    told = await town.ami.wait("UserEvent", UserEvent="Key")
    assert (told["Key"], told["Number"], told["Name"]) == ("7", "0701740605", "Åsa")
    assert (await call.ended(SOON_S)).by is EndedBy.THEM


async def test_the_queue_rings_on_when_the_first_phone_does_not_answer(town: Town) -> None:
    town.guide.answer_policy = NoAnswer()
    town.second_guide.answer_policy = NoAnswer()
    caller = await town.citizen_calls("8001")
    joined = await town.ami.wait("QueueCallerJoin")
    await town.ami.wait("AgentRingNoAnswer")
    town.guide.answer_policy = town.second_guide.answer_policy = Ring()
    await caller.answered(SOON_S)
    assert await town.queue_row("RINGNOANSWER", call=joined["Uniqueid"])
    assert await town.queue_row("CONNECT", call=joined["Uniqueid"])


async def test_the_caller_hangs_up_in_the_queue_while_the_phone_rings(town: Town) -> None:
    town.guide.answer_policy = town.second_guide.answer_policy = NoAnswer()
    caller = await town.citizen_calls("8001")
    joined = await town.ami.wait("QueueCallerJoin")
    called = await town.ami.wait("AgentCalled")
    phone = town.guide if "guide1" in called["Interface"] else town.second_guide
    ringing = await phone.next_call(SOON_S)
    await caller.hang_up()
    end = await ringing.ended(SOON_S)
    assert (end.by, end.status) == (EndedBy.THEM, 487)
    await town.queue_row("ABANDON", call=joined["Uniqueid"])
    await town.ami.wait("QueueCallerAbandon")


@pytest.mark.parametrize(("who", "row"), [("caller", "COMPLETECALLER"), ("guide", "COMPLETEAGENT")])
async def test_either_side_ends_the_conversation(town: Town, who: str, row: str) -> None:
    caller, guide = await town.connected()
    connect = await town.ami.wait("AgentConnect")
    await (caller if who == "caller" else guide).hang_up()
    other = guide if who == "caller" else caller
    assert (await other.ended(SOON_S)).by is EndedBy.THEM
    await town.queue_row(row, call=connect["Uniqueid"])


@pytest.mark.parametrize(
    ("policy", "told"), [(Busy(), "BUSY"), (Refuse(480), "NOANSWER"), (Refuse(603), "CHANUNAVAIL")]
)
async def test_a_refusing_phone_is_known_to_the_dialplan(
    town: Town, policy: Busy | Refuse, told: str
) -> None:
    town.official.answer_policy = policy
    await town.citizen_calls("8100")
    assert (await town.ami.wait("UserEvent", UserEvent="Dialled"))["Status"] == told


async def test_a_blind_transfer_reaches_the_official(town: Town) -> None:
    caller, guide = await town.connected(Talk(s=0.1, then=TransferBlind("8100")))
    connect = await town.ami.wait("AgentConnect")
    official = await town.official.next_call(SOON_S)
    await official.answered(SOON_S)
    await guide.ended(SOON_S)
    moved = await town.ami.wait("BlindTransfer")
    assert (moved["Result"], moved["Extension"], moved["IsExternal"]) == ("Success", "8100", "Yes")
    assert moved["TransfererUniqueid"] == connect["DestUniqueid"]
    assert guide.transfer_final == 200
    assert official.caller == "0701740605"
    await town.queue_row("BLINDTRANSFER", call=connect["Uniqueid"])
    await official.hang_up()
    assert (await caller.ended(SOON_S)).by is EndedBy.THEM


async def test_a_phone_that_leaves_at_once_transfers_as_well(town: Town) -> None:
    town.official.answer_policy = Ring(after_s=0.3)
    talk = Talk(s=0.1, then=TransferBlind("8100", leaves_at_once=True))
    caller, guide = await town.connected(talk)
    official = await town.official.next_call(SOON_S)
    assert (await guide.ended(SOON_S)).by is EndedBy.US
    await official.answered(SOON_S)
    assert caller.is_live


async def test_a_blind_transfer_to_a_busy_phone_has_lost_the_caller(town: Town) -> None:
    town.official.answer_policy = Busy()
    caller, guide = await town.connected()
    assert await guide.transfer_blind("8100") == 503
    assert (await town.ami.wait("BlindTransfer"))["Result"] == "Success"
    assert (await town.ami.wait("UserEvent", UserEvent="Dialled"))["Status"] == "BUSY"
    assert (await caller.ended(SOON_S)).by is EndedBy.THEM
    await guide.hang_up()


async def test_a_blind_transfer_to_no_number_keeps_the_caller(town: Town) -> None:
    caller, guide = await town.connected()
    assert await guide.transfer_blind("9999") == 404
    assert (caller.is_live, guide.is_live) == (True, True)


async def test_a_blind_transfer_to_something_silent_gets_no_final_report(town: Town) -> None:
    caller, guide = await town.connected()
    assert await guide.transfer_blind("8200", timeout_s=0.5) is None
    await guide.ended(SOON_S)
    assert (await town.ami.wait("BlindTransfer"))["Result"] == "Success"
    assert caller.is_live


async def test_a_blind_transfer_into_another_queue_is_reported_when_answered(town: Town) -> None:
    town.official.answer_policy = Ring(after_s=0.3)
    caller, guide = await town.connected()
    assert await guide.transfer_blind("8001") == 200
    await town.ami.wait("AgentConnect", Queue="experts")
    assert caller.is_live


async def test_an_attended_transfer_joins_caller_and_official(town: Town) -> None:
    caller, guide = await town.connected()
    connect = await town.ami.wait("AgentConnect")
    await guide.hold()
    since = len(town.ami.events)
    second = await town.guide.dial(guide.dialog.peer, "8100", caller="guide1")
    await second.answered(SOON_S)
    dialled = await town.ami.wait("DialEnd", since=since, DialStatus="ANSWER")
    for side in ("Uniqueid", "DestUniqueid"):
        await town.ami.wait("BridgeEnter", since=since, Uniqueid=dialled[side])
    assert await guide.transfer_attended(second) == 200
    moved = await town.ami.wait("AttendedTransfer")
    assert (moved["Result"], moved["DestType"], moved["IsExternal"]) == ("Success", "Bridge", "No")
    assert moved["OrigTransfererUniqueid"] == connect["DestUniqueid"]
    await guide.ended(SOON_S)
    row = await town.queue_row("ATTENDEDTRANSFER", call=connect["Uniqueid"])
    assert row[5] == "BRIDGE"
    official = await town.official.next_call(SOON_S)
    assert official.is_live
    await caller.hang_up()
    assert (await official.ended(SOON_S)).by is EndedBy.THEM


@pytest.mark.parametrize("by_replaces", [True, False])
async def test_the_guide_drops_out_while_the_official_still_rings(
    town: Town, by_replaces: bool
) -> None:
    town.official.answer_policy = NoAnswer()
    talk = Talk(s=0.1, then=TransferRinging("8100", by_replaces=by_replaces))
    caller, guide = await town.connected(talk)
    if by_replaces:
        moved = await town.ami.wait("AttendedTransfer")
        assert (moved["Result"], moved["DestType"]) == ("Success", "App")
        await guide.ended(SOON_S)
    else:
        assert (await town.ami.wait("BlindTransfer"))["Result"] == "Success"
        first = await town.official.next_call(SOON_S)
        assert (await first.ended(SOON_S)).status == 487
    official = await town.official.next_call(SOON_S)
    official.answer()
    await official.answered(SOON_S)
    await guide.ended(SOON_S)
    await caller.hang_up()
    assert (await official.ended(SOON_S)).by is EndedBy.THEM


async def test_a_consultation_given_up_brings_the_caller_back(town: Town) -> None:
    talk = Talk(s=0.1, then=ConsultAndReturn("8100", consult_s=0.1, talk_s=0.2))
    caller, guide = await town.connected(talk)
    connect = await town.ami.wait("AgentConnect")
    await town.ami.wait("Hold")
    await town.ami.wait("Unhold")
    assert (await caller.ended(SOON_S)).by is EndedBy.THEM
    await town.queue_row("COMPLETEAGENT", call=connect["Uniqueid"])
    assert guide.story.first("resumed") is not None


@pytest.mark.parametrize("direction", [Direction.SEND, Direction.NONE])
async def test_hold_gives_the_caller_music_and_resume_ends_it(
    town: Town, direction: Direction
) -> None:
    caller, guide = await town.connected()
    await guide.hold(direction)
    await town.ami.wait("Hold")
    await caller.heard(caller.media.heard.packets + 5, timeout_s=SOON_S)
    await guide.resume()
    await town.ami.wait("Unhold")


async def test_a_call_never_answered_is_given_up_by_the_caller(town: Town) -> None:
    town.official.answer_policy = NoAnswer()
    caller = await town.citizen_calls("8100")
    await caller.ringing()
    official = await town.official.next_call(SOON_S)
    await caller.hang_up()
    assert (await caller.ended(SOON_S)).status == 487
    assert (await official.ended(SOON_S)).by is EndedBy.THEM


async def test_a_conversation_is_heard_through_the_pbx(town: Town, tmp_path: Path) -> None:
    caller, guide = await town.connected()
    said = sound.tone(425, 0.4)
    before = caller.media.heard.audio_packets
    await guide.say(said)
    await caller.heard(before + 20, timeout_s=SOON_S)
    caller.save_recording(tmp_path / "heard.wav")
    heard, place = sound.read_wav(tmp_path / "heard.wav"), 0
    # Packet by packet: an Asterisk that stands still loses none, but leaves a hole in the stamps.
    for start in range(800, 2400, FRAME_SAMPLES):
        place = heard.find(said[start : start + FRAME_SAMPLES], place) + FRAME_SAMPLES
        assert place >= FRAME_SAMPLES, start
