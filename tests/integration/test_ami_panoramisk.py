"""What panoramisk itself does, where a guard of ours rests on it: an upgrade shows here.

Where a fault goes away, its guard may go too. ASTERISK.md §D names the rows.
"""

import asyncio
import logging

import pytest
from panoramisk import Manager
from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.message import Message

from tests.integration.scripted_ami import event, scripted_ami

QUIET = logging.getLogger("panoramisk-quiet")
QUIET.setLevel(logging.CRITICAL)


class _Factory:
    save_stream = None
    forgetable_actions = ("ping", "login")

    def __init__(self) -> None:
        self.seen: list[Message] = []
        self.awaiting_actions: list[Action] = []

    def dispatch(self, message: Message) -> None:
        self.seen.append(message)

    def connection_lost(self, exc: object) -> None:
        pass


def _protocol() -> tuple[AMIProtocol, _Factory]:
    protocol, factory = AMIProtocol(), _Factory()
    protocol.connection_made(asyncio.Transport())
    protocol.factory, protocol.encoding, protocol.log = factory, "utf8", QUIET
    return protocol, factory


def test_row_1_panoramisk_loses_a_split_letter() -> None:
    protocol, factory = _protocol()
    raw = event("QueueMemberAdded", MemberName="Åsa")
    middle = raw.index("Å".encode()) + 1
    protocol.data_received(raw[:middle])
    protocol.data_received(raw[middle:])
    assert factory.seen[0].membername == "sa"


async def test_row_2_panoramisk_keeps_an_unanswered_action_to_send_it_again() -> None:
    protocol, factory = _protocol()
    action = Action({"Action": "Redirect"})
    protocol.responses[action.id] = action
    protocol.closed = True
    protocol.close()
    assert [each["Action"] for each in factory.awaiting_actions] == ["Redirect"]


async def test_row_3_panoramisk_says_nothing_of_a_wrong_secret() -> None:
    async with scripted_ami(secret="other") as ami:
        manager = Manager(host="127.0.0.1", port=ami.port, username="a", secret="b", log=QUIET)
        manager.connection_lost = lambda exc: None
        await manager.connect()
        await ami.until(lambda: bool(ami.asked("Login")))
        answer = await manager.authenticated_future
        assert not answer.success
        assert not manager.authenticated
        manager.close()


async def test_row_7_panoramisk_takes_some_answers_for_lists() -> None:
    action = Action({"Action": "QueueAdd"})
    action.add_message(Message({"Response": "Success", "Message": "Added interface to queue"}))
    assert not action.future.done()
    action.future.cancel()


async def test_row_9_panoramisk_lets_a_value_add_headers() -> None:
    action = Action({"Action": "Setvar", "Value": "x\r\nVariable: y"})
    assert "\r\nVariable: y\r\n" in str(action)
    action.future.cancel()


def test_row_10_panoramisk_gives_an_empty_text_for_a_missing_header() -> None:
    assert Message({"Event": "Hangup"}).uniqueid == ""


@pytest.mark.parametrize("name", ["connection_made", "connection_lost", "send_action", "connect"])
def test_the_manager_still_has_the_methods_that_we_replace_or_use(name: str) -> None:
    assert callable(getattr(Manager, name))
