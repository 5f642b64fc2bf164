"""The floor as a table for the terminal, Swedish first.

Here: what is printed, and which figures are past their goal. Not here: asking the daemon
(cli_status.py) and the figures themselves (web/status.py).

An unknown figure is "?", and one that has no value without traffic is a dash: neither looks like
zero. A wait past its goal is marked by a sign, not by colour alone.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo

from rich.console import Console, ConsoleOptions, Group, RenderableType
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

LEAST_FIRST = (8, 2, 7, 5, 4, 6, 9)
"""Which go first in a narrow terminal; who waits, how long, and the agents stay."""

NAME_WIDTH_MIN, MEASURED_WIDTH = 13, 250
"""Characters: of a queue's name before it goes on below, and of a line that is wide enough."""

LATE = "!"

LEGEND = (
    "agenter: lediga/upptagna/pausade · flytt: in/ut · ! längre väntan än målet\n"
    "EWT: expected wait · agents: free/busy/paused · moved: in/out · ! past its goal"
)


def table(floor: Json, zone: tzinfo) -> RenderableType:
    """Return the whole picture: queues, lines, and what is wrong."""
    parts: list[RenderableType] = [FittingTable(objects(floor.get("queues")))]
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


class FittingTable:
    """The queues in as many columns as the terminal has room for: no figure is ever cut."""

    def __init__(self, queues: Sequence[Json]) -> None:
        """Take them; the width is known when they are printed."""
        self._queues = queues

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """Yield the table, and which columns had no room."""
        hidden: tuple[int, ...] = ()
        wide = options.update(width=MEASURED_WIDTH)
        for number in range(len(LEAST_FIRST) + 1):
            hidden = LEAST_FIRST[:number]
            if console.measure(self._table(hidden), options=wide).minimum <= options.max_width:
                break
        yield self._table(hidden)
        if hidden:
            names = ", ".join("{} ({})".format(*COLUMNS[place]) for place in sorted(hidden))
            yield Text(f"för smalt för / too narrow for: {names}", style="dim")

    def _table(self, hidden: Collection[int]) -> Table:
        found = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
        rows = [_row(queue) for queue in self._queues]
        # A name may go on in a second line; a figure may not.
        found.add_column("Kö\nqueue", min_width=NAME_WIDTH_MIN, overflow="fold")
        shown = [place for place in range(len(COLUMNS)) if place not in hidden]
        for place in shown:
            width = max(len(text) for text in (*COLUMNS[place], *(row[place + 1] for row in rows)))
            found.add_column("\n".join(COLUMNS[place]), justify="right", min_width=width)
        for queue, (name, *figures) in zip(self._queues, rows, strict=True):
            cells = (figures[place] for place in shown)
            found.add_row(name, *cells, style="" if queue["is_synced"] else "dim")
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
