"""Unit tests of the metrics: what is counted is what is shown."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from ivrd import metric_series
from ivrd.core.effects import (
    CountChoice,
    CountEntry,
    CountNotice,
    Disposition,
    MoveEnd,
    OpenCase,
    Outcome,
    RecordCall,
    RecordMove,
    ReportUnexpected,
)
from ivrd.core.expected_wait import Expectation, WaitModel
from ivrd.core.floor import QueueView
from ivrd.core.ids import CallId, Interface, LineName, MenuName, QueueName, SystemName
from ivrd.core.rules import FloorRules, QueueRules, Role
from ivrd.core.service_level import Counts
from ivrd.errors import IvrdBug
from ivrd.metric_families import SINCE_START
from ivrd.metric_live import AmiState
from ivrd.metric_text import Form
from ivrd.metrics import RESULTS, Metrics

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PBX = SystemName("pbx1")
KC = QueueName("kc")
VAXEL = QueueName("vaxel")
CALL = CallId("pbx1/1732212345.7")


LIBRARY = {Form.OPEN_METRICS: openmetrics.generate_latest, Form.PLAIN: generate_latest}


class Samples(dict[str, float]):
    """Values by "name{label=value,...}", in whatever order the labels are written."""

    def __getitem__(self, key: str) -> float:
        return super().__getitem__(in_order(key))

    def __contains__(self, key: object) -> bool:
        return super().__contains__(in_order(str(key)))


def in_order(key: str) -> str:
    name, _, labels = key.removesuffix("}").partition("{")
    return f"{name}{{{','.join(sorted(labels.split(',')))}}}"


def shown(metrics: Metrics) -> Samples:
    samples = Samples()
    text = told(metrics)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sample.labels.items())
            samples[in_order(f"{sample.name}{{{labels}}}")] = sample.value
    return samples


def told(metrics: Metrics) -> str:
    """Return the text of a scrape, after proving that the library would write the same."""
    for form, write in LIBRARY.items():
        ours, theirs = metrics.text(form).decode(), write(metrics.registry).decode()
        assert without_process(ours) == without_process(theirs), form
    return ours


def without_process(text: str) -> list[str]:
    """Return the lines; those of the process itself change at each look."""
    return [line for line in text.splitlines() if "process_" not in line]


def an_entry(disposition: Disposition, wait_s: float | None) -> CountEntry:
    wait = None if wait_s is None else timedelta(seconds=wait_s)
    return CountEntry(
        system=PBX,
        call_id=CALL,
        number=1,
        line=LineName("main"),
        queue=KC,
        disposition=disposition,
        entry_wait=wait,
        wait=wait,
    )


def a_view(*, is_synced: bool = True, oldest_arrival_at: datetime | None = None) -> QueueView:
    return QueueView(
        system=PBX,
        queue=KC,
        is_synced=is_synced,
        waiting=3,
        oldest_arrival_at=oldest_arrival_at,
        members_available=1,
        members_busy=2,
        members_ringing=1,
        members_paused=3,
        members_wrapping_up=2,
        members_unavailable=4,
        counts=Counts(joined=9),
        counted_since=AT,
    )


def judge(metrics: Metrics, *, threshold_s: float = 20, goal_s: float = 60) -> None:
    rules = QueueRules(
        name=KC,
        role=Role.GUIDE,
        service_level_threshold=timedelta(seconds=threshold_s),
        short_abandon=timedelta(seconds=5),
        department=None,
    )
    goals = {"main": timedelta(seconds=goal_s)}
    floor = FloorRules(queues={KC: rules}, overflow=(), case_rule="resolved")
    metrics.use_rules(
        [PBX], floor=floor, lines=["main"], line_limits=goals, menu_keys={"main": ("1",)}
    )


class AFloor:
    def __init__(self, *views: QueueView) -> None:
        self.views = views

    def queues(self) -> Sequence[QueueView]:
        return self.views


def test_an_entry_is_counted_by_queue_and_disposition() -> None:
    metrics = Metrics()
    metrics.count_entry(an_entry(Disposition.ANSWERED, 3))
    metrics.count_entry(an_entry(Disposition.ANSWERED, 4))
    metrics.count_entry(an_entry(Disposition.FULL, None))
    samples = shown(metrics)
    assert samples["ivrd_queue_entries_total{system=pbx1,queue=kc,disposition=answered}"] == 2
    assert samples["ivrd_queue_entries_total{system=pbx1,queue=kc,disposition=full}"] == 1


def test_a_wait_equal_to_the_threshold_is_within_it_and_one_microsecond_more_is_not() -> None:
    metrics = Metrics(limits=[timedelta(seconds=20)])
    metrics.count_entry(an_entry(Disposition.ANSWERED, 20.0))
    metrics.count_entry(an_entry(Disposition.ANSWERED, 20.000001))
    samples = shown(metrics)
    series = "ivrd_queue_wait_seconds_bucket{system=pbx1,queue=kc,disposition=answered,le="
    assert samples[series + "20.0}"] == 1
    assert samples[series + "25.0}"] == 2
    assert samples[series + "10.0}"] == 0


def test_every_configured_limit_is_a_bucket_beside_the_fixed_ones() -> None:
    metrics = Metrics(limits=[timedelta(seconds=s) for s in (25, 90, 0, 3)])
    metrics.count_entry(an_entry(Disposition.ABANDONED, 1))
    bounds = [
        sample.labels["le"]
        for family in text_string_to_metric_families(generate_latest(metrics.registry).decode())
        for sample in family.samples
        if sample.name == "ivrd_queue_wait_seconds_bucket"
    ]
    assert bounds == ["3.0", "5.0", "10.0", "25.0", "60.0", "90.0", "600.0", "+Inf"]


def test_the_service_level_is_a_division_of_shown_samples() -> None:
    metrics = Metrics(limits=[timedelta(seconds=25)])
    for wait_s in (1, 25, 26):
        metrics.count_entry(an_entry(Disposition.ANSWERED, wait_s))
    for wait_s in (2, 40):
        metrics.count_entry(an_entry(Disposition.ABANDONED, wait_s))
    samples = shown(metrics)

    def bucket(disposition: str, le: str) -> float:
        labels = f"system=pbx1,queue=kc,disposition={disposition},le={le}"
        return samples[f"ivrd_queue_wait_seconds_bucket{{{labels}}}"]

    level = bucket("answered", "25.0") / (
        bucket("answered", "+Inf") + bucket("abandoned", "+Inf") - bucket("abandoned", "5.0")
    )
    assert level == 2 / 4


def an_answer(*, expected_s: float, wait_s: float) -> CountEntry:
    expected = Expectation(model=WaitModel.AGENT_TIME, wait=timedelta(seconds=expected_s))
    return replace(an_entry(Disposition.ANSWERED, wait_s), expected=expected)


def test_an_error_is_counted_by_its_direction_so_that_bias_is_a_subtraction() -> None:
    metrics = Metrics()
    for expected_s, wait_s in ((60, 40), (60, 65), (10, 10)):
        metrics.count_entry(an_answer(expected_s=expected_s, wait_s=wait_s))
    samples = shown(metrics)
    name = "ivrd_queue_expected_wait_error_seconds"
    labels = "system=pbx1,queue=kc,model=agent-time,told="
    assert samples[f"{name}_sum{{{labels}too_long}}"] == 20
    assert samples[f"{name}_count{{{labels}too_long}}"] == 2
    assert samples[f"{name}_sum{{{labels}too_short}}"] == 5
    assert samples[f"{name}_bucket{{{labels}too_short,le=5.0}}"] == 1


def test_whoever_was_not_answered_or_told_nothing_has_no_error() -> None:
    metrics = Metrics()
    unanswered = replace(an_answer(expected_s=60, wait_s=40), disposition=Disposition.ABANDONED)
    metrics.count_entry(unanswered)
    metrics.count_entry(an_entry(Disposition.ANSWERED, 3))
    assert not any(name.startswith("ivrd_queue_expected") for name in shown(metrics))


def test_the_expected_wait_is_shown_with_its_model_and_absent_when_unknown() -> None:
    told = Expectation(model=WaitModel.AGENT_TIME, wait=timedelta(seconds=61.5))
    name = "ivrd_queue_expected_wait_seconds"
    for view in (a_view(), replace(a_view(is_synced=False), expected=told)):
        metrics = Metrics()
        metrics.watch_floor(AFloor(view), now=lambda: AT)
        assert not any(each.startswith(name) for each in shown(metrics))
    metrics = Metrics()
    metrics.watch_floor(AFloor(replace(a_view(), expected=told)), now=lambda: AT)
    assert shown(metrics)[f"{name}{{system=pbx1,queue=kc,model=agent-time}}"] == 61.5


def test_the_service_level_of_a_queue_and_of_a_line_is_one_division_by_results() -> None:
    metrics = Metrics()
    judge(metrics, threshold_s=20, goal_s=60)
    for wait_s in (20, 20.000001, 61):
        metrics.count_entry(an_entry(Disposition.ANSWERED, wait_s))
    for wait_s in (4.9, 5):
        metrics.count_entry(an_entry(Disposition.ABANDONED, wait_s))
    metrics.count_entry(an_entry(Disposition.MOVED, 9))
    again = replace(an_entry(Disposition.ANSWERED, 1), number=2, is_first=False)
    metrics.count_entry(again)
    samples = shown(metrics)

    def results(name: str, labels: str) -> list[float]:
        return [samples[f"{name}{{system=pbx1,{labels},result={result}}}"] for result in RESULTS]

    assert results("ivrd_queue_service_total", "queue=kc") == [2, 2, 1, 1]
    assert results("ivrd_line_service_total", "line=main") == [2, 1, 1, 1]


def test_an_unknown_wait_is_in_no_bucket() -> None:
    metrics = Metrics()
    metrics.count_entry(an_entry(Disposition.UNKNOWN, None))
    assert not any(name.startswith("ivrd_queue_wait_seconds") for name in shown(metrics))


def test_the_sum_of_waits_is_shown() -> None:
    metrics = Metrics()
    metrics.count_entry(an_entry(Disposition.ANSWERED, 1.5))
    metrics.count_entry(an_entry(Disposition.ANSWERED, 700))
    samples = shown(metrics)
    labels = "{system=pbx1,queue=kc,disposition=answered}"
    assert samples["ivrd_queue_wait_seconds_sum" + labels] == 701.5
    assert samples["ivrd_queue_wait_seconds_count" + labels] == 2


def test_a_configured_queue_is_shown_with_zeros_before_its_first_caller() -> None:
    metrics = Metrics()
    judge(metrics)
    samples = shown(metrics)
    for disposition in Disposition:
        name = f"ivrd_queue_entries_total{{system=pbx1,queue=kc,disposition={disposition}}}"
        assert samples[name] == 0


def a_move(end: MoveEnd) -> RecordMove:
    return RecordMove(
        at=AT,
        system=PBX,
        call_id=CALL,
        from_queue=VAXEL,
        to_queue=KC,
        reason="rush",
        end=end,
    )


def test_landed_moves_and_failed_ones_are_different_figures() -> None:
    metrics = Metrics()
    for end in (MoveEnd.LANDED, MoveEnd.ANSWERED_FIRST):
        metrics.record_move(a_move(end))
    samples = shown(metrics)
    labels = "system=pbx1,from_queue=vaxel,to_queue=kc,reason=rush"
    assert samples[f"ivrd_queue_moves_total{{{labels}}}"] == 1
    assert samples[f"ivrd_queue_move_failures_total{{{labels},end=answered_first}}"] == 1


def test_choices_cases_calls_and_events_are_counted() -> None:
    metrics = Metrics()
    metrics.count_choice(
        CountChoice(
            system=PBX,
            call_id=CALL,
            number=1,
            menu=MenuName("main"),
            outcome="chosen",
            is_static=True,
            digit="1",
        )
    )
    metrics.count_notice(
        CountNotice(system=PBX, call_id=CALL, number=1, notice="drift", is_whole=False)
    )
    metrics.open_case(a_case())
    metrics.record_call(a_call(line=None))
    metrics.count_event(PBX, "CallerJoined")
    metrics.count_failed_event(PBX, "CallerJoined")
    metrics.report_unexpected(
        ReportUnexpected(at=AT, system=PBX, state="Talking", event="CallerJoined", call_id=None)
    )
    samples = shown(metrics)
    menu = "ivrd_menu_outcomes_total{system=pbx1,menu=main,outcome=chosen,digit=1,runner=dialplan}"
    assert samples[menu] == 1
    assert samples["ivrd_notices_total{system=pbx1,notice=drift,end=hung_up}"] == 1
    assert samples["ivrd_cases_opened_total{system=pbx1,queue=kc,rule=resolved,department=}"] == 1
    assert samples["ivrd_calls_total{system=pbx1,line=,outcome=resolved}"] == 1
    assert samples["ivrd_events_total{system=pbx1,event=CallerJoined}"] == 1
    assert samples["ivrd_events_failed_total{system=pbx1,event=CallerJoined}"] == 1
    name = "ivrd_events_unexpected_total{system=pbx1,state=Talking,event=CallerJoined}"
    assert samples[name] == 1


def test_no_caller_is_in_any_sample() -> None:
    metrics = Metrics()
    metrics.open_case(a_case())
    metrics.record_call(a_call(line=LineName("main")))
    text = told(metrics)
    assert "0701740612" not in text
    assert CALL not in text
    assert "Anna" not in text


def test_live_figures_come_from_the_floor_at_each_scrape() -> None:
    metrics = Metrics()
    floor = AFloor(a_view(oldest_arrival_at=AT))
    metrics.watch_floor(floor, now=lambda: AT + timedelta(seconds=90))
    samples = shown(metrics)
    assert samples["ivrd_queue_callers{system=pbx1,queue=kc}"] == 3
    assert samples["ivrd_queue_longest_wait_seconds{system=pbx1,queue=kc}"] == 90
    assert samples["ivrd_queue_members{system=pbx1,queue=kc,state=in_call}"] == 1
    assert samples["ivrd_queue_members{system=pbx1,queue=kc,state=ringing}"] == 1
    assert samples["ivrd_queue_members{system=pbx1,queue=kc,state=paused}"] == 1
    assert samples["ivrd_queue_members{system=pbx1,queue=kc,state=wrap_up}"] == 2
    floor.views = (a_view(oldest_arrival_at=None),)
    assert shown(metrics)["ivrd_queue_longest_wait_seconds{system=pbx1,queue=kc}"] == 0


def test_live_figures_are_absent_and_not_zero_while_out_of_sync() -> None:
    metrics = Metrics()
    metrics.watch_floor(AFloor(a_view(is_synced=False)), now=lambda: AT)
    samples = shown(metrics)
    assert samples["ivrd_queue_synced{system=pbx1,queue=kc}"] == 0
    for name in ("ivrd_queue_callers", "ivrd_queue_longest_wait_seconds", "ivrd_queue_members"):
        assert not any(sample.startswith(name + "{") for sample in samples)


def test_the_ami_stamp_is_absent_before_the_first_event() -> None:
    metrics = Metrics()
    states = {PBX: AmiState(is_connected=False, last_event_at=None)}
    metrics.watch_ami(PBX, lambda: states[PBX])
    samples = shown(metrics)
    assert samples["ivrd_ami_connected{system=pbx1}"] == 0
    assert "ivrd_ami_last_event_timestamp_seconds{system=pbx1}" not in samples
    states[PBX] = AmiState(is_connected=True, last_event_at=AT)
    samples = shown(metrics)
    assert samples["ivrd_ami_connected{system=pbx1}"] == 1
    assert samples["ivrd_ami_last_event_timestamp_seconds{system=pbx1}"] == AT.timestamp()


def test_counts_of_peers_are_shown_and_several_pbxs_share_a_name() -> None:
    metrics = Metrics()
    name, help_text = "ivrd_ami_guards_total", "What a guard caught."
    labels = ("system", "guard")
    metrics.register_counter_source(name, help_text, labels, lambda: {("pbx1", "no_at"): 4})
    metrics.register_counter_source(name, help_text, labels, lambda: {("pbx2", "no_at"): 5})
    metrics.register_gauge_source("ivrd_agi_sessions", "Callers in menus.", (), lambda: {(): 7})
    samples = shown(metrics)
    assert samples["ivrd_ami_guards_total{system=pbx1,guard=no_at}"] == 4
    assert samples["ivrd_ami_guards_total{system=pbx2,guard=no_at}"] == 5
    assert samples["ivrd_agi_sessions{}"] == 7


def test_a_counter_outlives_the_process_or_its_help_says_that_it_does_not() -> None:
    metrics = Metrics()
    judge(metrics)
    metrics.register_counter_source("ivrd_acts_total", "Acts.", (), lambda: {(): 1})
    counters = {
        family.name: family.documentation
        for family in metrics.registry.collect()
        if family.name.startswith("ivrd_") and family.type in ("counter", "histogram")
    }
    lasting = {name.removesuffix("_total") for name in metrics.totals()}
    assert {"ivrd_acts", "ivrd_outbox_dropped", "ivrd_events"} < counters.keys() - lasting
    for name, told in counters.items():
        assert told.endswith(SINCE_START) == (name not in lasting), name


def test_a_source_with_a_bad_name_or_other_labels_is_refused() -> None:
    metrics = Metrics()
    with pytest.raises(IvrdBug, match="_total"):
        metrics.register_counter_source("ivrd_guards", "Help.", (), lambda: {})
    with pytest.raises(IvrdBug, match="_total"):
        metrics.register_gauge_source("ivrd_guards_total", "Help.", (), lambda: {})
    metrics.register_counter_source("ivrd_x_total", "Help.", ("a",), lambda: {})
    with pytest.raises(IvrdBug, match="twice"):
        metrics.register_counter_source("ivrd_x_total", "Help.", ("b",), lambda: {})


def test_names_from_the_wire_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_series, "LABEL_SETS_MAX", 2)
    metrics = Metrics()
    for number in range(5):
        metrics.count_event(PBX, f"Event{number}")
    metrics.count_event(PBX, "Event1")
    samples = shown(metrics)
    assert sum(name.startswith("ivrd_events_total") for name in samples) == 2
    assert samples["ivrd_events_total{system=pbx1,event=Event1}"] == 2
    assert samples["ivrd_label_sets_refused_total{metric=ivrd_events_total}"] == 3


def test_two_daemons_in_one_process_share_nothing() -> None:
    first, second = Metrics(), Metrics()
    first.count_event(PBX, "CallerJoined")
    assert "ivrd_events_total{system=pbx1,event=CallerJoined}" not in shown(second)


def test_the_process_itself_is_measured() -> None:
    samples = shown(Metrics())
    assert samples["process_resident_memory_bytes{}"] > 0
    assert "process_cpu_seconds_total{}" in samples


def a_case() -> OpenCase:
    return OpenCase(
        at=AT,
        system=PBX,
        call_id=CALL,
        rule="resolved",
        line=LineName("main"),
        queue=KC,
        agent="Anna",
        interface=Interface("PJSIP/anna"),
        department=None,
        answered_at=AT,
    )


def a_call(*, line: LineName | None) -> RecordCall:
    return RecordCall(
        at=AT,
        system=PBX,
        call_id=CALL,
        line=line,
        caller_number="0701740612",
        arrived_at=AT,
        choice=None,
        digit=None,
        is_static_menu=False,
        tries=0,
        outcome=Outcome.RESOLVED,
        wait=None,
        first_queue=KC,
        last_queue=KC,
        moves=0,
        transfers=0,
    )
