"""Two lab phones talk to each other on loopback; a scripted peer repeats and loses messages."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from tests.lab.phone import (
    Busy,
    Call,
    CallOver,
    CallState,
    DeadlinePassed,
    Direction,
    EndedBy,
    HangUp,
    Hold,
    NoAnswer,
    Phone,
    Refuse,
    Ring,
    Talk,
)
from tests.lab.phone import audio as sound
from tests.lab.phone.message import Request, parse_message, response_to

SOON_S = 30.0


@asynccontextmanager
async def pair(agent: Phone) -> AsyncIterator[tuple[Phone, Phone]]:
    """A citizen's phone and an agent's phone."""
    async with Phone("citizen") as citizen, agent:
        yield citizen, agent


async def connect(citizen: Phone, agent: Phone) -> tuple[Call, Call]:
    out = await citizen.dial(agent.address, "8100", caller="0701740605", caller_name="Åsa")
    inward = await agent.next_call(SOON_S)
    await out.answered(SOON_S)
    await inward.answered(SOON_S)
    return out, inward


async def test_a_call_is_answered_and_the_caller_hangs_up() -> None:
    async with pair(Phone("agent")) as (citizen, agent):
        out, inward = await connect(citizen, agent)
        assert (inward.caller, inward.caller_name) == ("0701740605", "Åsa")
        await out.hang_up()
        assert (await inward.ended(SOON_S)).by is EndedBy.THEM
        assert (await out.ended(SOON_S)).by is EndedBy.US
        assert [moment.what for moment in out.history] == [
            "dialled",
            "trying",
            "ringing",
            "answered",
            "bye_sent",
            "ended",
        ]


async def test_the_agent_rings_for_a_while_talks_and_hangs_up() -> None:
    agent = Phone("agent", answer_policy=Ring(after_s=0.2), talk=Talk(s=0.3, then=HangUp()))
    async with pair(agent) as (citizen, agent):
        out = await citizen.dial(agent.address, "8100")
        assert (await out.ended(SOON_S)).by is EndedBy.THEM
        times = {moment.what: moment.elapsed_s for moment in out.history}
        assert 0 < times["ringing"] < times["answered"] < times["ended"]
        # Its own clock tells how long the agent did what: never shorter, longer when others work.
        (inward,) = agent.calls
        times = {moment.what: moment.elapsed_s for moment in inward.history}
        assert 0.2 <= times["answered"] - times["ringing"] < SOON_S
        assert 0.3 <= times["bye_sent"] - times["answered"] < SOON_S


@pytest.mark.parametrize(
    ("policy", "status"), [(Busy(), 486), (Refuse(480), 480), (Refuse(603), 603)]
)
async def test_a_refused_call_ends_with_its_status(policy: Busy | Refuse, status: int) -> None:
    async with pair(Phone("agent", answer_policy=policy)) as (citizen, agent):
        out = await citizen.dial(agent.address, "8100")
        end = await out.ended(SOON_S)
        assert (end.by, end.status) == (EndedBy.THEM, status)
        with pytest.raises(CallOver):
            await out.answered(SOON_S)


async def test_a_phone_whose_lines_are_taken_is_busy() -> None:
    async with pair(Phone("agent", lines=1)) as (citizen, agent):
        await connect(citizen, agent)
        second = await citizen.dial(agent.address, "8100")
        assert (await second.ended(SOON_S)).status == 486


async def test_the_caller_gives_up_while_it_rings() -> None:
    async with pair(Phone("agent", answer_policy=NoAnswer())) as (citizen, agent):
        out = await citizen.dial(agent.address, "8100")
        inward = await agent.next_call(SOON_S)
        await out.ringing()
        await out.hang_up()
        assert (await out.ended(SOON_S)).status == 487
        assert (await inward.ended(SOON_S)).by is EndedBy.THEM


async def test_a_hang_up_at_once_after_dialling_still_cancels() -> None:
    async with pair(Phone("agent", answer_policy=NoAnswer())) as (citizen, agent):
        out = await citizen.dial(agent.address, "8100")
        await out.hang_up()
        inward = await agent.next_call(SOON_S)
        assert not inward.is_live


async def test_a_cancel_that_crosses_the_answer_ends_in_bye() -> None:
    async with pair(Phone("agent", answer_policy=NoAnswer())) as (citizen, agent):
        out = await citizen.dial(agent.address, "8100")
        inward = await agent.next_call(SOON_S)
        await out.ringing()
        inward.answer()
        await out.hang_up()
        await inward.ended(SOON_S)
        assert (out.end is not None, inward.was_answered) == (True, True)


async def test_keys_arrive_by_packets_and_by_info() -> None:
    async with pair(Phone("agent")) as (citizen, agent):
        out, inward = await connect(citizen, agent)
        await out.press("1#9")
        await inward.heard(24, timeout_s=SOON_S)
        assert inward.media.heard.keys == ["1", "#", "9"]
        await out.press("5", how="info")
        assert inward.media.heard.keys == ["1", "#", "9", "5"]


async def test_what_was_said_is_what_was_recorded(tmp_path: Path) -> None:
    said = sound.tone(425, 0.5)
    async with pair(Phone("agent", is_recording=True)) as (citizen, agent):
        out, inward = await connect(citizen, agent)
        await out.say(said)
        await inward.heard(25, timeout_s=SOON_S)
        length_s = inward.save_recording(tmp_path / "heard.wav")
    assert length_s >= 0.5
    assert sound.read_wav(tmp_path / "heard.wav").endswith(said)


async def test_hold_and_resume_are_seen_by_the_other_side() -> None:
    async with pair(Phone("agent")) as (citizen, agent):
        out, inward = await connect(citizen, agent)
        for direction in (Direction.SEND, Direction.NONE):
            await out.hold(direction)
            assert (out.is_held, inward.is_held_by_them) == (True, True)
            await out.resume()
            assert (out.is_held, inward.is_held_by_them) == (False, False)
        await inward.hold()
        assert out.is_held_by_them


async def test_holds_from_both_sides_at_once_both_succeed() -> None:
    async with pair(Phone("agent")) as (citizen, agent):
        out, inward = await connect(citizen, agent)
        await asyncio.gather(out.hold(), inward.hold())
        assert (out.is_held, inward.is_held) == (True, True)


async def test_a_talk_with_a_hold_in_it_runs_to_its_end() -> None:
    agent = Phone("agent", talk=Talk(s=0.1, then=Hold(0.1, talk_s=0.1)))
    async with pair(agent) as (citizen, agent):
        out = await citizen.dial(agent.address, "8100")
        await out.ended(SOON_S)
        offers = [moment.detail for moment in out.history if moment.what == "redescribed"]
        assert offers == ["sendonly", "sendrecv"]


async def test_closing_a_phone_ends_its_calls_for_the_other_side() -> None:
    async with Phone("agent", answer_policy=NoAnswer()) as agent:
        async with Phone("citizen") as citizen:
            ringing = await citizen.dial(agent.address, "8100")
            inward = await agent.next_call(SOON_S)
            await ringing.ringing()
            agent.answer_policy = Ring()
            _, second = await connect(citizen, agent)
        assert not inward.is_live
        assert not second.is_live


async def test_a_missed_deadline_tells_the_story_of_the_call() -> None:
    async with pair(Phone("agent", answer_policy=NoAnswer())) as (citizen, agent):
        out = await citizen.dial(agent.address, "8100")
        await out.ringing()
        with pytest.raises(DeadlinePassed, match=r"answered did not happen .* ringing 180"):
            await out.answered(0.2)
        with pytest.raises(DeadlinePassed):
            await citizen.next_call(0.05)


async def test_a_hundred_calls_at_once_cost_little() -> None:
    async with pair(Phone("agent")) as (citizen, agent):
        before_s = time.process_time()
        calls = [await citizen.dial(agent.address, "8100") for _ in range(100)]
        for call in calls:
            await call.answered(SOON_S)
        assert len(agent.live_calls) == 100
        await asyncio.gather(*(call.hang_up() for call in calls))
        used_s = time.process_time() - before_s
    print(f"100 calls, both sides: {used_s:.2f} s of CPU")
    assert citizen.counts.startswith("Counts(bad_messages=0, dropped=0")


class Peer(asyncio.DatagramProtocol):
    """A socket that a test scripts by hand."""

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[tuple[bytes, tuple[str, int]]] = asyncio.Queue(maxsize=100)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.inbox.put_nowait((data, addr))

    async def request(self, method: str) -> tuple[Request, tuple[str, int]]:
        """Return the next request of that method, skipping everything else."""
        async with asyncio.timeout(SOON_S):
            while True:
                data, source = await self.inbox.get()
                message = parse_message(data)
                if isinstance(message, Request) and message.method == method:
                    return message, source


@asynccontextmanager
async def scripted() -> AsyncIterator[tuple[Peer, tuple[str, int]]]:
    transport, peer = await asyncio.get_running_loop().create_datagram_endpoint(
        Peer, local_addr=("127.0.0.1", 0)
    )
    try:
        yield peer, transport.get_extra_info("sockname")
    finally:
        transport.close()


async def end_by(peer: Peer, call: Call) -> None:
    """Hang up towards a scripted peer, which says 200."""
    call.begin_end()
    bye, source = await peer.request("BYE")
    peer.transport.sendto(response_to(bye, 200).to_bytes(), source)
    await call.ended(SOON_S)


async def test_an_unanswered_invite_is_repeated_and_a_repeated_200_gets_its_ack_again() -> None:
    async with scripted() as (peer, address), Phone("citizen") as citizen:
        call = await citizen.dial(address, "8100")
        first, _ = await peer.request("INVITE")
        again, source = await peer.request("INVITE")
        assert first == again
        answer = response_to(first, 200, to_tag="p1").to_bytes()
        for _ in range(2):
            peer.transport.sendto(answer, source)
            await peer.request("ACK")
        assert [moment.what for moment in call.history] == ["dialled", "answered"]
        await end_by(peer, call)


async def test_repeated_requests_do_nothing_twice() -> None:
    async with scripted() as (peer, _), Phone("agent", answer_policy=NoAnswer()) as agent:
        invite = (
            f"INVITE sip:agent@127.0.0.1:{agent.address[1]} SIP/2.0\r\n"
            "Via: SIP/2.0/UDP 127.0.0.1:1;branch=z9hG4bKx\r\nFrom: <sip:0701740606@h>;tag=1\r\n"
            "To: <sip:agent@h>\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n\r\n"
        ).encode()
        for _ in range(3):
            peer.transport.sendto(invite, agent.address)
        call = await agent.next_call(SOON_S)
        cancel = invite.replace(b"INVITE", b"CANCEL")
        for _ in range(2):
            peer.transport.sendto(cancel, agent.address)
        assert (await call.ended(SOON_S)).status == 487
        assert len(agent.calls) == 1
        assert call.state is CallState.ENDED


async def test_garbage_and_strangers_leave_the_phone_unharmed() -> None:
    async with scripted() as (peer, _), pair(Phone("agent")) as (citizen, agent):
        for junk in (b"", b"\0" * 50, b"BYE sip:x SIP/2.0\r\nVia: x\r\n\r\n"):
            peer.transport.sendto(junk, agent.address)
        bye = (
            "BYE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:1;branch=z9hG4bKy\r\n"
            "From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\nCall-ID: none\r\nCSeq: 1 BYE\r\n\r\n"
        )
        peer.transport.sendto(bye.encode(), agent.address)
        async with asyncio.timeout(SOON_S):
            data, _ = await peer.inbox.get()
        assert data.startswith(b"SIP/2.0 481 ")
        await connect(citizen, agent)


async def test_a_transfer_ends_with_the_status_that_the_peer_reports() -> None:
    async with scripted() as (peer, address), Phone("agent") as agent:
        call = await agent.dial(address, "8100")
        invite, source = await peer.request("INVITE")
        ok = response_to(invite, 200, to_tag="p1")
        peer.transport.sendto(ok.to_bytes(), source)
        await call.answered(SOON_S)
        transfer = asyncio.create_task(call.transfer_blind("8200"), name="transfer")
        refer, source = await peer.request("REFER")
        assert "sip:8200@127.0.0.1" in refer.headers.require("Refer-To")
        peer.transport.sendto(response_to(refer, 202).to_bytes(), source)
        for number, (status, state) in enumerate(
            [(100, "active"), (503, "terminated;reason=noresource")], start=1
        ):
            peer.transport.sendto(_notify(call, number, status, state), source)
        assert await transfer == 503
        assert call.state is CallState.UP
        assert call.transfer_progress == [100, 503]
        await end_by(peer, call)


def _notify(call: Call, number: int, status: int, state: str) -> bytes:
    host, port = call.endpoint.address
    dialog = call.dialog
    return (
        f"NOTIFY sip:x@{host}:{port} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.1:1;branch=z9hG4bKn{number}\r\n"
        f"From: {dialog.remote};tag={dialog.remote_tag}\r\n"
        f"To: {dialog.local};tag={dialog.local_tag}\r\nCall-ID: {dialog.call_id}\r\n"
        f"CSeq: {number} NOTIFY\r\nEvent: refer\r\nSubscription-State: {state}\r\n\r\n"
        f"SIP/2.0 {status} Whatever"
    ).encode()
