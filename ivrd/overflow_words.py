"""What was decided about a call, in sentences that people read, in Swedish.

Here: words. Not here: what is stored (core/decisions.py), where it is read from (db/decisions.py).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import assert_never

from ivrd.core.decisions import DecidedKind, RecordDecision
from ivrd.core.overflow_rules import Figure

Figures = Mapping[str, object]

INDENT = " " * 10

MINUTE_S = 60


def sentences(call_id: str, decisions: Sequence[RecordDecision], zone: tzinfo) -> Iterator[str]:
    """Yield the lines of an explanation: what, when, by whom, and the figures of that moment.

    Args:
        call_id: Whom it is about.
        decisions: In order, those about its rules among them.
        zone: By which the hours are told.
    """
    if not decisions:
        yield f"Samtal {call_id}: inget har beslutats om det; ingen regel har rört det."
        return
    day = decisions[0].at.astimezone(zone).date()
    yield f"Samtal {call_id}, {day.isoformat()}"
    for decision in decisions:
        moment = decision.at.astimezone(zone)
        if moment.date() != day:
            day = moment.date()
            yield day.isoformat()
        yield f"{moment:%H:%M:%S}  {_headline(decision)}"
        for line in _figures(decision):
            yield INDENT + line


def as_json(call_id: str, decisions: Sequence[RecordDecision]) -> str:
    """Return the same as one JSON object."""
    told = [
        {
            "at": one.at.isoformat(),
            "what": one.what.value,
            "rule": one.rule,
            "from_queue": one.from_queue or None,
            "to_queue": one.to_queue or None,
            "is_dry_run": one.is_dry_run,
            "is_by_hand": one.is_by_hand,
            "who": one.who or None,
            "why": one.why or None,
            "is_about_rule": not one.call_id,
            "figures": json.loads(one.figures),
        }
        for one in decisions
    ]
    return json.dumps({"call_id": call_id, "decisions": told}, ensure_ascii=False)


def _headline(one: RecordDecision) -> str:
    """Return what was decided, by what, and why, in one sentence."""
    way = f"från {one.from_queue} till {one.to_queue}"
    dry = "Torrkörning: " if one.is_dry_run else ""
    match one.what:
        case DecidedKind.BEGAN:
            return f"{dry}Regeln {one.rule} började gälla{_because(one)}."
        case DecidedKind.ENDED:
            return f"{dry}Regeln {one.rule} slutade gälla{_because(one)}."
        case DecidedKind.ASKED if one.is_dry_run:
            return f"{dry}hade flyttats {way}, {_by(one)}{_because(one)}. Ingen flyttades."
        case DecidedKind.ASKED:
            return f"Ska flyttas {way}, {_by(one)}{_because(one)}."
        case DecidedKind.ASKED_HOME:
            return f"Ska hem igen, {way}, {_by(one)}{_because(one)}."
        case DecidedKind.NOT_ASKED:
            return f"Kunde inte flyttas till {one.to_queue}, {_by(one)}{_because(one)}."
        case DecidedKind.LANDED:
            return f"Framme i {one.to_queue}, på platsen som första ankomsten ger."
        case DecidedKind.ANSWERED_FIRST:
            return f"Inte flyttad {way}: en handläggare i {one.from_queue} svarade först."
        case DecidedKind.HUNG_UP_FIRST:
            return f"Inte flyttad {way}: den som ringde lade på först."
        case DecidedKind.REFUSED:
            return f"Inte flyttad {way}: det gick inte, och platsen är kvar."
        case DecidedKind.LAPSED:
            return f"Inte flyttad {way}: flytten blev inte av i tid, och platsen är kvar."
        case DecidedKind.DIVERTING:
            return f"Den som kommer till {one.from_queue} går till {one.to_queue}, {_by(one)}."
        case DecidedKind.DIVERTED:
            return f"Skickad vidare vid dörren, {way}, {_by(one)}."
        case DecidedKind.LETTING_IN:
            return f"Den som kommer till {one.from_queue} släpps in igen."
        case _:
            assert_never(one.what)


def _by(one: RecordDecision) -> str:
    if one.is_by_hand and not one.who:
        return "för hand"
    if one.rule == "by-hand":
        return f"för hand av {one.who}"
    return f"av regeln {one.rule}"


def _because(one: RecordDecision) -> str:
    """Return the conditions that held, or the person and the reason."""
    if one.is_by_hand:
        who = f", för hand av {one.who}" if one.who and one.rule != "by-hand" else ""
        return f"{who} (skäl: {one.why})" if one.why else who
    held = [_held(item) for item in _list(json.loads(one.figures).get("held"))]
    return f": {' och '.join(held)}" if held else ""


def _held(item: Figures) -> str:
    figure = Figure(str(item["figure"]))
    write, word = WORDS[figure]
    return f"{word} {write(item['level'])} (gräns {write(item['limit'])})"


def _seconds(value: object) -> str:
    """Return a wait as people say it.

    >>> _seconds(200), _seconds(59.6), _seconds(None)
    ('3 min 20 s', '1 min', 'okänt')
    """
    if not isinstance(value, int | float):
        return "okänt"
    minutes, seconds = divmod(round(value), MINUTE_S)
    if not minutes:
        return f"{seconds} s"
    return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else "okänt"


def _percent(value: object) -> str:
    return f"{value:.0%}".replace("%", " %") if isinstance(value, int | float) else "okänt"


WORDS: Mapping[Figure, tuple[Callable[[object], str], str]] = {
    Figure.WAITING: (_number, "väntande"),
    Figure.LONGEST_WAIT: (_seconds, "längsta väntan"),
    Figure.WAITING_PER_FREE_AGENT: (_number, "väntande per ledig"),
    Figure.FREE_AGENTS: (_number, "lediga"),
    Figure.SERVING_AGENTS: (_number, "i tjänst"),
    Figure.EXPECTED_WAIT: (_seconds, "beräknad väntan"),
    Figure.SERVICE_LEVEL: (_percent, "svarsnivå i dag"),
    Figure.CLOSES_IN: (_seconds, "tid till stängning"),
}
"""How each figure is written, and its name."""


def _figures(one: RecordDecision) -> Iterator[str]:
    parts = json.loads(one.figures)
    if "because" in parts:
        yield str(parts["because"])
    caller, source, target = (_part(parts.get(key)) for key in ("caller", "source", "target"))
    if caller is not None:
        yield (
            f"Den som ringer: har väntat {_seconds(caller['wait'])}; plats {caller['place_here']}"
            f" här, {caller['place_there']} där; beräknad väntan"
            f" {_seconds(caller['expected_here'])} här, {_seconds(caller['expected_there'])} där."
        )
    if source is not None:
        name = one.from_queue if one.rule == "by-hand" else "Regelns köer"
        yield f"{name}: {_queue(source)}."
    if target is not None:
        yield f"{one.to_queue}: {_queue(target)}."


def _queue(figures: Figures) -> str:
    said = [f"{figures['waiting']} väntande"]
    if figures["longest_wait"] is not None:
        said.append(f"längst {_seconds(figures['longest_wait'])}")
    if figures["incoming"]:
        said.append(f"{figures['incoming']} på väg dit")
    said.append(f"{figures['free_agents']} lediga av {figures['serving_agents']} i tjänst")
    if figures["service_level"] is not None:
        said.append(f"svarsnivå i dag {_percent(figures['service_level'])}")
    if not figures["is_open"]:
        said.append("stängt")
    elif figures["closes_in"] is not None:
        said.append(f"stänger om {_seconds(figures['closes_in'])}")
    return ", ".join(said)


def _part(value: object) -> Figures | None:
    return value if isinstance(value, dict) else None


def _list(value: object) -> list[Figures]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
