"""`ivrd reconcile` as a command, on a real database and a file, with planted differences."""

import asyncio
import json
import os
import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ivrd.cli_period import period
from ivrd.config import DatabaseConfig
from ivrd.core.effects import Disposition, OpenCase, Outcome, RecordCall, RecordEntry
from ivrd.core.ids import CallId, Interface, LineName, QueueName, SystemName
from ivrd.db.connection import open_engine
from ivrd.db.migrate import migrate
from ivrd.db.store import Storable, Store
from ivrd.errors import ConfigError
from ivrd.reconciliation import Result, ResultFile

REPOSITORY = Path(__file__).resolve().parents[2]
PBX = SystemName("pbx1")
KC, VAXEL = QueueName("kc"), QueueName("vaxel")
STOCKHOLM = ZoneInfo("Europe/Stockholm")
NINE = datetime(2026, 3, 2, 9, 0, tzinfo=STOCKHOLM)
DAY = ("--from", "2026-03-02", "--to", "2026-03-03")

COMMAND = (sys.executable, "-m", "ivrd", "reconcile")

CONFIG = """
state_directory = "{directory}/state"
[[pbx]]
name = "pbx1"
secret_file = "secret"
queue_log_file = "{directory}/queue_log"
[database]
url = "sqlite+aiosqlite:///{directory}/ivrd.sqlite"
[[queues]]
name = "vaxel"
role = "switchboard"
service_level_threshold_s = 25
[[queues]]
name = "kc"
role = "guide"
service_level_threshold_s = 60
[[menus]]
name = "main"
prompt = "main"
choices = {{ 1 = "vaxel" }}
stay_choice = "kc"
[[lines]]
name = "main"
number = "0846500401"
menu = "main"
"""


class Town:
    """A configuration, a database and a journal that begin empty, and agree."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.queue_log = directory / "queue_log"
        self.database = directory / "ivrd.sqlite"
        (directory / "secret").write_text("secret\n")
        (directory / "ivrd.toml").write_text(CONFIG.format(directory=directory))
        self._lines: list[tuple[datetime, str]] = []
        self._facts: list[Storable] = []
        self._number = 0
        # So that the journal reaches back beyond the day in question.
        self.line(NINE - timedelta(days=2), "NONE|NONE|NONE|CONFIGRELOAD|")

    def line(self, at: datetime, text: str) -> None:
        """Write one line of the journal."""
        self._lines.append((at, f"{int(at.timestamp())}|{text}"))

    def rows(self, call: str, at: datetime, *rows: str) -> None:
        """Write "queue EVENT data" rows of a call, ten seconds apart."""
        for number, row in enumerate(rows):
            queue, event, *data = row.split()
            when = at + timedelta(seconds=10 * number)
            self.line(when, "|".join([call, queue, "NONE", event, *data]))

    def store(
        self,
        call: str,
        at: datetime,
        *stays: tuple[QueueName, Disposition],
        outcome: Outcome,
        lasts: timedelta = timedelta(minutes=1),
        transfers: int = 0,
        choice: str | None = None,
        cases: int | None = None,
    ) -> None:
        """Store a call."""
        call_id = CallId(f"{PBX}/{call}")
        for number, (queue, disposition) in enumerate(stays, start=1):
            self._facts.append(_entry(call_id, at, number, queue, disposition))
        self._facts.append(
            RecordCall(
                at=at + lasts,
                system=PBX,
                call_id=call_id,
                line=LineName("main"),
                caller_number="+46701740605",
                arrived_at=at,
                choice=choice,
                digit=None,
                is_static_menu=False,
                tries=0,
                outcome=outcome,
                wait=None,
                first_queue=None,
                last_queue=None,
                moves=0,
                transfers=transfers,
            )
        )
        for rule in range(int(outcome is Outcome.RESOLVED) if cases is None else cases):
            self._facts.append(_case(call_id, at, f"rule-{rule}"))

    def resolved(self, at: datetime) -> str:
        """Let both sides tell of a call that a guide resolved, and return its name."""
        self._number += 1
        call = f"c{self._number}"
        self.rows(call, at, "kc ENTERQUEUE", "kc CONNECT", "kc COMPLETECALLER")
        self.store(call, at, (KC, Disposition.ANSWERED), outcome=Outcome.RESOLVED)
        return call

    def write(self) -> None:
        """Put all of it where the command finds it."""
        self._lines.sort(key=lambda timed: timed[0])
        self.queue_log.write_text("".join(f"{text}\n" for _, text in self._lines))
        asyncio.run(_save(self.database, self._facts))

    def reconcile(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the command."""
        return subprocess.run(
            [*COMMAND, "-c", self.directory / "ivrd.toml", *arguments],
            cwd=REPOSITORY, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip

    def told(self, *arguments: str) -> tuple[dict[str, object], dict[str, list[str]]]:
        """Run the command, and return its summary and each difference's kinds."""
        done = self.reconcile("--json", *arguments)
        assert done.returncode in (0, 1), done.stderr
        *found, summary = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == bool(found)
        return summary, {each["call_id"].removeprefix("pbx1/"): each["kinds"] for each in found}


def _entry(
    call_id: CallId, at: datetime, number: int, queue: QueueName, disposition: Disposition
) -> RecordEntry:
    return RecordEntry(
        at=at, system=PBX, call_id=call_id, number=number, queue=queue, joined_at=at,
        disposition=disposition, entry_wait=None, wait=None, interface=None, agent=None,
        answered_at=None, talk=None,
    )  # fmt: skip


def _case(call_id: CallId, at: datetime, rule: str) -> OpenCase:
    return OpenCase(
        at=at, system=PBX, call_id=call_id, rule=rule, line=None, queue=KC, agent="Anna",
        interface=Interface("PJSIP/anna"), department=None, answered_at=at,
    )  # fmt: skip


async def _save(database: Path, facts: list[Storable]) -> None:
    engine = open_engine(DatabaseConfig(url=f"sqlite+aiosqlite:///{database}"))
    try:
        await migrate(engine)
        store = Store(engine)
        for number in range(0, len(facts), 400):
            await store.save_batch(facts[number : number + 400])
    finally:
        await engine.dispose()


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_a_day_on_which_both_sides_agree_is_0_differences(town: Town) -> None:
    for minute in range(20):
        town.resolved(NINE + timedelta(minutes=minute))
    town.write()
    done = town.reconcile(*DAY)
    assert done.returncode == 0
    assert done.stdout.startswith(
        "pbx1: 0 differences of 20 calls, 2026-03-02T00:00:00+01:00 to 2026-03-03T00:00:00+01:00"
    )
    assert done.stderr == ""


def test_each_planted_difference_is_found_and_named(town: Town) -> None:
    at = NINE
    kc, connect, done = "kc ENTERQUEUE", "kc CONNECT", "kc COMPLETECALLER"
    answered = (KC, Disposition.ANSWERED)
    planted = {
        "resolved": [],
        "not-stored": ["not stored"],
        "not-in-journal": ["not in queue_log"],
        "other-queue": ["stays"],
        "one-stay-less": ["stays", "outcome"],
        "not-abandoned": ["disposition", "outcome"],
        "timed-out": ["disposition"],
        "handed-on": ["transfers", "outcome"],
        "unknown": ["unknown"],
        "unseen-end": ["unknown"],
        "no-case": ["cases"],
        "two-cases": ["cases"],
        "case-for-abandoned": ["cases"],
        "wrong-choice": ["choice"],
        "refusal-lost": ["stays"],
        "menu-not-stored": ["not stored"],
        "wrong-outcome": ["outcome"],
    }
    town.rows("resolved", at, kc, connect, done)
    town.store("resolved", at, answered, outcome=Outcome.RESOLVED)
    town.rows("not-stored", at, "NONE IVRDARRIVED main", kc, connect, done, "NONE IVRDEND")
    town.rows("consultation", at, kc, "kc ABANDON")
    town.store("not-in-journal", at, answered, outcome=Outcome.RESOLVED)
    town.rows("other-queue", at, kc, "kc ABANDON")
    town.store("other-queue", at, (VAXEL, Disposition.ABANDONED), outcome=Outcome.ABANDONED)
    town.rows("one-stay-less", at, "vaxel ENTERQUEUE", "vaxel WITHDRAW", kc, connect, done)
    town.store("one-stay-less", at, (VAXEL, Disposition.MOVED), outcome=Outcome.ABANDONED)
    town.rows("not-abandoned", at, kc, connect, done)
    town.store("not-abandoned", at, (KC, Disposition.ABANDONED), outcome=Outcome.ABANDONED)
    town.rows("timed-out", at, kc, "kc EXITWITHTIMEOUT")
    town.store("timed-out", at, (KC, Disposition.EMPTY), outcome=Outcome.UNSERVED)
    town.rows("handed-on", at, kc, connect, "kc BLINDTRANSFER 8100")
    town.store("handed-on", at, answered, outcome=Outcome.RESOLVED)
    town.rows("unknown", at, kc, "kc ABANDON")
    town.store("unknown", at, (KC, Disposition.UNKNOWN), outcome=Outcome.UNKNOWN)
    town.rows("unseen-end", at, kc, connect, done)
    town.store("unseen-end", at, answered, outcome=Outcome.UNKNOWN)
    for call, cases in (("no-case", 0), ("two-cases", 2)):
        town.rows(call, at, kc, connect, done)
        town.store(call, at, answered, outcome=Outcome.RESOLVED, cases=cases)
    town.rows("case-for-abandoned", at, kc, "kc ABANDON")
    town.store(
        "case-for-abandoned", at, (KC, Disposition.ABANDONED), outcome=Outcome.ABANDONED, cases=1
    )
    arrived, chose, ended = (
        "NONE IVRDARRIVED main",
        "NONE IVRDCHOICE main stayed kc",
        "NONE IVRDEND",
    )
    town.rows("wrong-choice", at, arrived, chose, kc, connect, done, ended)
    town.store("wrong-choice", at, answered, outcome=Outcome.RESOLVED, choice="vaxel")
    town.rows("refusal-lost", at, arrived, chose, "kc IVRDEXIT FULL", ended)
    town.store("refusal-lost", at, outcome=Outcome.UNSERVED, choice="kc")
    town.rows("menu-not-stored", at, arrived, ended)
    town.rows("wrong-outcome", at, kc, connect, done)
    town.store("wrong-outcome", at, answered, outcome=Outcome.SWITCHBOARD)
    town.write()
    summary, found = town.told(*DAY)
    assert found == {call: kinds for call, kinds in planted.items() if kinds}
    assert summary["differences"] == len(found)
    assert summary["calls"] == len(planted)
    text = town.reconcile(*DAY).stdout
    assert (
        "pbx1/timed-out: disposition\n"
        "    stored:    kc EXITEMPTY; 0 transfers; unserved; 0 cases\n"
        "    queue_log: kc EXITWITHTIMEOUT; 0 transfers; unserved\n"
    ) in text
    assert "0701740605" not in text


def test_a_call_belongs_where_it_arrived_and_is_compared_whole(town: Town) -> None:
    midnight = NINE.replace(hour=0)
    # Arrives before the day; its queue and its end are in it.
    town.rows("before", midnight + timedelta(seconds=9), "kc ENTERQUEUE", "kc ABANDON")
    town.store(
        "before", midnight - timedelta(seconds=1), (KC, Disposition.UNKNOWN),
        outcome=Outcome.UNKNOWN,
    )  # fmt: skip
    # Arrives in it; its queue and its end are after it.
    late = midnight + timedelta(days=1, seconds=5)
    town.rows("late", late, "kc ENTERQUEUE", "kc ABANDON")
    town.store(
        "late", late - timedelta(seconds=8), (KC, Disposition.ABANDONED),
        outcome=Outcome.ABANDONED, lasts=timedelta(seconds=30),
    )  # fmt: skip
    # Six hours of patience, in the middle of which the day ends.
    town.rows("long", late - timedelta(hours=3), "kc ENTERQUEUE")
    town.rows("long", late + timedelta(hours=3), "kc ABANDON")
    town.store(
        "long", late - timedelta(hours=3), (KC, Disposition.ABANDONED),
        outcome=Outcome.ABANDONED, lasts=timedelta(hours=6),
    )  # fmt: skip
    town.write()
    summary, found = town.told(*DAY)
    assert found == {}
    assert summary["calls"] == 2


def test_open_calls_are_left_out_and_counted(town: Town) -> None:
    now = datetime.now(UTC)
    town.resolved(now - timedelta(hours=1))
    town.rows("talking", now - timedelta(hours=1), "kc ENTERQUEUE", "kc CONNECT")
    town.rows("waiting", now - timedelta(minutes=5), "kc ENTERQUEUE")
    town.rows("just-ended", now - timedelta(seconds=12), "kc ENTERQUEUE")
    # So late that it has just ended however long the command takes to start.
    town.rows("just-ended", now + timedelta(minutes=4), "kc ABANDON")
    town.rows("lost", now - timedelta(hours=1), "kc ENTERQUEUE", "kc ABANDON")
    town.write()
    since = (now - timedelta(hours=2)).isoformat()
    summary, found = town.told("--from", since, "--to", now.isoformat())
    assert found == {"lost": ["not stored"]}
    assert (summary["calls"], summary["open"]) == (2, 3)


def test_a_copy_is_complete_until_it_was_made(town: Town) -> None:
    town.resolved(NINE)
    town.rows("open", NINE + timedelta(hours=1), "kc ENTERQUEUE")
    town.store(
        "open", NINE + timedelta(hours=1), (KC, Disposition.ABANDONED),
        outcome=Outcome.ABANDONED, lasts=timedelta(hours=2),
    )  # fmt: skip
    town.write()
    copy = town.directory / "copy"
    copy.mkdir()
    town.queue_log.rename(copy / "queue_log")
    made = (NINE + timedelta(hours=2)).timestamp()
    os.utime(copy / "queue_log", (made, made))
    summary, found = town.told(*DAY, "--queue-log", str(copy / "queue_log"))
    assert found == {}
    assert (summary["calls"], summary["open"]) == (1, 1)
    assert not (town.directory / "state").exists()


def test_rotated_files_are_part_of_the_journal(town: Town) -> None:
    for hour in range(4):
        town.resolved(NINE + timedelta(hours=hour))
    town.write()
    lines = town.queue_log.read_text().splitlines(keepends=True)
    for number, part in enumerate((lines[:2], lines[2:7], lines[7:])):
        target = town.queue_log.with_name(f"queue_log.{number}") if number < 2 else town.queue_log
        target.write_text("".join(part))
    assert town.told(*DAY)[1] == {}


def test_days_before_the_journal_begins_are_left_out_and_said(town: Town) -> None:
    town.resolved(NINE)
    town.resolved(NINE - timedelta(days=30))
    town.write()
    text = town.queue_log.read_text().splitlines(keepends=True)
    town.queue_log.write_text("".join(line for line in text if "|c2|" not in line))
    done = town.reconcile("--from", "2026-01-01", "--to", "2026-03-03")
    assert done.returncode == 0
    assert "0 differences of 1 calls" in done.stdout
    assert "queue_log begins at 2026-02-28" in done.stderr


def test_the_result_is_left_for_the_metrics(town: Town) -> None:
    town.resolved(NINE)
    town.rows("lost", NINE, "kc ENTERQUEUE", "kc ABANDON")
    town.write()
    file = ResultFile(town.directory / "state", PBX)
    assert file.load() is None
    began = datetime.now(UTC)
    assert town.reconcile(*DAY).returncode == 1
    result = file.load()
    assert result is not None
    assert (result.calls, result.open, result.differences) == (2, 0, 1)
    assert began.replace(microsecond=0) <= result.finished_at <= datetime.now(UTC)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    file.path.write_text("{}")
    assert file.load() is None


def test_a_state_directory_that_cannot_be_written_is_said_and_no_more(town: Town) -> None:
    town.resolved(NINE)
    town.write()
    (town.directory / "state").write_text("in the way")
    done = town.reconcile(*DAY)
    assert done.returncode == 0
    assert "the metrics do not learn of it" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--from", "yesterday"), "--from: 'yesterday' is no time"),
        (("--from", "2026-03-03", "--to", "2026-03-02"), "is not before --to"),
        (("--zone", "Europe/Smaland"), "is not a time zone"),
        (("--pbx", "pbx9"), "no PBX is named 'pbx9'"),
        (("--nonsense",), "No such option"),
    ],
)
def test_wrong_use_ends_with_2(town: Town, arguments: tuple[str, ...], told: str) -> None:
    done = town.reconcile(*arguments)
    assert done.returncode == 2
    assert told in done.stderr


def test_a_side_that_cannot_be_read_ends_with_1_and_a_sentence(town: Town) -> None:
    town.write()
    sqlite3.connect(town.database).execute("DROP TABLE calls").connection.close()
    done = town.reconcile(*DAY)
    assert done.returncode == 1
    assert "no such table" in done.stderr
    town.queue_log.unlink()
    done = town.reconcile(*DAY)
    assert done.returncode == 1
    assert "queue_log" in done.stderr
    assert "Traceback" not in done.stderr


NOW = datetime(2026, 3, 30, 1, 0, tzinfo=UTC)
"""Three in the morning, on the day after the clocks went forward."""


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (None, None, "2026-03-29T00:00:00+01:00 2026-03-30T00:00:00+02:00"),
        ("2026-03-02", None, "2026-03-02T00:00:00+01:00 2026-03-03T00:00:00+01:00"),
        (None, "2026-03-03", "2026-03-02T00:00:00+01:00 2026-03-03T00:00:00+01:00"),
        ("2026-03-02T08:00", None, "2026-03-02T08:00:00+01:00 2026-03-03T00:00:00+01:00"),
        ("2026-03-02T08Z", "2026-03-02T10", "2026-03-02T08:00:00+00:00 2026-03-02T10:00:00+01:00"),
    ],
)  # fmt: skip
def test_a_day_is_one_of_the_wall_clock(
    since: str | None, until: str | None, expected: str
) -> None:
    ends = period(since, until, zone=STOCKHOLM, now=NOW)
    assert list(ends) == [datetime.fromisoformat(end) for end in expected.split()]


def test_an_empty_period_is_refused() -> None:
    with pytest.raises(ConfigError):
        period("2026-03-02", "2026-03-02", zone=STOCKHOLM, now=NOW)


def test_a_result_survives_its_file(tmp_path: Path) -> None:
    result = Result(finished_at=NOW, since=NOW, until=NOW, calls=3, open=1, differences=0)
    ResultFile(tmp_path, PBX).save(result)
    assert ResultFile(tmp_path, PBX).load() == result
    assert ResultFile(tmp_path, SystemName("pbx2")).load() is None
    for broken in ("", "[]", "{", '{"version": 1, "system": "pbx1"}', "[" * 50_000):
        (tmp_path / "reconcile-pbx1.json").write_text(broken)
        assert ResultFile(tmp_path, PBX).load() is None
