"""A floor where a guide lets callers go in every way, and what is told of it; for test_leaving_*.

One guide, one operator, and officials of four kinds. The scenarios of a module share the floor, so
each gives the guide its orders anew.
"""

from datetime import timedelta

from ivrd.core.call_rows import ABANDON_END
from ivrd.core.events import (
    AgentCompleted,
    AttendedTransferred,
    BlindTransferred,
    CallerJoined,
    DialEnded,
)
from tests.e2e.lab_ami import LabAmi
from tests.e2e.scene import Caller, Scene, until_true
from tests.lab.floor_plan import Department, Desk, FloorPlan
from tests.lab.municipality import Municipality
from tests.lab.phone import Busy, Call, NoAnswer, Ring, Talk, Then
from tests.lab.phone.phone import Phone

ANSWERS, IS_BUSY, RINGS_OUT, SENDS_BACK, NOBODY = "8100", "8101", "8102", "8104", "8999"
"""Officials, by what becomes of a call to them; the last number does not exist."""

RINGS_ON, SENDS_BACK_LATE = "8103", "8105"
"""As RINGS_OUT and SENDS_BACK, but it rings until `give_up_ringing`: for what is done meanwhile."""

TO_SWITCHBOARD = "7001"
ANSWERED_SWITCHBOARD, ANSWERED_GUIDES = "7011", "7012"
"""As 7001 and 7002, but the site's dialplan answers first: so one hears that one waits."""

MORE_DIALPLAN = f"""
[from-agents](+)
exten => {ANSWERED_SWITCHBOARD},1,Answer()
 same => n,Goto(ivrd-queue-vaxel,s,1)
exten => {ANSWERED_GUIDES},1,Answer()
 same => n,Goto(ivrd-queue-kc,s,1)
"""

SOON = Talk(s=0.5)

SEEN_TO_LIVE_ON = ABANDON_END + timedelta(seconds=1.2)
"""How long an official talks with a caller whom the guide let go by hanging up.

Asterisk's queue_log then says ATTENDEDTRANSFER or, when the guide's hang-up is told first,
COMPLETEAGENT (16.28 often, 22.10.1 seldom). Only a caller who lives on for longer than
ABANDON_END, by stamps of whole seconds, shows the journal that there was somebody else.
"""

CALL_S_MAX = 30.0

FLOOR = FloorPlan(
    desks=(
        Desk(name="guide", queue="kc", answer=Ring(after_s=0.1)),
        Desk(name="op", queue="vaxel", answer=Ring(after_s=0.1), talk=SOON),
    ),
    departments=(
        # They talk until a scenario ends it, such as by `end_of_talk`.
        Department(number=ANSWERS, answer=Ring(after_s=0.3)),
        Department(number=IS_BUSY, answer=Busy()),
        Department(number=RINGS_OUT, answer=NoAnswer(), ring_s=1),
        Department(
            number=SENDS_BACK, answer=NoAnswer(), ring_s=1, otherwise="Goto(ivrd-queue-kc,s,1)"
        ),
        Department(number=RINGS_ON, answer=NoAnswer(), ring_s=60),
        Department(
            number=SENDS_BACK_LATE,
            answer=NoAnswer(),
            ring_s=60,
            otherwise="Goto(ivrd-queue-kc,s,1)",
        ),
    ),
    features="blindxfer => ##\natxfer => *2\n",
    more_dialplan=MORE_DIALPLAN,
)


async def talk_to_guide(played: Scene, then: Then | None, *, after_s: float = 0.2) -> Caller:
    """Return a caller in talk with the guide, who then does as told, and next only talks."""
    guide = played.town.phones["guide"]
    for phone in played.town.phones.values():
        phone.forget_incoming()
    guide.talk = None
    caller = await played.ring()
    # Not when the phone has answered: a PBX that stands still learns of that later, and of what
    # the guide does next in the same moment.
    await caller.talking("kc")
    guide.talk = SOON
    if then is not None:
        guide.begin(call_of(guide), Talk(s=after_s, then=then))
    return caller


def call_of(phone: Phone) -> Call:
    """Return the call that a phone is in."""
    [call] = phone.live_calls
    return call


async def press_code(caller: Caller, phone: Phone, code: str, number: str) -> Call:
    """Use a feature code: the caller hears music when it is understood."""
    call = call_of(phone)
    await call.press(code)
    await caller.hears(0.1)
    for key in number:
        if call.is_live:
            await call.press(key)
    return call


async def official(town: Municipality, number: str, *, is_up: bool = True) -> Call:
    """Return the call that an official gets, once it rings, or is up."""
    call = await town.phones[f"department-{number}"].next_call(CALL_S_MAX)
    if is_up:
        await call.answered(CALL_S_MAX)
    return call


async def end_of_talk(played: Scene) -> None:
    """Let the official hang up, once the guide has left the two alone."""
    town = played.town
    phone = town.phones[f"department-{ANSWERS}"]
    await played.watch.first(AttendedTransferred | BlindTransferred)
    # A hang-up that overtakes the answer inside the PBX is a call that nobody answered.
    await played.watch.first(
        DialEnded, lambda e: e.device == f"PJSIP/{phone.name}" and e.status == "ANSWER"
    )

    def talks_alone() -> bool:
        is_up = [call.was_answered for call in phone.live_calls] == [True]
        return is_up and not town.phones["guide"].live_calls

    await until_true(talks_alone, what="the guide has left caller and official alone")
    await call_of(phone).hang_up()


async def give_up_ringing(town: Municipality, number: str) -> None:
    """Let an official's phone ring until the guide has left, and then no more."""
    await official(town, number, is_up=False)
    guide = town.phones["guide"]
    await until_true(lambda: not guide.live_calls, what="the guide has left")
    await call_of(town.phones[f"department-{number}"]).hang_up(status=480)


async def official_talks(played: Scene, number: str) -> Call:
    """Return the official's call, once the PBX has seen the answer to what the guide's code asked.

    A key that the guide presses goes another way than the official's 200, and may be there first.
    """
    call = await official(played.town, number)
    await played.watch.first(
        DialEnded,
        # Asterisk itself dials, through a Local channel.
        lambda e: (
            e.channel_id is None
            and e.device.startswith(f"Local/{number}@")
            and e.status == "ANSWER"
        ),
    )
    return call


async def live_on(played: Scene, caller: Caller) -> None:
    """Wait until a caller whom the guide has left has lived on as long as queue_log must see."""
    await played.watch.first(AgentCompleted, lambda e: e.call_id == caller.call_id)
    town = played.town
    until = town.pbx.now() + SEEN_TO_LIVE_ON

    def is_over() -> bool:
        return town.pbx.now() > until

    await until_true(is_over, what=f"it is {until}")


async def consult(town: Municipality, number: str) -> tuple[Call, Call]:
    """Let the guide hold the caller and ring a number; return the guide's two calls."""
    phone = town.phones["guide"]
    guide = call_of(phone)
    await guide.hold()
    return guide, await phone.dial(guide.dialog.peer, number, caller=phone.name)


async def transfer_by_ami(town: Municipality, number: str) -> None:
    """Hand the guide's caller on by AMI BlindTransfer."""
    channels = (await town.pbx.cli("core show channels concise")).splitlines()
    [name] = [line.partition("!")[0] for line in channels if line.startswith("PJSIP/guide-")]
    async with LabAmi.connect(town.pbx) as ami:
        answer = await ami.ask("BlindTransfer", Channel=name, Context="from-agents", Exten=number)
    assert answer["Response"] == "Success"


async def joined_again(caller: Caller, queue: str) -> CallerJoined:
    """Wait until the caller has entered a queue after an agent's answer."""
    connected = await caller.talking("kc")
    return await caller.watch.first(
        CallerJoined,
        lambda e: e.call_id == caller.call_id and e.queue == queue and e.at > connected.at,
    )


def ended(played: Scene, caller: Caller) -> str:
    """Return what a call came to: outcome, hand-over, transfers, case; after the scene."""
    facts = played.of(caller)
    case = "case" if facts.cases else "no case"
    return f"{facts.outcome} {facts.hand_over or '-'} {facts.transfers} {case}"


def stays(played: Scene, caller: Caller) -> str:
    """Return the stays of a call: queue, disposition, agent."""
    return " | ".join(
        f"{entry.queue} {entry.disposition} {entry.agent or '-'}"
        for entry in played.of(caller).entries
    )


async def check_all_agree(town: Municipality) -> None:
    """See that the journal and what is stored agree on everybody of the town so far."""
    assert await town.differing(await town.facts()) == []
