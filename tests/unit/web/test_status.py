"""Unit tests of the queue status that the API and MQTT share."""

import dataclasses
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from ivrd.core.expected_wait import Expectation, WaitModel
from ivrd.core.floor import QueueView
from ivrd.core.ids import QueueName, SystemName
from ivrd.core.service_level import Counts
from ivrd.web.status import CountsStatus, QueueTitle, StatusBook

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PBX = SystemName("pbx1")
KC = QueueName("kc")


class AFloor:
    def __init__(self, **changes: object) -> None:
        view = QueueView(
            system=PBX,
            queue=KC,
            is_synced=True,
            waiting=1,
            oldest_arrival_at=AT,
            members_available=0,
            members_busy=0,
            members_paused=0,
            members_unavailable=0,
            counts=Counts(joined=3, refused=2),
            counted_since=None,
        )
        self.view = dataclasses.replace(view, **changes)  # type: ignore[arg-type]

    def queues(self) -> Sequence[QueueView]:
        return [self.view]

    def queue(self, system: SystemName, queue: QueueName) -> QueueView | None:
        return self.view if (self.view.system, self.view.queue) == (system, queue) else None


def a_book(floor: AFloor, *, now: datetime = AT) -> StatusBook:
    return StatusBook(floor, now=lambda: now, titles=[])


def test_every_count_of_the_core_is_shown() -> None:
    assert {field.name for field in dataclasses.fields(Counts)} | {"offered"} == set(
        CountsStatus.model_fields
    )


def test_a_queue_that_is_not_configured_is_shown_without_a_title() -> None:
    [status] = a_book(AFloor()).every()
    assert (status.role, status.title_sv, status.service_level_threshold_s) == (None, "", None)
    assert status.counts.offered == 5


def test_a_wait_is_never_negative_although_clocks_differ() -> None:
    [status] = a_book(AFloor(), now=AT - timedelta(milliseconds=3)).every()
    assert status.longest_wait_s == 0


def test_nobody_waiting_is_a_wait_of_zero_and_unknown_is_null() -> None:
    [nobody] = a_book(AFloor(oldest_arrival_at=None, waiting=0)).every()
    assert (nobody.waiting, nobody.longest_wait_s) == (0, 0)
    [unknown] = a_book(AFloor(is_synced=False)).every()
    assert (unknown.waiting, unknown.longest_wait_s) == (None, None)


def test_the_text_for_mqtt_is_the_text_of_the_api() -> None:
    book = a_book(AFloor())
    text = book.as_json(PBX, KC)
    status = book.one(PBX, KC)
    assert text is not None
    assert status is not None
    assert json.loads(text) == status.model_dump(mode="json")
    assert book.as_json(PBX, QueueName("nowhere")) is None


def test_an_expected_wait_is_told_with_its_model_and_null_when_unknown() -> None:
    told = Expectation(model=WaitModel.AGENT_TIME, wait=timedelta(seconds=61.23456))
    [status] = a_book(AFloor(expected=told)).every()
    assert (status.expected_wait_s, status.expected_wait_model) == (61.235, "agent-time")
    for floor in (AFloor(), AFloor(expected=told, is_synced=False)):
        [status] = a_book(floor).every()
        assert (status.expected_wait_s, status.expected_wait_model) == (None, None)


def test_other_titles_are_told_from_then_on_and_a_queue_that_lost_its_own_is_told_bare() -> None:
    title = QueueTitle(
        system=PBX,
        queue=KC,
        role="guide",
        title_sv="Kontaktcenter",
        title_en="Contact centre",
        service_level_threshold=timedelta(seconds=60),
        short_abandon=timedelta(seconds=5),
    )
    book = a_book(AFloor())
    book.change_titles([title])
    [status] = book.every()
    assert (status.role, status.title_sv, status.service_level_threshold_s) == (
        "guide",
        "Kontaktcenter",
        60,
    )
    book.change_titles([dataclasses.replace(title, title_sv="Medborgarservice")])
    assert book.every()[0].title_sv == "Medborgarservice"
    book.change_titles([])
    [bare] = book.every()
    assert (bare.role, bare.title_sv) == (None, "")
    # Who waits there, and what was counted, is told all the same.
    assert (bare.waiting, bare.counts) == (status.waiting, status.counts)
