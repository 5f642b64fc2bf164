"""What each AGI route says and hands over, with a scripted Asterisk on the other side.

Trouble on the socket is in test_agi_server.py; what a key means, in tests/unit/core/test_menu.py.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from ivrd.agi.session import SessionEnd
from ivrd.agi.waiting import WORDS_MAX
from ivrd.core.ids import MenuName, QueueName
from ivrd.core.menu import ChoiceName, Finished, Menu, MenuOutcome
from ivrd.core.menu_walk import routes
from tests.integration.scripted_agi import (
    INVALID,
    LENGTHEN,
    MENU,
    PATIENT,
    WAIT,
    WELCOME,
    WITHIN_S,
    Asterisk,
    mset,
    running,
)

FULL = replace(
    MENU,
    choices={
        "1": ChoiceName("switchboard"),
        "10": ChoiceName("menu:va"),
        "112": ChoiceName("number:+46846500405"),
        "8": ChoiceName("slow"),
        "9": ChoiceName("language:en"),
    },
    failure_choice=ChoiceName("say:hjalp"),
    digit_after=timedelta(seconds=2),
    repeat_key="*",
    back_key="#",
)
FULL_MENUS = {FULL.name: FULL}
WAIT_LONGER_KEY = 'WAIT FOR DIGIT "2000"'


# Menus.


async def test_slow_mode_doubles_both_time_outs() -> None:
    async with running(menus=FULL_MENUS) as bench:
        pbx = await bench.connect()
        await pbx.ask_for_menu("menu/main", "slow", "")
        await pbx.answer(WELCOME, "200 result=0 endpos=8000")
        await pbx.answer('WAIT FOR DIGIT "10000"', "200 result=49")
        await pbx.answer('WAIT FOR DIGIT "4000"', "200 result=0")
        await pbx.answer(mset("switchboard", "chosen", "1", 0), "200 result=0")
        await bench.report.wait_for(SessionEnd.COMPLETED)


async def test_the_back_key_leads_back_when_a_menu_is_behind() -> None:
    async with running(menus=FULL_MENUS) as bench:
        pbx = await bench.connect()
        await pbx.ask_for_menu("menu/main", "", "back")
        await pbx.answer(WELCOME, "200 result=35 endpos=800")
        await pbx.answer(mset("back", "chosen", "#", 0), "200 result=0")
        await bench.report.wait_for(SessionEnd.COMPLETED)


@pytest.mark.parametrize(
    ("args", "wait"),
    [
        ((), WAIT),
        (("",), WAIT),
        (("", ""), WAIT),
        (("back",), WAIT),
        (("slow", "", "back"), 'WAIT FOR DIGIT "10000"'),
    ],
)
async def test_the_back_key_plays_a_menu_again_that_nothing_is_behind(
    args: tuple[str, ...], wait: str
) -> None:
    """With fewer arguments, as an earlier dialplan has it, and with arguments out of place."""
    async with running(menus=FULL_MENUS) as bench:
        pbx = await bench.connect()
        await pbx.ask_for_menu("menu/main", *args)
        await pbx.answer(WELCOME, "200 result=35 endpos=800")
        await pbx.answer(WELCOME, "200 result=0 endpos=800")
        await pbx.expect(wait)


async def test_a_report_tells_the_wrong_keys_and_the_repeats() -> None:
    async with running(menus=FULL_MENUS) as bench:
        pbx = await bench.connect()
        await pbx.ask_for_menu()
        await pbx.answer(WELCOME, "200 result=42 endpos=800")
        await pbx.answer(WELCOME, "200 result=49 endpos=800")
        await pbx.answer(WAIT_LONGER_KEY, "200 result=50")
        await pbx.answer(INVALID, "200 result=56 endpos=800")
        await pbx.answer(mset("slow", "chosen", "8", 1), "200 result=0")
        await bench.report.wait_for(SessionEnd.COMPLETED)
        assert bench.report.finished == [
            Finished(
                outcome=MenuOutcome.CHOSEN,
                choice=ChoiceName("slow"),
                digit="8",
                wrong_keys=("12",),
                repeats=1,
            )
        ]


async def test_a_caller_gone_at_the_hand_over_has_chosen_nothing() -> None:
    async with running(menus=FULL_MENUS) as bench:
        pbx = await bench.connect()
        await pbx.ask_for_menu()
        await pbx.answer(WELCOME, "200 result=55 endpos=800")
        await pbx.answer(INVALID, "200 result=56 endpos=800")
        await pbx.answer(mset("slow", "chosen", "8", 1), "HANGUP")
        await bench.report.wait_for(SessionEnd.HUNG_UP)
        assert bench.report.finished == [
            Finished(outcome=MenuOutcome.HUNG_UP, choice=None, digit=None, wrong_keys=("7",))
        ]


async def type_ahead(pbx: Asterisk, keys: str) -> str:
    """Answer as Asterisk does when all keys wait in the channel; return the last command."""
    rest = iter(keys)
    async with asyncio.timeout(WITHIN_S):
        while True:
            command = (await pbx.reader.readline()).decode().rstrip("\n")
            if command.startswith("EXEC"):
                pbx.send("200 result=0\n")
                return command
            key = next(rest, None)
            pbx.send(f"200 result={0 if key is None else ord(key)}\n")


@pytest.mark.parametrize(
    "keys", ["", "112", "11", "1", "1127", "0112", "10", "*10", "*" * 500, "7" * 500, "1212", "9#"]
)
async def test_keys_typed_ahead_lead_where_the_core_says(keys: str) -> None:
    """Several digits faster than our commands; with a DTMF storm among them."""
    async with running(menus=FULL_MENUS) as bench:
        pbx = await bench.connect()
        await pbx.ask_for_menu()
        last = await type_ahead(pbx, keys)
        await bench.report.wait_for(SessionEnd.COMPLETED)
        end = routes(FULL, keys)
        assert bench.report.finished == [end]
        assert last == mset(end.choice or "", end.outcome.value, end.digit or "", end.tries)


# Menus that change while callers are in them.


def other_menu(name: str) -> dict[MenuName, Menu]:
    menu = replace(
        MENU,
        name=MenuName(name),
        prompt="ivrd/new",
        choices={"1": ChoiceName("newcomers")},
    )
    return {menu.name: menu}


async def test_a_caller_in_a_menu_finishes_on_the_menu_begun_with() -> None:
    async with running() as bench:
        old = await bench.connect()
        await old.ask_for_menu()
        await old.expect(WELCOME)
        bench.server.change_menus(other_menu("main"))
        new = await bench.connect()
        await new.ask_for_menu()
        await new.answer(WELCOME.replace("welcome", "new"), "200 result=49 endpos=1")
        await new.answer(mset("newcomers", "chosen", "1", 0), "200 result=0")
        old.send("200 result=42 endpos=1\n")
        await old.answer(INVALID, "200 result=0 endpos=1")
        await old.answer(WELCOME, "200 result=0 endpos=1")
        await old.answer(WAIT, "200 result=49")
        await old.answer(mset("switchboard", "chosen", "1", 1), "200 result=0")
        await bench.report.wait_for(SessionEnd.COMPLETED, SessionEnd.COMPLETED)


async def test_a_menu_taken_away_is_unknown_to_new_callers_only() -> None:
    async with running() as bench:
        old = await bench.connect()
        await old.ask_for_menu()
        await old.expect(WELCOME)
        menus = other_menu("other")
        bench.server.change_menus(menus)
        menus.clear()
        late = await bench.connect()
        late.send("agi_network_script: menu/main\n\n")
        await late.expect_end()
        new = await bench.connect()
        await new.ask_for_menu("menu/other")
        await new.expect(WELCOME.replace("welcome", "new"))
        old.send("200 result=49 endpos=1\n")
        await old.answer(mset("switchboard", "chosen", "1", 0), "200 result=0")
        await bench.report.wait_for(SessionEnd.UNKNOWN_MENU, SessionEnd.COMPLETED)


# What a waiting caller is told.


@dataclass
class Speaker:
    """Says the same to everybody, and remembers who asked."""

    said: Sequence[str]
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def words(self, *, queue: QueueName, uniqueid: str, language: str) -> Sequence[str]:
        self.asked.append((queue, uniqueid, language))
        return self.said


POSITION = ["ivrd/du-har-plats", "ivrd/nr-3", "ivrd/i-kon"]


def stream(prompt: str) -> str:
    return f'STREAM FILE "{prompt}" "0123456789*#"'


def told(digit: str) -> str:
    return f'EXEC "MSet" "IVRD_DIGIT={digit},IVRD_DONE=1"'


async def test_a_waiting_caller_hears_every_word() -> None:
    speaker = Speaker(POSITION)
    async with running(speaker=speaker) as bench:
        pbx = await bench.connect()
        pbx.send(
            "agi_network_script: wait/kc\nagi_uniqueid: 1732212.7\nagi_language: fi\n"
            "agi_callerid: 0701740612\n\n"
        )
        await pbx.expect(LENGTHEN)
        assert speaker.asked == []  # Our sign of life waits for nobody.
        pbx.send("200 result=1\n")
        for word in POSITION:
            await pbx.answer(stream(word), "200 result=0 endpos=800")
        await pbx.expect(told(""))
        await pbx.expect_end()
        pbx.send("200 result=0\n")
        await bench.report.wait_for(SessionEnd.COMPLETED)
        assert speaker.asked == [("kc", "1732212.7", "fi")]
        assert bench.report.finished == bench.report.missing == []


async def test_any_key_skips_the_rest() -> None:
    async with running(speaker=Speaker(POSITION)) as bench:
        pbx = await bench.connect()
        await pbx.ask_for_menu("wait/kc")
        await pbx.answer(stream(POSITION[0]), "200 result=0 endpos=800")
        await pbx.answer(stream(POSITION[1]), "200 result=57 endpos=80")
        await pbx.answer(told("9"), "200 result=0")
        await bench.report.wait_for(SessionEnd.COMPLETED)


async def test_what_is_no_key_skips_and_goes_no_further() -> None:
    async with running(speaker=Speaker(POSITION)) as bench:
        pbx = await bench.connect()
        await pbx.ask_for_menu("wait/kc")
        await pbx.answer(stream(POSITION[0]), f"200 result={ord(',')} endpos=800")
        await pbx.answer(told(""), "200 result=0")
        await bench.report.wait_for(SessionEnd.COMPLETED)


async def test_nothing_to_say_is_over_at_once() -> None:
    async with running(speaker=Speaker([])) as bench:
        pbx = await bench.connect()
        await pbx.ask_for_menu("wait/kc")
        await pbx.answer(told(""), "200 result=0")
        await bench.report.wait_for(SessionEnd.COMPLETED)


async def test_missing_words_are_told_and_the_others_heard() -> None:
    async with running(speaker=Speaker(POSITION)) as bench:
        pbx = await bench.connect()
        await pbx.ask_for_menu("wait/kc")
        await pbx.answer(stream(POSITION[0]), "200 result=-1 endpos=0")
        await pbx.answer(stream(POSITION[1]), "200 result=0 endpos=800")
        await pbx.answer(stream(POSITION[2]), "200 result=-1 endpos=0")
        await pbx.answer(told(""), "200 result=0")
        await bench.report.wait_for(SessionEnd.COMPLETED)
        assert bench.report.missing == [("wait:kc", POSITION[0]), ("wait:kc", POSITION[2])]


async def test_a_hang_up_while_the_wait_is_told_is_no_missing_word() -> None:
    async with running(speaker=Speaker(POSITION)) as bench:
        pbx = await bench.connect()
        await pbx.ask_for_menu("wait/kc")
        await pbx.answer(stream(POSITION[0]), "200 result=-1 endpos=80\nHANGUP")
        await pbx.expect(stream(POSITION[1]))
        await bench.report.wait_for(SessionEnd.HUNG_UP)
        assert bench.report.missing == []


async def test_a_hang_up_at_the_last_word_is_seen_at_the_hand_over() -> None:
    async with running(speaker=Speaker(POSITION[:1])) as bench:
        pbx = await bench.connect()
        await pbx.ask_for_menu("wait/kc")
        await pbx.answer(stream(POSITION[0]), "200 result=-1 endpos=80\nHANGUP")
        await pbx.expect(told(""))
        await bench.report.wait_for(SessionEnd.HUNG_UP)
        assert bench.report.missing == []


async def test_a_speaker_that_never_stops_is_stopped() -> None:
    async with running(speaker=Speaker(["ivrd/nr-1"] * 1000)) as bench:
        pbx = await bench.connect()
        await pbx.ask_for_menu("wait/kc")
        for _ in range(WORDS_MAX):
            await pbx.answer(stream("ivrd/nr-1"), "200 result=0 endpos=800")
        await pbx.answer(told(""), "200 result=0")
        await bench.report.wait_for(SessionEnd.COMPLETED)


async def test_a_frozen_peer_is_cut_while_the_wait_is_told() -> None:
    limits = replace(PATIENT, session_s=1, grace_s=0)
    async with running(limits, speaker=Speaker(POSITION)) as bench:
        pbx = await bench.connect()
        pbx.send("agi_network_script: wait/kc\n\n200 result=1\n")
        await pbx.expect_end_after(LENGTHEN.replace("300", "1"), stream(POSITION[0]))
        await bench.report.wait_for(SessionEnd.SESSION_TIMED_OUT)


async def test_a_wait_without_a_queue_is_no_route() -> None:
    speaker = Speaker(POSITION)
    async with running(speaker=speaker) as bench:
        pbx = await bench.connect()
        pbx.send("agi_network_script: wait/\n\n")
        await pbx.expect_end()
        await bench.report.wait_for(SessionEnd.UNKNOWN_MENU)
        assert speaker.asked == []
