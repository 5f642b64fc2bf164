"""Counts outlive a kill exactly, are never counted twice, and never come back smaller."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from ivrd import counts_file, metric_series
from ivrd.core.effects import Disposition, MoveEnd
from ivrd.core.ids import CallId, MenuName
from ivrd.core.menu import Finished, MenuOutcome
from ivrd.counts_file import CountsFile
from ivrd.menu_counts import MenuCounts
from ivrd.metrics import Metrics
from tests.unit.test_metrics import a_call, a_case, a_move, an_entry, judge, shown

LASTING = ("ivrd_queue_", "ivrd_line_", "ivrd_calls", "ivrd_cases", "ivrd_menu", "ivrd_notices")


class Life:
    """One run of the daemon, as far as it counts."""

    def __init__(self, directory: Path, limits: tuple[float, ...] = ()) -> None:
        self.file = CountsFile(directory)
        self.metrics = Metrics(limits=[timedelta(seconds=s) for s in limits], kept=self.file)
        judge(self.metrics)
        self.file.open(self.metrics)

    def counts(self, *calls: int, wait_s: float = 3) -> "Life":
        for number in calls:
            call_id = CallId(f"pbx1/17.{number}")
            entry = replace(an_entry(Disposition.ANSWERED, wait_s), call_id=call_id)
            self.metrics.count_entry(entry)
            self.metrics.record_call(replace(a_call(line=None), call_id=call_id))
            self.metrics.open_case(replace(a_case(), call_id=call_id))
            self.metrics.settle()
        return self

    def shows(self) -> dict[str, float]:
        samples = shown(self.metrics).items()
        return {name: value for name, value in samples if value and name.startswith(LASTING)}


ANSWERED = "ivrd_queue_entries_total{disposition=answered,queue=kc,system=pbx1}"


def test_what_callers_did_in_menus_outlives_a_kill_too(tmp_path: Path) -> None:
    first = Life(tmp_path)
    menu = MenuCounts(first.metrics)
    name, wrong = MenuName("huvudmeny"), ("7", "12", "99")
    done = Finished(
        outcome=MenuOutcome.STAYED, choice=None, digit=None, wrong_keys=wrong, repeats=2
    )
    for _ in range(2):
        menu.menu_finished(menu=name, finished=done, seconds=4.1)
    told = first.shows()
    assert told["ivrd_menu_seconds_total{menu=huvudmeny,outcome=stayed}"] == 8.2
    assert told["ivrd_menu_wrong_keys_total{key=7,menu=huvudmeny}"] == 2
    assert told["ivrd_menu_wrong_keys_total{key=several,menu=huvudmeny}"] == 4
    assert told["ivrd_menu_repeats_total{menu=huvudmeny}"] == 4
    second = Life(tmp_path)
    assert second.shows() == told
    MenuCounts(second.metrics).menu_finished(menu=name, finished=done, seconds=0.1)
    second.file._begin()
    third = Life(tmp_path).shows()
    assert third == second.shows()
    assert third["ivrd_menu_seconds_total{menu=huvudmeny,outcome=stayed}"] == 8.3


def test_after_a_kill_everything_is_shown_as_it_was(tmp_path: Path) -> None:
    first = Life(tmp_path).counts(1, 2)
    assert first.shows()[ANSWERED] == 2
    second = Life(tmp_path)
    assert second.shows() == first.shows()
    assert second.file.faults == 0
    second.counts(3)
    third = Life(tmp_path)
    assert third.shows() == second.shows()
    assert third.shows()[ANSWERED] == 3


def test_what_the_gap_tells_again_is_not_counted_again(tmp_path: Path) -> None:
    Life(tmp_path).counts(1, 2)
    second = Life(tmp_path)
    before = second.shows()
    second.counts(1, 2, wait_s=4.1)
    assert second.shows() == before
    assert second.file.finished_calls() == ["pbx1/17.1", "pbx1/17.2"]
    assert Life(tmp_path).shows() == before


def test_each_of_a_callers_equal_moves_is_counted_once_over_kills(tmp_path: Path) -> None:
    def ended(life: Life, end: MoveEnd, *, seconds: float, out_of: int | None) -> None:
        move = a_move(end)
        life.metrics.record_move(
            replace(move, at=move.at + timedelta(seconds=seconds), out_of=out_of)
        )
        life.metrics.settle()

    first = Life(tmp_path)
    ended(first, MoveEnd.LANDED, seconds=2.7, out_of=1)
    ended(first, MoveEnd.REFUSED, seconds=5.7, out_of=None)
    second = Life(tmp_path)
    ended(second, MoveEnd.LANDED, seconds=2, out_of=1)  # By queue_log, to the second.
    ended(second, MoveEnd.LANDED, seconds=20.7, out_of=3)
    ended(second, MoveEnd.REFUSED, seconds=25.7, out_of=None)
    third = Life(tmp_path)
    for seconds, out_of in ((2, 1), (20, 3)):
        ended(third, MoveEnd.LANDED, seconds=seconds, out_of=out_of)
    way = "from_queue=vaxel,reason=rush,system=pbx1,to_queue=kc"
    assert third.shows() == {
        f"ivrd_queue_moves_total{{{way}}}": 2,
        f"ivrd_queue_move_failures_total{{end=refused,{way}}}": 2,
    }


def test_after_an_end_in_order_nothing_is_missing_and_another_boot_is_trusted(
    tmp_path: Path, other_boot: Callable[[], None]
) -> None:
    first = Life(tmp_path).counts(1)
    first.file.close()
    other_boot()
    assert Life(tmp_path).shows() == first.shows()


def test_after_a_power_cut_counts_begin_at_zero_and_not_a_little_lower(
    tmp_path: Path, other_boot: Callable[[], None]
) -> None:
    Life(tmp_path).counts(1)
    other_boot()
    second = Life(tmp_path)
    assert second.shows() == {}
    assert (second.file.faults, second.file.is_usable) == (1, True)
    second.counts(1)
    assert Life(tmp_path).shows() == second.shows() != {}


def test_a_power_cut_just_after_a_start_does_not_show_the_end_of_the_life_before(
    tmp_path: Path, other_boot: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    Life(tmp_path).counts(1).file.close()
    [log] = tmp_path.glob("counts-*.jsonl")
    on_disk = [log.read_bytes()]
    monkeypatch.setattr(os, "fsync", lambda _: on_disk.append(log.read_bytes()))
    Life(tmp_path).counts(2)
    log.write_bytes(on_disk[-1])  # All that the kernel had not been asked to bring there is lost.
    other_boot()
    third = Life(tmp_path)
    assert (third.shows(), third.file.faults) == ({}, 1)


@pytest.fixture
def other_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    boots = iter(("b", "c"))

    def boot() -> None:
        path = tmp_path / "boot"
        path.write_text(next(boots), encoding="ascii")
        monkeypatch.setattr(counts_file, "BOOT_ID", path)

    return boot


def test_a_torn_last_line_is_left_out_and_written_over(tmp_path: Path) -> None:
    first = Life(tmp_path).counts(1)
    [log] = tmp_path.glob("counts-*.jsonl")
    with log.open("ab") as file:
        file.write(b'["entry pbx1/17.2#1",[["ivrd_que')
    second = Life(tmp_path)
    assert second.shows() == first.shows()
    second.counts(2)
    assert Life(tmp_path).shows() == second.shows()


@pytest.mark.parametrize(
    "break_it",
    [
        lambda directory: next(directory.glob("counts-*.jsonl")).write_bytes(b"nonsense\n"),
        lambda directory: next(directory.glob("counts-*.jsonl")).unlink(),
        lambda directory: (directory / "counts.json").write_text("{}", encoding="utf-8"),
        lambda directory: (directory / "counts.json").write_text("[", encoding="utf-8"),
    ],
    ids=["log", "no_log", "snapshot", "no_json"],
)
def test_what_is_broken_is_begun_anew(tmp_path: Path, break_it: Callable[[Path], object]) -> None:
    Life(tmp_path).counts(1)
    break_it(tmp_path)
    second = Life(tmp_path).counts(2)
    assert second.shows()[ANSWERED] == 1
    assert second.file.faults == 1
    assert Life(tmp_path).shows() == second.shows()


def test_generations_follow_each_other_and_keys_of_the_last_two_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts_file, "LOG_BYTES_MAX", 2_000)
    first = Life(tmp_path).counts(*range(40))
    assert len(list(tmp_path.glob("counts-*.jsonl"))) == 2
    second = Life(tmp_path)
    assert second.shows() == first.shows()
    assert first.shows()[ANSWERED] == 40
    second.counts(39)
    assert second.shows() == first.shows()


def test_a_disk_that_takes_nothing_leaves_no_count_that_lacks_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Life(tmp_path).counts(1)
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda *_: 0)
        first.counts(2)
    assert not first.file.is_usable
    assert first.shows()[ANSWERED] == 2, "what is shown goes on"
    assert Life(tmp_path / "elsewhere").shows() == {}
    assert not (tmp_path / "counts.json").exists()
    first.file._retry_at_s = 0.0
    first.counts(3)
    assert first.file.is_usable
    assert Life(tmp_path).shows() == first.shows()


def test_what_was_counted_while_the_disk_was_full_is_not_counted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Life(tmp_path).counts(1)
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda *_: 0)
        first.counts(2, 3)
    first.file._retry_at_s = 0.0
    first.counts(4)
    second = Life(tmp_path)
    assert second.shows() == first.shows()
    assert second.counts(2, 3, 4).shows() == first.shows()


def test_a_directory_that_cannot_be_made_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    life = Life(tmp_path / "file" / "state").counts(1)
    assert life.shows()[ANSWERED] == 1
    assert (life.file.is_usable, life.file.faults) == (False, 1)


def test_other_bounds_keep_the_sum_and_the_order_of_buckets(tmp_path: Path) -> None:
    first = Life(tmp_path, limits=(20,))
    first.counts(1, wait_s=15).counts(2, wait_s=40)
    first.file._begin()  # In the log each step is held with its own seconds.
    second = Life(tmp_path, limits=(45,))
    samples = shown(second.metrics)
    labels = "system=pbx1,queue=kc,disposition=answered"
    buckets = [
        samples[f"ivrd_queue_wait_seconds_bucket{{{labels},le={le}}}"]
        for le in ("10.0", "25.0", "45.0", "60.0", "600.0", "+Inf")
    ]
    assert buckets == [0, 1, 1, 2, 2, 2]
    assert samples[f"ivrd_queue_wait_seconds_sum{{{labels}}}"] == 55


def test_totals_of_other_labels_or_metrics_are_left_out(tmp_path: Path) -> None:
    Life(tmp_path).counts(1)
    path = tmp_path / "counts.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["totals"] = {
        "ivrd_calls_total": [[["pbx1", "main"], 7]],
        "ivrd_gone_total": [[["x"], 7]],
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    second = Life(tmp_path)
    assert second.shows()["ivrd_calls_total{line=,outcome=resolved,system=pbx1}"] == 1
    assert "gone" not in generate_latest(second.metrics.registry).decode()


def test_no_number_of_a_caller_is_on_the_disk(tmp_path: Path) -> None:
    Life(tmp_path).counts(1)
    assert not any(b"0701740612" in path.read_bytes() for path in tmp_path.iterdir())


def test_all_that_is_configured_is_restored_however_much_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Life(tmp_path).counts(1)
    first.file._begin()
    monkeypatch.setattr(metric_series, "LABEL_SETS_MAX", 3)
    assert Life(tmp_path).shows()[ANSWERED] == 1
