"""The document of a period: every figure has words, nothing is said of nobody, nothing is run."""

import io
import json
import re
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from pypdf import PdfReader, mult

from ivrd import config
from ivrd.config import Config
from ivrd.core.case_record import CaseClass
from ivrd.core.effects import Disposition, Outcome
from ivrd.core.ids import CallId, LineName, QueueName
from ivrd.core.period_book import PeriodBook
from ivrd.core.period_change import CHANGES
from ivrd.core.period_figures import FIGURES
from ivrd.core.periods import Span, period_of
from ivrd.core.stored_calls import StoredCall, StoredCase, StoredStay
from ivrd.errors import ConfigError
from ivrd.reports.comparison import COMPARED, LATE, Stored
from ivrd.reports.document import Document, Grid, Language, Plot
from ivrd.reports.exports import csv_of, json_of, xlsx_of
from ivrd.reports.figure_words import WORDS
from ivrd.reports.history import History
from ivrd.reports.html import as_html
from ivrd.reports.numbers import NO_VALUE
from ivrd.reports.pdf import as_pdf
from ivrd.reports.reading import house_of
from ivrd.reports.subjects import Wanted

SAMPLE = Path(__file__).resolve().parents[3] / "config" / "ivrd.toml"
AT = datetime(2026, 10, 26, 8, 10, tzinfo=UTC)
MONDAY = datetime(2026, 10, 19, 7, tzinfo=UTC)
LONG_AGO = datetime(2026, 1, 2, tzinfo=UTC)
LATER = datetime(2026, 12, 1, tzinfo=UTC)


def plain(text: str) -> str:
    return re.sub("[\N{NARROW NO-BREAK SPACE}\N{NO-BREAK SPACE}]", " ", text)


def settings_with(**changes: object) -> Config:
    document = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))
    document.pop("prompt_sheet")
    for queue in document["queues"]:
        queue.update(changes.get(queue["name"], {}))
    return config.check(document)


def a_call(number: int, *, line: str = "kommunen", queue: str = "kc") -> StoredCall:
    stay = StoredStay(
        queue=QueueName(queue),
        joined_at=AT,
        disposition=Disposition.ANSWERED,
        entry_wait=timedelta(seconds=30),
        wait=timedelta(seconds=30),
        talk=timedelta(seconds=100),
    )
    return StoredCall(
        call_id=CallId(f"pbx1/{number}"),
        line=LineName(line),
        arrived_at=AT,
        ended_at=AT + timedelta(minutes=3),
        outcome=Outcome.RESOLVED,
        transfers=0,
        stays=(stay,),
        case=StoredCase(
            case_class=CaseClass.RESOLVED,
            is_case=True,
            is_solved=True,
            label="a",
            department="<b>&co",
        ),
    )


def the_document(
    *calls: StoredCall,
    span: Span = Span.WEEK,
    wanted: Wanted | None = None,
    language: Language = "sv",
    now: datetime = LATER,
    settings: Config | None = None,
    before: Sequence[StoredCall] = (),
    known_since: datetime | None = None,
) -> Document:
    settings = settings or settings_with()
    books = []
    for some in (calls, before):
        books.append(PeriodBook(house_of(settings)))
        for call in some:
            books[-1].add(call)
    period = period_of(span, date(2026, 10, 26), ZoneInfo("Europe/Stockholm"))
    stored = Stored(book=books[0], before=books[1], known_since=known_since)
    history = History(settings, stored, period, language=language, now=now)
    return history.document(wanted or Wanted())


def grids(document: Document) -> dict[str, Grid]:
    return {block.title: block for block in document.blocks if isinstance(block, Grid)}


def cell(grid: Grid, formula: str, column: str) -> str:
    place = [each.title for each in grid.columns].index(column)
    return next(row.cells[place] for row in grid.rows if row.formula == formula)


def test_every_figure_has_words_and_no_words_are_left_over() -> None:
    figures = {figure.name for figure in FIGURES}
    assert figures | {"sl_goal"} | set(CHANGES.values()) == set(WORDS)
    assert figures | {"sl_goal"} > COMPARED | LATE


def test_every_figure_that_is_shown_is_explained() -> None:
    document = the_document(a_call(1), a_call(2, queue="vaxel"))
    explained = {name for name, _ in document.formulas}
    shown = {row.formula for grid in grids(document).values() for row in grid.rows}
    assert {name for name in shown if name and not name.startswith("cases_")} <= explained


@pytest.mark.parametrize("span", Span)
def test_nobody_called_is_no_value_and_never_a_per_cent(span: Span) -> None:
    document = the_document(span=span)
    for grid in grids(document).values():
        for row in grid.rows:
            assert not any("%" in one or " s" in one for one in row.cells), row
    assert not any(isinstance(block, Plot) for block in document.blocks)
    assert all(datum.value in (0, None) for datum in document.data)
    assert '"value": null' in json_of(document)


def test_guidance_and_switchboard_share_no_table_and_internal_lines_stand_apart() -> None:
    document = the_document(
        a_call(1), a_call(2, queue="vaxel"), a_call(3, line="internt", queue="vaxel")
    )
    found = grids(document)
    assert cell(found["Vägledning"], "answered", "Kontaktcenter") == "1"
    assert cell(found["Växel"], "answered", "Växel") == "1"
    assert cell(found["Interna linjer: Växel"], "answered", "Växel") == "1"
    assert cell(found["Samtal per linje"], "calls", "Alla externa") == "2"
    guides = {each.title for each in found["Vägledning"].columns}
    assert not guides & {each.title for each in found["Växel"].columns}


def test_long_names_do_not_push_a_column_off_the_paper() -> None:
    names = [f"{letter}{'förvaltningen' * 3}" for letter in "abcdef"]
    calls = [
        replace(call, case=replace(call.case, department=name))
        for name, call in zip(names, map(a_call, range(6)), strict=True)
        if call.case is not None
    ]
    document = the_document(*calls)
    starts: list[float] = []

    def see(operator: bytes, _operands: object, cm: list[float], tm: list[float]) -> None:
        if operator in (b"Tj", b"TJ"):
            starts.append(mult(tm, cm)[4])

    reader = PdfReader(io.BytesIO(as_pdf(as_html(document))))
    page = next(each for each in reader.pages if "Förvaltningar" in each.extract_text())
    page.extract_text(visitor_operand_before=see)
    assert max(starts) < float(page.mediabox.width) - 14 / 25.4 * 72, "within the margin of 14 mm"


def test_queues_of_one_answer_group_stand_together() -> None:
    settings = settings_with(kc={"group": "torget"}, aldre={"group": "torget"})
    calls = (a_call(1), a_call(2, queue="aldre"))
    found = grids(the_document(*calls, settings=settings))
    assert cell(found["Vägledning"], "answered", "Grupp torget") == "2"
    only = grids(the_document(*calls, settings=settings, wanted=Wanted(group="torget")))
    assert [each.title for each in only["Vägledning"].columns] == [
        "Grupp torget",
        "Kontaktcenter",
        "Äldre direkt",
    ]


@pytest.mark.parametrize(
    "wanted",
    [Wanted(queue="kx"), Wanted(line="komunen"), Wanted(group="torg"), Wanted(department="tekn")],
)
def test_an_unknown_name_is_refused_with_the_way_out(wanted: Wanted) -> None:
    with pytest.raises(ConfigError, match=r"did you mean|known:"):
        the_document(wanted=wanted)


def test_one_queue_alone_is_a_report_of_its_own() -> None:
    document = the_document(a_call(1), wanted=Wanted(queue="kc"))
    assert list(grids(document)) == ["Vägledning", "Vägledning, dag för dag"]
    assert {datum.subject for datum in document.data} == {"kc"}


@pytest.mark.parametrize(
    ("wanted", "title", "formula"),
    [
        (Wanted(department="teknisk"), "Dag för dag", "guided"),
        (Wanted(queue="kc"), "Vägledning, dag för dag", "offered"),
        (Wanted(group="kc"), "Vägledning, dag för dag", "offered"),
        (Wanted(line="kommunen"), "Vägledning, dag för dag", "offered"),
    ],
)
def test_days_and_sums_leave_out_the_staffs_own_calls_alike(
    wanted: Wanted, title: str, formula: str
) -> None:
    labelled = StoredCase(
        case_class=CaseClass.RESOLVED,
        is_case=True,
        is_solved=True,
        label="avfall",
        department="teknisk",
    )
    calls = [replace(a_call(1), case=labelled), replace(a_call(2, line="internt"), case=labelled)]
    found = grids(the_document(*calls, wanted=wanted))
    days = found.pop(title)
    place = [each.note for each in days.columns].index(formula)
    assert [row.cells[place] for row in days.rows] == ["1", *6 * ["0"], "1"]
    sums = [row.cells[0] for grid in found.values() for row in grid.rows if row.formula == formula]
    assert sums == ["1"]


def test_what_is_not_final_yet_says_so() -> None:
    soon = the_document(a_call(1), now=datetime(2026, 11, 3, tzinfo=UTC))
    assert "2026-11-09" in as_html(soon)
    assert "pågår" in as_html(the_document(a_call(1), now=AT))
    known = the_document(*a_week(0), before=a_week(-7), known_since=LONG_AGO)
    assert "warning" not in re.sub(r"<style>.*?</style>", "", as_html(known), flags=re.S)


@pytest.mark.parametrize("language", ["sv", "en"])
def test_the_page_runs_nothing_fetches_nothing_and_takes_names_as_text(
    language: Language,
) -> None:
    page = as_html(the_document(a_call(1), language=language))
    assert "<script" not in page
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|url\(|@import|<link|<img", page)
    assert "<b>&co" not in page
    assert "&lt;b&gt;&amp;co" in page
    assert f'<html lang="{language}">' in page


def test_plots_are_pictures_for_a_screen_reader_too() -> None:
    document = the_document(a_call(1), a_call(2, queue="vaxel"))
    plots = [block for block in document.blocks if isinstance(block, Plot)]
    assert len(plots) == 5, "heat map, and of guides and switchboard a curve and the waits"
    ids = []
    for plot in plots:
        root = ElementTree.fromstring(plot.svg)
        assert root.get("role") == "img"
        ids += (root.get("aria-labelledby") or "").split()
    assert len(set(ids)) == len(ids)


def test_numbers_for_other_programs_are_plain() -> None:
    lines = csv_of(the_document(a_call(1))).decode().splitlines()
    assert lines[0] == (
        "period,table,subject,part,figure,unit,value,"
        "period_before,value_before,change,change_formula"
    )
    nobody_knows = "2026-W43,,,change_of_"
    assert f"2026-W44,guide/queue,kc,external,sl,share,1.0,{nobody_knows}share" in lines
    assert f"2026-W44,guide/queue,kc,external,wait_p90,s,30.0,{nobody_knows}time" in lines
    assert f"2026-W44,guide/queue,uppsamling,external,sl,share,,{nobody_knows}share" in lines


def a_week(days: int, *, calls_a_day: int = 1, wait_s: float = 30) -> list[StoredCall]:
    """Return so many calls of each working day of the week, or of one so many days from it."""
    found = []
    for number in range(5 * calls_a_day):
        call = a_call(number)
        step = timedelta(days=days + number % 5)
        (stay,) = call.stays
        wait = timedelta(seconds=wait_s)
        stay = replace(stay, joined_at=stay.joined_at + step, wait=wait)
        arrived_at, ended_at = call.arrived_at + step, call.ended_at + step
        found.append(replace(call, arrived_at=arrived_at, ended_at=ended_at, stays=(stay,)))
    return found


def beside(grid: Grid, formula: str, column: str) -> list[str]:
    """Return a figure's cell, what it was, and the change."""
    place = [each.title for each in grid.columns].index(column)
    first = [row.formula for row in grid.rows].index(formula)
    return [plain(row.cells[place]) for row in grid.rows[first : first + 3]]


def test_main_figures_stand_beside_those_of_the_period_before() -> None:
    document = the_document(
        *a_week(0, calls_a_day=2, wait_s=90), before=a_week(-7), known_since=LONG_AGO
    )
    found = grids(document)
    guidance = found["Vägledning"]
    assert beside(guidance, "offered", "Kontaktcenter") == ["10", "5", "+100,0 %"]
    assert beside(guidance, "sl", "Kontaktcenter") == ["0,0 %", "100,0 %", "−100,0 %-enh."]  # noqa: RUF001
    assert beside(guidance, "wait_p90", "Kontaktcenter") == ["1 min 30 s", "30,0 s", "+1 min 00 s"]
    assert beside(guidance, "offered", "Uppsamling") == ["0", NO_VALUE, NO_VALUE], "nobody knows"
    lines = csv_of(document).decode().splitlines()
    kc = "2026-W44,guide/queue,kc,external"
    assert f"{kc},offered,count,10,2026-W43,5,1.0,change_of_count" in lines
    assert f"{kc},sl,share,0.0,2026-W43,1.0,-1.0,change_of_share" in lines
    told = json.loads(json_of(document))["numbers"]
    unknown = next(
        one for one in told if (one["subject"], one["figure"]) == ("uppsamling", "offered")
    )
    assert (unknown["value"], unknown["value_before"], unknown["change"]) == (0, None, None)


def test_a_department_that_fell_silent_is_told_of() -> None:
    then = [
        replace(call, case=replace(call.case, department="teknisk"))
        for call in a_week(-7)
        if call.case is not None
    ]
    document = the_document(*a_week(0), before=then, known_since=LONG_AGO)
    found = beside(grids(document)["Förvaltningar"], "guided", "Tekniska kontoret")
    assert found == ["0", "5", "−100,0 %"]  # noqa: RUF001


@pytest.mark.parametrize(
    ("calls", "before", "known_since", "now", "says", "shown"),
    [
        (a_week(0), a_week(-7)[1:], LONG_AGO, LATER, "arbetsdagarna 2026-10-19", ["5", "–", "–"]),  # noqa: RUF001
        (a_week(0), a_week(-7), MONDAY, LATER, "kom 2026-10-19 09.00", ["5", "–", "–"]),  # noqa: RUF001
        (a_week(0), (), AT, LATER, "2026-W43: inga samtal är lagrade", ["5", "–", "–"]),  # noqa: RUF001
        (a_week(0)[1:], a_week(-7), LONG_AGO, LATER, "Fakta saknas för 2026-W44", ["4", "5", "–"]),  # noqa: RUF001
        (a_week(0)[:1], a_week(-7), LONG_AGO, AT, "pågår", ["1", "5", "–"]),  # noqa: RUF001
    ],
)
def test_where_calls_are_lacking_nothing_is_compared(
    calls: Sequence[StoredCall],
    before: Sequence[StoredCall],
    known_since: datetime,
    now: datetime,
    says: str,
    shown: list[str],
) -> None:
    document = the_document(*calls, before=before, known_since=known_since, now=now)
    assert beside(grids(document)["Vägledning"], "offered", "Kontaktcenter") == shown
    assert says in as_html(document)


def test_rang_again_is_not_compared_before_it_is_final() -> None:
    for now, is_final in ((datetime(2026, 11, 8, 22, tzinfo=UTC), False), (LATER, True)):
        known = [
            replace(call, is_repeated=number == 0)
            for week in (0, -7)
            for number, call in enumerate(a_week(week))
        ]
        document = the_document(*known[:5], before=known[5:], known_since=LONG_AGO, now=now)
        changes = {
            datum.before.change
            for datum in document.data
            if datum.name == "repeat_rate" and datum.subject == "kc" and datum.before is not None
        }
        assert changes == ({Fraction(0)} if is_final else {None})


def test_the_same_document_twice_gives_the_same_bytes() -> None:
    document = the_document(a_call(1), span=Span.DAY, wanted=Wanted(queue="kc"))
    page = as_html(document)
    assert as_pdf(page) == as_pdf(page)
    assert xlsx_of(document) == xlsx_of(document)
