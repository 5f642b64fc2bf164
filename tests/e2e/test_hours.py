"""Opening hours as a real Asterisk answers them, moment by moment, beside ivrd's own answer.

An extension for each date asks each context for each edge of the date, the second before it, and
noon; the answers are rows of queue_log. The questions are asked with a second argument in the frame
around them, as a caller's dialplan may have one.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ivrd.config.hours import HoursConfig
from ivrd.core.days import Days
from ivrd.core.hours import OpeningState, Schedule, opening_at, stretches_of
from ivrd.dialplan.hours import render_hours
from ivrd.red_days import marks
from ivrd.schedules import schedules
from tests.e2e.scene import until_true
from tests.lab.pbx import Pbx, PbxPlan

SAMPLE = Path(__file__).resolve().parents[2] / "config" / "ivrd.toml"

ZONE = ZoneInfo("Europe/Stockholm")

WITHIN_S = 240.0

DAY = timedelta(days=1)

YEAR = tuple(date(2027, 1, 1) + number * DAY for number in range(365))

SAMPLE_DATES = tuple(
    day
    for day in YEAR
    if day.day == 28 or day.month in (3, 6) or (day.month, day.day) in ((10, 30), (10, 31), (11, 1))
)
"""Both days when clocks are changed, eves, red days, and the beginning of summer."""

STRANGE = """
[[hours]]
name = "natt"
week = { mon-fri = "0.00-6.00, 18.00-24.00", sat-sun = "0.00-24.00" }
public_holidays = "as_usual"
special_days = { midsommarafton = "0.00-2.00", julafton = "20.00-24.00" }

[[hours]]
name = "jour"
week = { mon-sun = "0.00-24.00" }
public_holidays = "as_usual"
exceptions = [ { date = 2027-03-30, open = "closed", reason = "Byte av växel; --stängt" } ]
meetings = [ { day = "sun", time = "1.30-2.30" } ]

[[hours]]
name = "dubbel"
week = { mon-thu = "8.00-12.00, 13.00-16.30", fri = "8.00-12.00, 12.00-15.00", sun = "2.15-2.45" }
public_holidays = "9.00-12.00"
bridge_days = "10.00-14.00"
seasons = [
    { name = "jul", first = "12-20", last = "01-06", week = { mon-fri = "9.00-15.00" } },
    { name = "sommar", first = "06-28", last = "08-13", week = { mon-sun = "8.30-15.30" } },
]
exceptions = [
    { first = 2027-10-30, last = 2027-10-31, open = "1.00-2.30, 2.45-6.00", reason = "Storm" },
    { date = 2027-03-28, open = "1.00-2.30, 4.00-6.00", reason = "Storm" },
]
meetings = [ { day = "mon-fri", time = "8.00-9.00" }, { day = "wed", time = "15.30-16.30" } ]
"""
"""What a municipality would hardly write: nights, midnights, and edges in the changed hour."""

ASK = """[ask]
exten => s,1,Gosub(ivrd-hours-${ARG1},s,1(${ARG2}))
 same => n,QueueLog(NONE,${UNIQUEID},NONE,HOURS,${ARG1}|${ARG2}|${IVRD_OPEN}|${IVRD_CLOSES_AT})
 same => n,Return()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One table of hours at one moment."""

    name: str
    epoch_s: int

    @property
    def moment(self) -> datetime:
        """By the wall."""
        return datetime.fromtimestamp(self.epoch_s, ZONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the variables say."""

    state: str
    closes_at: str


def towns_schedules() -> dict[str, Schedule]:
    """Return the hours of the sample configuration, and strange ones."""
    tables = [tomllib.loads(text)["hours"] for text in (SAMPLE.read_text("utf-8"), STRANGE)]
    return schedules(HoursConfig.model_validate(table) for found in tables for table in found)


def moments(schedule: Schedule, days: Days, day: date) -> list[datetime]:
    """Return noon, each edge of the date, and the second before it."""
    edges = [stretch.begins_at for stretch in stretches_of(schedule, days, day, zone=ZONE)]
    noon = datetime.combine(day, time(12), ZONE)
    around = {noon, *edges, *(edge - timedelta(seconds=1) for edge in edges)}
    return sorted(around, key=datetime.timestamp)


def expected(schedule: Schedule, days: Days, moment: datetime) -> Answer:
    """Return what ivrd itself says."""
    opening = opening_at(schedule, days, at=moment, zone=ZONE)
    closes_at = opening.closes_at
    return Answer(
        state=opening.state.value,
        closes_at="" if closes_at is None else str(int(closes_at.timestamp())),
    )


def questions(
    known: Mapping[str, Schedule], days: Days, dates: Sequence[date]
) -> dict[Question, Answer]:
    """Return each question with ivrd's answer."""
    return {
        Question(name=name, epoch_s=int(moment.timestamp())): expected(schedule, days, moment)
        for name, schedule in known.items()
        for day in dates
        for moment in moments(schedule, days, day)
    }


def asking(asked: Sequence[Question]) -> Iterator[str]:
    """Yield a dialplan that asks everything, a thousand steps to an extension."""
    yield ASK
    yield "[lab]\nexten => wait,1,Answer()\n same => n,Wait(600)\n"
    for begin in range(0, len(asked), 1000):
        yield f"exten => ask{begin},1,Answer()\n"
        for question in asked[begin : begin + 1000]:
            yield f" same => n,Gosub(ask,s,1({question.name},{question.epoch_s}))\n"
        yield f" same => n,Goto(ask{begin + 1000},1)\n"
    yield f"exten => ask{(len(asked) + 999) // 1000 * 1000},1,Hangup()\n"


def answers_in(queue_log: Path) -> dict[Question, Answer]:
    rows = (line.split("|") for line in queue_log.read_text(encoding="utf-8").splitlines())
    return {
        Question(name=row[5], epoch_s=int(row[6])): Answer(state=row[7], closes_at=row[8])
        for row in rows
        if row[4] == "HOURS"
    }


async def ask(
    known: Mapping[str, Schedule], days: Days, asked: Sequence[Question]
) -> dict[Question, Answer]:
    """Return the answers of a real Asterisk."""
    contexts = "".join(
        render_hours(schedule, days, first=YEAR[0] - DAY, last=date(2028, 1, 2), zone=ZONE) + "\n"
        for schedule in known.values()
    )
    dialplan = {"hours.conf": contexts, "lab.conf": "".join(asking(asked))}
    async with Pbx.start(PbxPlan(dialplan=dialplan)) as pbx:

        def has_all() -> bool:
            if not pbx.queue_log.exists():
                # Asterisk makes it with its first row, some time after it has booted.
                return False
            whole_rows = pbx.queue_log.read_bytes().rpartition(b"\n")[0]
            return whole_rows.count(b"|HOURS|") == len(asked)

        await pbx.cli("channel originate Local/ask0@lab/n extension wait@lab")
        await until_true(has_all, what=f"{len(asked)} answers", within_s=WITHIN_S)
        assert complaints(pbx.log_path) == []
        return answers_in(pbx.queue_log)


def complaints(log: Path) -> list[str]:
    """Return what Asterisk warned of; its own queue, full of so many steps, is no matter."""
    lines = log.read_text(encoding="utf-8").splitlines()
    return [
        line
        for line in lines
        if re.search(r"WARNING|ERROR", line) and "taskprocessor.c" not in line
    ]


def told(differences: Mapping[Question, tuple[Answer, Answer | None]]) -> str:
    lines = [
        f"{question.name} {question.moment}: ivrd {ours}, Asterisk {its}"
        for question, (ours, its) in differences.items()
    ]
    return "\n".join([f"{len(lines)} differ", *lines[:20]])


async def compare(dates: Sequence[date]) -> dict[Question, Answer]:
    known, days = towns_schedules(), marks(2026, 2028)
    ours = questions(known, days, dates)
    found = await ask(known, days, list(ours))
    differences = {
        question: (answer, found.get(question))
        for question, answer in ours.items()
        if found.get(question) != answer
    }
    assert not differences, told(differences)
    return ours


async def test_asterisk_and_ivrd_agree_on_every_edge_of_a_whole_year() -> None:
    ours = await compare(YEAR)
    kinds = Counter((question.name, answer.state) for question, answer in ours.items())
    assert len(ours) > 10_000
    # Every kind of answer was among them; the comparison would see a wrong one.
    assert min(kinds["kc", state.value] for state in OpeningState) > 50
    assert {
        answer.closes_at == "" for question, answer in ours.items() if question.name == "jour"
    } == {
        True,
        False,
    }


@pytest.mark.older_asterisk
async def test_asterisk_and_ivrd_agree_on_the_dates_that_are_hardest() -> None:
    ours = await compare(SAMPLE_DATES)
    assert len(ours) > 1_000


async def test_a_wrong_hour_would_be_seen() -> None:
    """The same comparison, with a closing that Asterisk does not know of."""
    known, days = towns_schedules(), marks(2026, 2028)
    kc = known["kc"]
    (monday,) = kc.week[0]
    later = replace(monday, closes_minute=monday.closes_minute + 1)
    wrong = replace(kc, week=((later,), *kc.week[1:]))
    ours = questions({"kc": wrong}, days, YEAR[9:16])
    found = await ask({"kc": kc}, days, list(ours))
    differing = {question for question, answer in ours.items() if found[question] != answer}
    assert {question.moment.weekday() for question in differing} == {0}
