"""Acts on agents: which requests they come to, what undoes them, and what cannot be."""

from dataclasses import replace

import pytest

from ivrd.core.agent_acts import (
    AgentAct,
    AgentDeed,
    Impossible,
    Step,
    has_come_true,
    inverse,
    plan,
    short_reason,
    version_of,
)
from ivrd.core.ids import Interface, QueueName, SystemName
from ivrd.core.live_view import MemberView
from ivrd.core.staff import Condition

QUEUES = ("kc", "va", "vaxel")


def view(queue: str, **more: object) -> MemberView:
    settings: dict[str, object] = {
        "system": SystemName("pbx1"),
        "agent": "anna",
        "interface": Interface("Local/anna@mobiles/n"),
        "condition": Condition.AVAILABLE,
        "is_paused": False,
        "pause_reason": "",
        "is_in_call": False,
        "is_fixed": False,
        "penalty": 3,
        "state_interface": "PJSIP/anna",
        **more,
    }
    return MemberView(queue=QueueName(queue), **settings)  # type: ignore[arg-type]


def act(deed: AgentDeed, *queues: str, agent: str = "anna") -> AgentAct:
    names = frozenset(QueueName(queue) for queue in queues)
    return AgentAct(deed=deed, agent=agent, queues=names, reason="Lunch")


def steps_of(found: tuple[Step, ...] | Impossible) -> list[tuple[str, str]]:
    assert not isinstance(found, Impossible), found.text
    return [(step.deed.value, step.queue) for step in found]


def test_a_pause_holds_in_every_queue_or_in_those_named() -> None:
    here = [view("kc"), view("va", is_paused=True, pause_reason="Lunch")]
    assert steps_of(plan(act(AgentDeed.PAUSE), here, here, queues=QUEUES)) == [
        ("agent_pause", "kc")
    ]
    assert steps_of(plan(act(AgentDeed.UNPAUSE), here, here, queues=QUEUES)) == [
        ("agent_unpause", "va")
    ]
    assert plan(act(AgentDeed.PAUSE, "va"), here, here, queues=QUEUES) == ()
    other = replace(act(AgentDeed.PAUSE, "va"), reason="Möte")
    assert steps_of(plan(other, here, here, queues=QUEUES)) == [("agent_pause", "va")]


def test_logging_in_again_brings_back_what_was() -> None:
    known = [view("kc"), view("va", penalty=1)]
    found = plan(act(AgentDeed.LOG_IN), [], known, queues=QUEUES)
    assert not isinstance(found, Impossible)
    assert [(step.queue, step.penalty, step.state_interface) for step in found] == [
        ("kc", 3, "PJSIP/anna"),
        ("va", 1, "PJSIP/anna"),
    ]
    (new,) = plan(act(AgentDeed.LOG_IN, "vaxel"), known, known, queues=QUEUES)  # type: ignore[misc]
    assert (new.queue, new.interface, new.penalty) == ("vaxel", "Local/anna@mobiles/n", 0)
    assert plan(act(AgentDeed.LOG_IN), known, known, queues=QUEUES) == ()


@pytest.mark.parametrize(
    "agent", ["Local/0900@outside", "anna", "PJSIP/anna/sip:x@evil", "PJSIP/a b", "DAHDI/g0/0900"]
)
def test_nobody_lets_asterisk_dial_what_they_please(agent: str) -> None:
    found = plan(act(AgentDeed.LOG_IN, "kc", agent=agent), [], [], queues=QUEUES)
    assert isinstance(found, Impossible)
    (step,) = plan(act(AgentDeed.LOG_IN, "kc", agent="PJSIP/bo"), [], [], queues=QUEUES)  # type: ignore[misc]
    assert step.interface == "PJSIP/bo"


@pytest.mark.parametrize(
    ("deed", "queues", "told"),
    [
        (AgentDeed.PAUSE, ["nowhere"], "no queue is named 'nowhere'"),
        (AgentDeed.PAUSE, ["vaxel"], "anna is not logged in in vaxel"),
        (AgentDeed.LOG_OUT, ["kc"], "cannot be logged out there; pause instead"),
    ],
)
def test_what_cannot_be_is_said(deed: AgentDeed, queues: list[str], told: str) -> None:
    here = [view("kc", is_fixed=True)]
    found = plan(act(deed, *queues), here, here, queues=QUEUES)
    assert isinstance(found, Impossible)
    assert told in found.text


def test_undo_brings_back_what_was() -> None:
    paused = view("kc", is_paused=True, pause_reason="Möte")
    pause = Step(
        deed=AgentDeed.PAUSE, queue=QueueName("kc"), interface=paused.interface, agent="anna"
    )
    assert inverse(pause, view("kc")).deed is AgentDeed.UNPAUSE
    back = inverse(replace(pause, deed=AgentDeed.UNPAUSE), paused)
    assert (back.deed, back.reason) == (AgentDeed.PAUSE, "Möte")
    assert inverse(replace(pause, deed=AgentDeed.LOG_IN), None).deed is AgentDeed.LOG_OUT
    again = inverse(replace(pause, deed=AgentDeed.LOG_OUT), paused)
    assert (again.deed, again.is_paused, again.reason) == (AgentDeed.LOG_IN, True, "Möte")


def test_a_step_has_come_true_when_asterisk_says_so() -> None:
    step = Step(
        deed=AgentDeed.PAUSE,
        queue=QueueName("kc"),
        interface=Interface("x"),
        agent="anna",
        reason="Lunch",
    )
    assert has_come_true(step, [view("kc", is_paused=True, pause_reason="Lunch")])
    for other in ([], [view("kc")], [view("kc", is_paused=True, pause_reason="Möte")]):
        assert not has_come_true(step, other)
    assert has_come_true(replace(step, deed=AgentDeed.UNPAUSE), [view("kc")])
    assert has_come_true(replace(step, deed=AgentDeed.LOG_OUT), [view("va")])
    assert not has_come_true(replace(step, deed=AgentDeed.LOG_IN), [view("va")])


def test_the_version_follows_log_ins_and_pauses_and_no_call() -> None:
    first = version_of([view("kc"), view("va")])
    assert version_of([view("va"), view("kc", is_in_call=True, penalty=9)]) == first
    assert version_of([view("kc")]) != first
    assert version_of([view("kc", is_paused=True), view("va")]) != first


def test_a_reason_is_cut_where_asterisk_cuts_it_and_not_within_a_letter() -> None:
    assert short_reason("Lunch") == "Lunch"
    assert len(short_reason("ä" * 50).encode()) == 78
