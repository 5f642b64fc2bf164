"""The floor as a table for the terminal, Swedish first.

Here: what is printed, and which figures are past their goal. Not here: asking the daemon
(cli_status.py) and the figures themselves (web/status.py).

An unknown figure is "?", and one that has no value without traffic is a dash: neither looks like
zero. A wait past its goal is marked by a sign, not by colour alone.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

Json = Mapping[str, object]

UNKNOWN, NO_VALUE = "?", "\N{EN DASH}"

COLUMNS = (
    ("Väntar", "wait"),
    ("Längst", "longest"),
    ("Väntas", "EWT"),
    ("Agenter", "fr/bu/pa"),
    ("Erbj", "offd"),
    ("Svar", "answ"),
    ("Tapp", "abnd"),
    ("Flytt", "in/out"),
    ("Ärende", "cases"),
    ("Nivå", "sl"),
)
"""Short enough for a terminal of 80 characters; LEGEND says the rest."""

LATE = "!"

LEGEND = (
    "agenter: lediga/upptagna/pausade · flytt: in/ut · ! längre väntan än målet\n"
    "EWT: expected wait · agents: free/busy/paused · moved: in/out · ! past its goal"
)


def table(floor: Json, zone: tzinfo) -> RenderableType:
    """Return the whole picture: queues, lines, and what is wrong."""
    parts: list[RenderableType] = [_queues(objects(floor.get("queues")))]
    closed = [line for line in objects(floor.get("lines")) if line["state"] != "open"]
    parts += [Text(_closed(line, zone)) for line in closed]
    parts += [Text(f"! {fault}", style="bold red") for fault in texts(floor.get("faults"))]
    parts.append(Text(LEGEND, style="dim"))
    parts.append(Text(_footnote(objects(floor.get("queues")), zone), style="dim"))
    return Group(*parts)


def away(faults: Sequence[str], now: datetime) -> RenderableType:
    """Return what is shown while ivrd cannot be asked: the reasons, and no figure at all."""
    told = [
        Text(f"{now:%Y-%m-%d %H:%M:%S} ivrd svarar inte; frågar igen / does not answer; asks again")
    ]
    told += [Text(f"! {fault}", style="bold red") for fault in faults]
    return Group(*told)


def is_late(queue: Json) -> bool:
    """Return whether somebody has waited past the queue's goal."""
    longest, goal = queue.get("longest_wait_s"), queue.get("service_level_threshold_s")
    return isinstance(longest, float) and isinstance(goal, float) and longest > goal


def objects(value: object) -> list[Json]:
    """Return the objects of a list in an answer."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def texts(value: object) -> list[str]:
    """Return the texts of a list in an answer."""
    return [str(each) for each in value] if isinstance(value, list) else []


def _queues(queues: Sequence[Json]) -> Table:
    found = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    found.add_column("Kö\nqueue", no_wrap=True)
    for swedish, english in COLUMNS:
        found.add_column(f"{swedish}\n{english}", justify="right", no_wrap=True)
    for queue in queues:
        found.add_row(*_row(queue), style="" if queue["is_synced"] else "dim")
    return found


def _row(queue: Json) -> list[str | Text]:
    members, counts = _object(queue.get("members")), _object(queue.get("counts"))
    level = _object(_object(queue.get("service_levels")).get("sl")).get("value")
    late = f" {LATE}" if is_late(queue) else ""
    return [
        escape(str(queue.get("title_sv") or queue["queue"])),
        _count(queue.get("waiting")),
        Text(
            _duration(queue.get("longest_wait_s"), UNKNOWN) + late,
            style="bold red" if late else "",
        ),
        _duration(queue.get("expected_wait_s"), NO_VALUE if queue["is_synced"] else UNKNOWN),
        "/".join(_count(members.get(state)) for state in ("available", "busy", "paused")),
        *(_count(counts.get(each)) for each in ("offered", "answered", "abandoned")),
        "/".join(_count(counts.get(each)) for each in ("moved_in", "moved_out")),
        _count(counts.get("cases")),
        f"{level:.0%}" if isinstance(level, float) else NO_VALUE,
    ]


def _footnote(queues: Sequence[Json], zone: tzinfo) -> str:
    """Return whose clock it is, since when is counted, and the formula of the ratio."""
    if not queues:
        return "inga köer / no queues"
    first = queues[0]
    formula = _object(_object(first.get("service_levels")).get("sl")).get("formula")
    since = first.get("counted_since")
    counted = "" if since is None else f" · räknat sedan / counted since {_clock(since, zone)}"
    return f"{_clock(first.get('at'), zone)}{counted}\nsl = {formula}"


def _closed(line: Json, zone: tzinfo) -> str:
    until = "" if line.get("until") is None else f" till / until {_clock(line['until'], zone)}"
    why = " ".join(str(line.get(key) or "") for key in ("reason", "text")).strip()
    return f"{line['line']} ({line['number']}): stängd / closed{until}, {why}"


def _clock(moment: object, zone: tzinfo) -> str:
    return f"{datetime.fromisoformat(str(moment)).astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _count(value: object) -> str:
    return UNKNOWN if value is None else str(value)


def _duration(value: object, missing: str) -> str:
    if not isinstance(value, int | float):
        return missing
    minutes, seconds = divmod(int(value), 60)
    return f"{minutes}:{seconds:02}"


def _object(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}
