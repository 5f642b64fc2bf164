"""What the dialplan is told of each queue's door, over one connection after another."""

import asyncio
from datetime import UTC, datetime

from ivrd.ami.actions import AmiAction
from ivrd.ami.diverts import Diverts, DivertWriter
from ivrd.ami.replies import Reply, reply
from ivrd.core.effects import DivertCallers
from ivrd.core.ids import QueueName, SystemName

KC, VAXEL = QueueName("kc"), QueueName("vaxel")


def divert(to_queue: QueueName | None) -> DivertCallers:
    return DivertCallers(
        at=datetime(2026, 3, 2, tzinfo=UTC),
        system=SystemName("pbx1"),
        queue=VAXEL,
        to_queue=to_queue,
        reason="relief" if to_queue else "",
    )


class Peer:
    """Takes down what is written."""

    def __init__(self) -> None:
        self.written: list[str] = []

    async def __call__(self, action: AmiAction, *, within_s: float) -> Reply:
        self.written.append("=".join(header.value for header in action.headers))
        return reply(b"Response: Success\r\n\r\n")


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_each_connection_writes_all_at_first_and_then_what_changes() -> None:
    diverts = Diverts([VAXEL, KC])
    for expected in ("", "kc relief"):
        peer = Peer()
        writer = DivertWriter(diverts, peer, within_s=1.0)
        task = asyncio.create_task(writer.run(), name="writer")
        await asyncio.wait_for(writer.are_told.wait(), timeout=60.0)
        assert peer.written == [f"IVRD_DIVERT_vaxel={expected}", "IVRD_DIVERT_kc="]
        diverts.put(divert(KC))
        await settle()
        assert peer.written[2:] == ([] if expected else ["IVRD_DIVERT_vaxel=kc relief"])
        task.cancel()
        await asyncio.wait([task])


async def test_a_door_is_opened_again_and_a_new_queue_is_let_in() -> None:
    diverts, peer = Diverts([VAXEL]), Peer()
    task = asyncio.create_task(DivertWriter(diverts, peer, within_s=1.0).run(), name="writer")
    diverts.put(divert(KC))
    await settle()
    diverts.put(divert(None))
    diverts.expect([VAXEL, KC])
    await settle()
    task.cancel()
    await asyncio.wait([task])
    assert peer.written[-2:] == ["IVRD_DIVERT_vaxel=", "IVRD_DIVERT_kc="]
