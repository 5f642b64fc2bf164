"""What the demo shows: the live table and the summary. Swedish first, English second."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import httpx
from rich.table import Table

from ivrd.core.journal_story import Story
from ivrd.core.reconcile import Difference
from tests.lab.municipality import Municipality

DIFFERENCES_SHOWN = 10

UNKNOWN = "?"
"""Unknown must never look like zero."""


class Progress(Protocol):
    """How far the stream of citizens has come."""

    @property
    def dialled(self) -> int: ...
    @property
    def live(self) -> int: ...
    @property
    def failed(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The figures of one moment, from ivrd's own API."""

    queues: Sequence[Mapping[str, object]] | None
    """None when ivrd does not answer."""
    dialled: int
    live: int
    failed: int

    @classmethod
    async def take(cls, town: Municipality, progress: Progress) -> Self:
        """Ask ivrd how it looks now."""
        try:
            queues = await town.queue_statuses()
        except (httpx.HTTPError, ValueError):
            queues = None
        return cls(
            queues=queues,
            dialled=progress.dialled,
            live=progress.live,
            failed=progress.failed,
        )

    def line(self) -> str:
        """Return it as one line."""
        head = f"samtal/calls {self.dialled}, pågår/live {self.live}"
        if self.queues is None:
            return f"{head} · ivrd svarar inte / does not answer"
        parts = []
        for status in self.queues:
            row = _row(status)
            parts.append(
                f"{row[0]}: väntar/waiting {row[1]}, besvarade/answered {row[4]}, "
                f"flyttade/moved {row[6]}, ärenden/cases {row[7]}"
            )
        return " · ".join([head, *parts])


def table(picture: Picture) -> Table:
    """Return the live table."""
    failed = f", ej uppkopplade/failed {picture.failed}" if picture.failed else ""
    shown = Table(
        title=f"samtal/calls {picture.dialled} · pågår/live {picture.live}{failed}",
        caption=(
            "ivrd svarar inte: statisk meny / ivrd does not answer: static menu"
            if picture.queues is None
            else "svarsnivå/service level: sl = answered within T / "
            "(answered + abandoned - short abandons), sedan start/since start"
        ),
    )
    for head in (
        "kö\nqueue",
        "väntar\nwaiting",
        "längst väntan\nlongest wait",
        "agenter lediga/upptagna\nagents free/busy",
        "besvarade\nanswered",
        "tappade\nabandoned",
        "flyttade in/ut\nmoved in/out",
        "ärenden\ncases",
        "svarsnivå\nsl",
    ):
        shown.add_column(head, justify="left" if head.startswith("kö") else "right")
    for status in picture.queues or ():
        shown.add_row(*_row(status))
    return shown


def summary_lines(
    result: Mapping[str, object], differences: Sequence[Difference], in_journal: int
) -> list[str]:
    """Return the summary, with each call that ivrd and Asterisk tell differently."""
    lines = [
        "",
        f"Samtal / calls: {result['calls']}   val / choices: {result['choices']}   "
        f"upplagda i menyn / hung up in menu: {result['menu_hangups']}",
        f"Besvarade / answered: {result['answered']}   tappade / abandoned: "
        f"{result['abandoned']}   flyttade / moved: {result['moved']}   "
        f"kopplade vidare / transferred: {result['transferred']}",
        f"Lösta av kommunvägledare / resolved by guides: {result['resolved']}   "
        f"ärenden / cases: {result['cases']}",
        f"Mot Asterisks queue_log ({in_journal} samtal i kö / calls in queues): "
        f"{result['unreconciled']} skiljer sig / differ",
    ]
    lines += [
        f"  {difference.call_id} ({', '.join(sorted(difference.kinds))}): "
        f"ivrd {_story(difference.ours)} · queue_log {_story(difference.journal)}"
        for difference in differences[:DIFFERENCES_SHOWN]
    ]
    if len(differences) > DIFFERENCES_SHOWN:
        lines.append(f"  … {len(differences) - DIFFERENCES_SHOWN} till / more")
    return lines


def reconciled_line(told: Mapping[str, object]) -> str:
    """Return what `ivrd reconcile` found, as it says it to people."""
    return (
        f"ivrd reconcile: {told['differences']} differences of {told['calls']} calls, "
        f"{told['open']} open"
    )


def _story(story: Story) -> str:
    stays = ", ".join(f"{stay.queue} {stay.end.value}" for stay in story.stays)
    outcomes = "/".join(sorted(outcome.value for outcome in story.outcomes))
    return f"[{stays or '-'}; {story.transfers} transfers; {outcomes or '?'}]"


def _row(status: Mapping[str, object]) -> list[str]:
    counts = _mapping(status["counts"])
    members = status["members"]
    agents = UNKNOWN
    if isinstance(members, Mapping):
        agents = f"{members['available']}/{members['busy']}"
    level = _mapping(_mapping(status["service_levels"])["sl"])["value"]
    return [
        f"{status['title_sv']} ({status['queue']})",
        _number(status["waiting"]),
        _number(status["longest_wait_s"], unit=" s"),
        agents,
        str(counts["answered"]),
        str(counts["abandoned"]),
        f"{counts['moved_in']}/{counts['moved_out']}",
        str(counts["cases"]),
        "-" if level is None else f"{float(str(level)):.0%}",
    ]


def _number(value: object, *, unit: str = "") -> str:
    return UNKNOWN if value is None else f"{float(str(value)):.0f}{unit}"


def _mapping(value: object) -> Mapping[str, object]:
    assert isinstance(value, Mapping), "the API gives objects here"
    return value
