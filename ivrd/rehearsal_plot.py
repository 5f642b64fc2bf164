"""A plot of a rehearsal: who waited in each queue over the day, and the moves, as SVG and PNG.

Here: drawing. Not here: figures (rehearsal_report.py).

Why our own: it is a few lines and steps on three panels. matplotlib brings 30 MB and numpy for it;
Pillow, 22 MB, draws no SVG, and its own font has no å, ä or ö. A PNG is made of the SVG by
rsvg-convert, of Debian's package librsvg2-bin, which also sees to it that there is a font: a
renderer without one, such as resvg's wheel on a server, leaves all words out and says nothing.
"""

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from html import escape
from pathlib import Path

from ivrd.core.effects import Disposition
from ivrd.core.ids import QueueName
from ivrd.core.visits import Visit
from ivrd.errors import ConfigError, PeerRefused, PeerTimedOut, PeerUnreachable
from ivrd.rehearse import Rehearsed

WIDTH, LEFT, RIGHT = 920, 56, 900
HEAD, PANEL, GAP, FOOT = 66, 160, 80, 20
"""Pixels: above the first panel, each panel's height, between two, and below the last."""

STEPS = 280
"""Points over the day; of each, the most who waited."""

CONVERT_S_MAX = 30
PNG_WIDTH = 2 * WIDTH

RUG_MAX = 14
"""The tallest mark of moves; one move is 4 pixels."""

DASHES = ("", "7 3", "2 2.5", "9 3 2 3")
"""Queues differ by more than colour."""

STYLE = """
    text { font: 14px "DejaVu Sans", Verdana, sans-serif; fill: #1b1f24; }
    .small { font-size: 12px; fill: #454c54; }
    .head { font-weight: bold; }
    .end { text-anchor: end; }
    .middle { text-anchor: middle; }
    .page { fill: #ffffff; stroke: #d0d7de; }
    .grid { stroke: #d0d7de; stroke-width: 1; fill: none; }
    .queue { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
    .c0 { stroke: #0b57a4; } .c1 { stroke: #9a4a00; }
    .c2 { stroke: #1a6b2c; } .c3 { stroke: #8a2a6b; }
    .move { stroke-width: 2; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .small { fill: #b6c0ca; }
      .page { fill: #0d1117; stroke: #30363d; }
      .grid { stroke: #30363d; }
      .c0 { stroke: #6cb0ff; } .c1 { stroke: #f0a35e; }
      .c2 { stroke: #57c46f; } .c3 { stroke: #e58ac4; }
    }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    title: str
    visits: Sequence[Visit]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """What all panels share."""

    begins_at: datetime
    ends_at: datetime
    most: int
    queues: Sequence[QueueName]

    def x(self, moment: datetime) -> float:
        part = (moment - self.begins_at) / (self.ends_at - self.begins_at)
        return LEFT + (RIGHT - LEFT) * min(1.0, max(0.0, part))

    def y(self, top: float, waiting: int) -> float:
        return top + PANEL * (1 - waiting / self.most)


def check_plot(path: Path) -> None:
    """Refuse a file name that says nothing of its kind, before any work is done.

    Raises:
        ConfigError: It ends neither in .svg nor in .png.
        PeerUnreachable: There is nothing to make a PNG with.
    """
    if path.suffix not in (".svg", ".png"):
        raise ConfigError([f"--plot: {path.name}: must end in .svg or .png"])
    if path.suffix == ".png":
        _converter()


def write_plot(path: Path, svg: str) -> None:
    """Write a plot; a PNG is twice as wide as the SVG's measure.

    Raises:
        OSError: It cannot be written.
        PeerError: The PNG cannot be made.
    """
    path.write_bytes(_png(svg) if path.suffix == ".png" else svg.encode())


def plot(
    rehearsed: Rehearsed,
    titles: Mapping[QueueName, str],
    *,
    rule_name: str | None,
    zone: tzinfo,
) -> str:
    """Return the plot as SVG.

    Args:
        rehearsed: What came of it.
        titles: Of each queue.
        rule_name: What the tried rules are called; None when none were tried.
        zone: Of the times shown.
    """
    panels = [
        _Panel(title="Det som hände / what happened", visits=rehearsed.happened.visits),
        _Panel(
            title="Modellen, gällande regler / model, rules in force",
            visits=rehearsed.as_it_was.visits,
        ),
    ]
    if rehearsed.as_tried is not None:
        title = f"Modellen / model, {rule_name}"
        panels.append(_Panel(title=title, visits=rehearsed.as_tried.visits))
    queues = list(rehearsed.happened.queues)
    stays = [stay for panel in panels for visit in panel.visits for stay in visit.stays]
    if not stays:
        raise ConfigError(["--plot: nobody came on these days"])
    begins_at = min(stay.joined_at for stay in stays)
    # Whoever waits for ever in a model would stretch the day; they stand there to its end.
    ended = [stay.left_at for stay in stays if stay.disposition is not Disposition.UNKNOWN]
    ends_at = max([*ended, begins_at + timedelta(seconds=1)])
    most = max(_most(panel.visits, queue) for panel in panels for queue in queues)
    frame = _Frame(begins_at=begins_at, ends_at=ends_at, most=_round_up(most), queues=queues)
    return "\n".join(_document(frame, panels, titles, zone)) + "\n"


def _document(
    frame: _Frame, panels: Sequence[_Panel], titles: Mapping[QueueName, str], zone: tzinfo
) -> Iterator[str]:
    height = HEAD + len(panels) * PANEL + (len(panels) - 1) * GAP + RUG_MAX + FOOT + 34
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'aria-labelledby="title desc">'
    )
    yield '  <title id="title">Väntande per kö över dagen / waiting callers per queue</title>'
    yield f'  <desc id="desc">{escape(_description(frame, panels, titles))}</desc>'
    yield f"  <style>{STYLE}  </style>"
    yield f'  <rect class="page" x="1" y="1" width="{WIDTH - 2}" height="{height - 2}" rx="10"/>'
    yield from _legend(frame, titles)
    for number, panel in enumerate(panels):
        yield from _panel(frame, panel, HEAD + number * (PANEL + GAP), zone)
    yield "</svg>"


def _description(frame: _Frame, panels: Sequence[_Panel], titles: Mapping[QueueName, str]) -> str:
    parts = []
    for panel in panels:
        most = ", ".join(
            f"{titles.get(queue, queue)} {_most(panel.visits, queue)}" for queue in frame.queues
        )
        moves = sum(len(visit.stays) - 1 for visit in panel.visits)
        parts.append(f"{panel.title}: at most waiting {most}; {moves} moves.")
    return " ".join(parts)


def _legend(frame: _Frame, titles: Mapping[QueueName, str]) -> Iterator[str]:
    x = LEFT
    for number, queue in enumerate(frame.queues):
        yield f'  <path class="queue {_class(number)}"{_dash(number)} d="M{x} 24 h34"/>'
        title = titles.get(queue, queue)
        yield f'  <text x="{x + 42}" y="29">{escape(title)}</text>'
        x += 42 + 9 * len(title) + 26
    yield f'  <text class="small end" x="{RIGHT}" y="29">▏ flyttade / moved</text>'


def _panel(frame: _Frame, panel: _Panel, top: float, zone: tzinfo) -> Iterator[str]:
    bottom = top + PANEL
    yield f'  <text class="head" x="{LEFT}" y="{top - 10:g}">{escape(panel.title)}</text>'
    for waiting in _levels(frame.most):
        y = frame.y(top, waiting)
        yield f'  <path class="grid" d="M{LEFT} {y:.1f} H{RIGHT}"/>'
        yield f'  <text class="small end" x="{LEFT - 8}" y="{y + 4:.1f}">{waiting}</text>'
    for moment, text in _hours(frame, zone):
        x = frame.x(moment)
        yield f'  <path class="grid" d="M{x:.1f} {bottom:g} v5"/>'
        place = bottom + RUG_MAX + 18
        yield f'  <text class="small middle" x="{x:.1f}" y="{place:g}">{text}</text>'
    for number, queue in enumerate(frame.queues):
        line = _steps(frame, panel.visits, queue, top)
        yield f'  <path class="queue {_class(number)}"{_dash(number)} d="{line}"/>'
        rug = _rug(frame, panel.visits, queue, bottom)
        if rug:
            yield f'  <path class="move {_class(number)}" d="{rug}"/>'


def _steps(frame: _Frame, visits: Sequence[Visit], queue: QueueName, top: float) -> str:
    """Return a queue's line: at each step the most who waited since the last."""
    most = [0] * STEPS
    now, at = 0, 0
    for moment, change in _changes(visits, queue):
        step = min(STEPS - 1, int((moment - frame.begins_at) / _step(frame)))
        for passed in range(at + 1, step + 1):
            most[passed] = now
        at = step
        now += change
        most[at] = max(most[at], now)
    width = (RIGHT - LEFT) / STEPS
    risers = (
        f"H{LEFT + step * width:.1f}V{frame.y(top, most[step]):.1f}"
        for step in range(1, STEPS)
        if most[step] != most[step - 1]
    )
    return f"M{LEFT} {frame.y(top, most[0]):.1f}{''.join(risers)}H{RIGHT}"


def _rug(frame: _Frame, visits: Sequence[Visit], queue: QueueName, bottom: float) -> str:
    """Return a mark for each step in which callers were moved out of a queue."""
    moved: dict[int, int] = {}
    for visit in visits:
        for stay in visit.stays:
            if stay.queue == queue and stay.disposition is Disposition.MOVED:
                step = int((stay.left_at - frame.begins_at) / _step(frame))
                moved[step] = moved.get(step, 0) + 1
    width = (RIGHT - LEFT) / STEPS
    return "".join(
        f"M{LEFT + step * width:.1f} {bottom + 2:g}v{min(RUG_MAX, 2 + 2 * count)}"
        for step, count in sorted(moved.items())
    )


def _changes(visits: Sequence[Visit], queue: QueueName) -> list[tuple[datetime, int]]:
    changes = []
    for visit in visits:
        for stay in visit.stays:
            if stay.queue == queue and stay.left_at > stay.joined_at:
                changes += [(stay.joined_at, 1), (stay.left_at, -1)]
    return sorted(changes)


def _most(visits: Sequence[Visit], queue: QueueName) -> int:
    most = now = 0
    for _, change in _changes(visits, queue):
        now += change
        most = max(most, now)
    return most


def _step(frame: _Frame) -> timedelta:
    return (frame.ends_at - frame.begins_at) / STEPS


def _round_up(most: int) -> int:
    step = _level_step(most)
    return max(step, -(-most // step) * step)


def _level_step(most: int) -> int:
    return next((step for step in (1, 2, 5, 10, 20, 50, 100) if most <= 5 * step), 500)


def _levels(most: int) -> range:
    return range(0, most + 1, _level_step(most))


def _hours(frame: _Frame, zone: tzinfo) -> Iterator[tuple[datetime, str]]:
    """Yield round times within the frame: hours, or minutes of a short day."""
    span = frame.ends_at - frame.begins_at
    units = [timedelta(minutes=n) for n in (1, 5, 15, 60, 120, 360, 1440)]
    unit = next((unit for unit in units if span <= 12 * unit), timedelta(days=7))
    begin = frame.begins_at.astimezone(zone)
    moment = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    while moment <= frame.ends_at:
        if moment >= frame.begins_at:
            is_day = unit >= timedelta(days=1)
            yield moment, f"{moment:%d/%m}" if is_day else f"{moment:%H.%M}"
        moment += unit


def _class(number: int) -> str:
    return f"c{number % 4}"


def _dash(number: int) -> str:
    dash = DASHES[number % len(DASHES)]
    return f' stroke-dasharray="{dash}"' if dash else ""


def _converter() -> str:
    found = shutil.which("rsvg-convert")
    if found is None:
        raise PeerUnreachable(
            "rsvg-convert is missing; install the package librsvg2-bin, or let --plot end in .svg"
        )
    return found


def _png(svg: str) -> bytes:
    try:
        ended = subprocess.run(
            [_converter(), "--format=png", f"--width={PNG_WIDTH}"],
            input=svg.encode(),
            capture_output=True,
            timeout=CONVERT_S_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PeerTimedOut(f"rsvg-convert did not end in {CONVERT_S_MAX} s") from error
    if ended.returncode != 0:
        lines = ended.stderr.decode(errors="replace").strip().splitlines()
        raise PeerRefused(f"rsvg-convert: {lines[-1] if lines else ended.returncode}")
    return ended.stdout
