"""A call on paper: what `ivrd menu try` says of each step, for people and as JSON.

Here: words. Not here: the steps (core/route.py), and asking a person for keys (cli_menu.py).
"""

import textwrap
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import assert_never
from zoneinfo import ZoneInfo

from ivrd.config import Config, LineConfig, QueueConfig
from ivrd.config.prompt_sheet import ALL, Said
from ivrd.core.hours import Opening, OpeningState
from ivrd.core.menu import MenuOutcome
from ivrd.core.prompt_text import estimated_length
from ivrd.core.route_steps import (
    Chose,
    Ended,
    EndKind,
    Forced,
    Heard,
    HeardAs,
    Left,
    Listens,
    Met,
    Moment,
    Step,
    TurnedAway,
    Waits,
    WayIn,
)
from ivrd.core.targets import (
    Back,
    InLanguage,
    Slowly,
    ToAnnouncement,
    ToCallback,
    ToMenu,
    ToNumber,
    ToQueue,
    target_of,
)
from ivrd.errors import ConfigError
from ivrd.routes import Hours, hours_at, moment_of, way_in
from ivrd.sounds.origin import Origin, read_origins, sound_name

COLUMNS = 96

Json = dict[str, object]

HEARD_AS = {
    HeardAs.CLOSED: "closed",
    HeardAs.NOTICE: "notice",
    HeardAs.MENU: "menu",
    HeardAs.INVALID: "wrong key",
    HeardAs.ANNOUNCEMENT: "announcement",
    HeardAs.UNAVAILABLE: "nobody can answer",
}

STATES = {
    OpeningState.OPEN: "open",
    OpeningState.CLOSED: "closed",
    OpeningState.MEETING: "in a meeting",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call, before its first step."""

    config: Config
    line: LineConfig
    way: WayIn
    hours: Hours
    moment: Moment
    forced: Forced | None
    sounds: Path
    origins: Mapping[str, Origin] | None
    """None: there is no directory of sounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What is otherwise than the configuration says, for a try."""

    language: str | None = None
    is_slow: bool = False
    forced: Forced | None = None
    notices: Collection[str] = ()


def call_at(config: Config, line: str, at: datetime, *, sounds: Path, but: Circumstances) -> Call:
    """Return a call to a line, by its name or number, at a moment.

    Raises:
        ConfigError: A name is none of the configuration's.
    """
    found = next((one for one in config.lines if line in (one.name, one.number)), None)
    if found is None:
        known = ", ".join(one.name for one in config.lines)
        raise ConfigError([f"no line is named or numbered {line!r}; known: {known}"])
    notices = [notice.name for notice in config.notices]
    for name in but.notices:
        if name not in notices:
            known = ", ".join(notices) or "none"
            raise ConfigError([f"--notice: no notice is named {name!r}; known: {known}"])
    if config.sheet is not None and but.language not in (None, *config.sheet.languages):
        known = ", ".join(config.sheet.languages)
        raise ConfigError([f"--language: the prompt sheet has {known}, not {but.language!r}"])
    way, hours = way_in(config), hours_at(config, at)
    entered = way.lines[found.name]
    entered = replace(
        entered,
        language=but.language or entered.language,
        is_slow=but.is_slow or entered.is_slow,
    )
    return Call(
        config=config,
        line=found,
        way=replace(way, lines={**way.lines, found.name: entered}),
        hours=hours,
        moment=moment_of(config, found, hours, forced=but.forced, notices=but.notices),
        forced=but.forced,
        sounds=sounds,
        origins=read_origins(sounds) if sounds.is_dir() else None,
    )


def tell(call: Call, step: Step) -> Iterator[str]:
    """Yield the lines that tell of a step."""
    match step:
        case Met():
            yield from _met(call, step)
        case Heard():
            yield from _heard(call, step)
        case Listens():
            if step.typed:
                yield f"  {step.typed} so far; {_seconds(step)} of silence end it"
        case Chose():
            yield f"→ {_how(step)}: {_where(call, step.choice)}"
        case TurnedAway():
            onward = f"on to {_queue(call, step.to)}" if step.to else "there is no way on"
            yield f"  {_queue(call, step.queue)} is {STATES[step.state]}: {onward}"
        case Waits():
            yield from _waits(call, step)
        case Left():
            yield f"→ Key {step.digit} while waiting: {_where(call, step.choice)}"
        case Ended():
            yield f"■ {_ended(call, step)}"
        case _:
            assert_never(step)


def as_json(call: Call, step: Step) -> Json:
    """Return a step for programs."""
    told: Json = {"step": type(step).__name__.lower()}
    match step:
        case Met():
            told |= {"line": step.line, "state": step.state.value}
        case Heard():
            said = _said(call, step)
            told |= {
                "prompt": step.prompt,
                "as": step.heard_as.value,
                "place": step.place,
                "language": step.language,
                "text_language": None if said is None else said.language,
                "text": None if said is None else said.text,
                "sound": str(_sound(call, step)),
                "takes_keys": step.takes_keys,
            }
        case Listens():
            told |= {
                "menu": step.menu,
                "seconds": step.timeout.total_seconds(),
                "typed": step.typed,
            }
        case Chose():
            told |= {
                "menu": step.menu,
                "outcome": step.outcome.value,
                "choice": step.choice,
                "key": step.digit,
                "wrong_keys": list(step.wrong_keys),
                "language": step.language,
            }
        case TurnedAway():
            told |= {"queue": step.queue, "state": step.state.value, "to": step.to}
        case Waits():
            told |= {"queue": step.queue, "language": step.language, "keys": list(step.keys)}
        case Left():
            told |= {"queue": step.queue, "key": step.digit, "choice": step.choice}
        case Ended():
            told |= {
                "end": step.kind.value,
                "name": step.name,
                "language": step.language,
                "is_slow": step.is_slow,
            }
        case _:
            assert_never(step)
    return told


# The door.


def _met(call: Call, step: Met) -> Iterator[str]:
    local = call.hours.at.astimezone(ZoneInfo(call.config.time_zone))
    when = f"{local:%A} {local.day} {local:%B %Y}, {local.hour}.{local:%M}"
    yield f"{call.line.name}, {call.line.number}: {when}"
    yield f"  {_door(call, step)}"
    for queue in call.config.queues:
        if call.moment.queue_states.get(queue.name, OpeningState.OPEN) is not OpeningState.OPEN:
            assert queue.hours is not None, "only hours close a queue"
            yield f"  Queue {queue.name} is {_opening(call, call.hours.openings[queue.hours])}."


def _door(call: Call, step: Met) -> str:
    if call.forced is not None and call.forced.until > call.hours.at:
        return f"The line is {STATES[step.state]}: forced, until {_clock(call, call.forced.until)}."
    if call.line.hours is None:
        return "The line is always open."
    opening = call.hours.openings[call.line.hours]
    if opening.state is OpeningState.MEETING:
        return f"The line is open, its group {_opening(call, opening)}."
    return f"The line is {_opening(call, opening)}."


def _opening(call: Call, opening: Opening) -> str:
    reason = opening.reason.text or opening.reason.rule.value.replace("_", " ")
    until = "" if opening.until is None else f", until {_clock(call, opening.until)}"
    return f"{STATES[opening.state]} ({reason}){until}"


def _clock(call: Call, moment: datetime) -> str:
    zone = ZoneInfo(call.config.time_zone)
    local, today = moment.astimezone(zone), call.hours.at.astimezone(zone).date()
    clock = f"{local.hour}.{local:%M}"
    return clock if local.date() == today else f"{local:%a} {local.day} {local:%b} {clock}"


# Prompts.


def _heard(call: Call, step: Heard) -> Iterator[str]:
    said = _said(call, step)
    length = "" if said is None else f", about {_length(said):.0f} s"
    yield f"♪ {step.prompt} ({HEARD_AS[step.heard_as]}, {_spoken(step, said)}{length})"
    text = "the sheet has no such prompt" if said is None else f"“{said.text}”"
    yield from textwrap.wrap(text, COLUMNS, initial_indent="    ", subsequent_indent="    ")
    yield f"    {_sound(call, step)}{_origin(call, step)}"


def _said(call: Call, step: Heard) -> Said | None:
    sheet = call.config.sheet
    return None if sheet is None else sheet.said(step.prompt, step.language)


def _length(said: Said) -> float:
    return estimated_length(said.text, said.language).total_seconds()


def _spoken(step: Heard, said: Said | None) -> str:
    if said is None or said.language in (step.language, ALL):
        return step.language
    return f"{step.language} missing, so in {said.language}"


def _sound(call: Call, step: Heard) -> Path:
    return call.sounds / sound_name(step.language, step.prompt)


def _origin(call: Call, step: Heard) -> str:
    if call.origins is None:
        return ""
    origin = call.origins.get(sound_name(step.language, step.prompt))
    if origin is None:
        return ": not there, nothing is heard"
    return f" ({origin.kind})"


# Choices and ends.


def _how(step: Chose) -> str:
    match step.outcome:
        case MenuOutcome.CHOSEN:
            return f"Key {step.digit}"
        case MenuOutcome.STAYED:
            return "Silence"
        case MenuOutcome.GAVE_UP | MenuOutcome.HUNG_UP:
            wrong = ", ".join(step.wrong_keys)
            return f"Too many wrong keys ({wrong})" if wrong else "Too many menus in one call"
        case _:
            assert_never(step.outcome)


def _where(call: Call, label: str) -> str:
    match target_of(label):
        case ToQueue(queue=name):
            return _queue(call, name)
        case ToMenu(menu=name):
            return f"menu {name}"
        case ToAnnouncement(prompt=name):
            return f"announcement {name}"
        case ToNumber(number=number):
            return f"number {number}"
        case InLanguage(language=language):
            return f"speaks {language} from now on"
        case Slowly():
            return "longer time-outs from now on"
        case Back():
            return "back"
        case ToCallback():
            return "being rung up"


def _queue(call: Call, name: str) -> str:
    title = _queue_of(call, name).title_sv
    return f"queue {name} ({title})" if title else f"queue {name}"


def _queue_of(call: Call, name: str) -> QueueConfig:
    return next(queue for queue in call.config.queues if queue.name == name)


def _waits(call: Call, step: Waits) -> Iterator[str]:
    queue = _queue_of(call, step.queue)
    yield f"  Waits in {_queue(call, step.queue)}."
    if queue.speaks_wait:
        yield "  Hears the place in it and the expected wait."
    if queue.offer_prompt is not None:
        offer = Heard(
            prompt=queue.offer_prompt,
            heard_as=HeardAs.ANNOUNCEMENT,
            language=step.language,
            place=step.queue,
        )
        said = _said(call, offer)
        text = "" if said is None else f": “{said.text}”"
        line = f"Every {queue.offer_every_s} s {queue.offer_prompt}{text}"
        yield from textwrap.wrap(line, COLUMNS, initial_indent="  ", subsequent_indent="    ")
    for key in step.keys:
        yield f"  Key {key}: {_where(call, queue.exit_keys[key].label)}"


def _ended(call: Call, step: Ended) -> str:
    match step.kind:
        case EndKind.QUEUE:
            end = f"Waits in {_queue(call, step.name)}"
        case EndKind.NUMBER:
            end = f"The site's dialplan rings {step.name}"
        case EndKind.CLOSED:
            end = "Closed: the call is hung up"
        case EndKind.SAID:
            end = f"Hung up after the announcement {step.name}"
        case EndKind.UNAVAILABLE:
            end = f"Hung up: {_queue(call, step.name)} takes nobody, and has no way on"
        case EndKind.HUNG_UP:
            end = f"The caller hung up in {step.name}"
        case EndKind.CIRCLE:
            end = f"Goes round for ever from {_queue(call, step.name)}: run `ivrd menu check`"
        case _:
            assert_never(step.kind)
    return f"{end}. Language {step.language}{', slow mode' if step.is_slow else ''}."


def _seconds(step: Listens) -> str:
    return f"{step.timeout.total_seconds():g} s"
