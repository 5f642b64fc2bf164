"""The case rule, and what a case says."""

from datetime import timedelta

import pytest

from ivrd.core.effects import OpenCase, PublishCase, RecordContact
from ivrd.core.ids import QueueName
from tests.unit.core.story import at, new_tracker, play, read

RESOLVED = """
    0    arrived    c1  main
    2    joined     c1  guides
    5    connected  c1  guides  anna  leg=a1
    9    hung_up    c1
"""


def test_case_names_line_queue_guide_and_department() -> None:
    [case] = [e for e in play(new_tracker(), read(RESOLVED)) if isinstance(e, OpenCase)]
    assert (case.line, case.queue, case.agent, case.department) == (
        "main",
        "guides",
        "anna",
        "school",
    )
    assert (case.rule, case.answered_at, case.at) == ("resolved", at(5), at(9))


def test_case_is_opened_once_the_grace_for_late_facts_is_over() -> None:
    tracker = new_tracker()
    for event in read(f"0 snapshot members=guides:anna:1\n{RESOLVED}"):
        assert not any(isinstance(e, OpenCase) for e in tracker.apply(event))
    assert tracker.next_deadline() == at(9) + timedelta(seconds=2)
    [passed] = read("11 passed")
    assert any(isinstance(effect, OpenCase) for effect in tracker.apply(passed))
    assert tracker.live_calls == 0


def test_case_is_published_only_when_the_database_holds_it() -> None:
    tracker = new_tracker()
    assert not any(isinstance(e, PublishCase) for e in play(tracker, read(RESOLVED)))
    [published] = play(tracker, read("12 case_saved c1"))
    assert isinstance(published, PublishCase)
    assert published.case_id == 7


HANDED_ON = """
    0    arrived    c1  main
    2    joined     c1  guides
    5    connected  c1  guides  anna  leg=a1
    7    blind      a1  1
    9    hung_up    c1
"""


def test_a_call_handed_on_is_a_contact_of_the_guide_who_did() -> None:
    effects = play(new_tracker(), read(HANDED_ON))
    [contact] = [e for e in effects if isinstance(e, RecordContact)]
    assert (contact.line, contact.queue, contact.agent, contact.department) == (
        "main",
        "guides",
        "anna",
        "school",
    )
    assert (contact.rule, contact.answered_at, contact.at) == ("resolved", at(5), at(9))


def test_handed_to_the_switchboard_it_is_still_the_guides_contact() -> None:
    effects = play(new_tracker(), read(TO_THE_SWITCHBOARD))
    [contact] = [e for e in effects if isinstance(e, RecordContact)]
    assert (contact.queue, contact.agent) == ("guides", "anna")


TO_THE_SWITCHBOARD = """
    0    arrived    c1  main
    2    joined     c1  guides
    5    connected  c1  guides       anna  leg=a1
    7    blind      a1  1
    8    joined     c1  switchboard
    9    connected  c1  switchboard  olle  leg=o1
    15   hung_up    c1
"""


def test_only_a_case_shows_on_the_queues_board() -> None:
    tracker = new_tracker()
    play(tracker, read(HANDED_ON))
    view = tracker.view(QueueName("guides"))
    assert view is not None
    assert view.counts.cases == 0


@pytest.mark.parametrize(
    "story",
    [
        "0 joined c1 guides\n9 hung_up c1",
        "0 joined c1 switchboard\n5 connected c1 switchboard olle leg=o1\n9 hung_up c1",
        "0 joined c1 guides\n5 connected c1 guides a leg=a1\n7 blind a1 1\n9 hung_up c1",
        "0 joined c1 guides\n5 connected c1 guides a leg=a1\n7 lost\n9 snapshot",
        "0 arrived c1 main\n9 hung_up c1",
    ],
    ids=["abandoned", "switchboard", "handed_on", "unknown", "menu_hangup"],
)
def test_no_other_outcome_opens_a_case(story: str) -> None:
    assert not any(isinstance(effect, OpenCase) for effect in play(new_tracker(), read(story)))
