"""What ivrd stored of a call, and what a replay of a recording gives, in the same words."""

from datetime import timedelta
from pathlib import Path

from ivrd import config as ivrd_config
from ivrd import rules
from ivrd.ami import record
from ivrd.core.call import PATH_MARK
from ivrd.db.facts import CallFacts
from ivrd.db.store import milliseconds
from ivrd.replay import Json, replay
from tests.lab.municipality import SYSTEM


def replayed(recording: Path, config_path: Path) -> list[Json]:
    """Return what `ivrd replay RECORDING --json` prints."""
    settings = ivrd_config.load(config_path, with_secrets=False)
    events = record.replay(record.read_frames(recording), SYSTEM)
    ledger = replay(events, system=SYSTEM, rules=rules.floor_rules(settings))
    return ledger.ended_calls()


def as_json(facts: CallFacts) -> Json:
    """Return a stored call in the words of a replay, with milliseconds as the database has."""
    case = facts.cases[0] if facts.cases else None
    assert len(facts.cases) <= 1, "at most one case per rule"
    return {
        "call_id": facts.call_id,
        "line": facts.line,
        "arrived_at": facts.arrived_at.isoformat(),
        "ended_at": facts.ended_at.isoformat(),
        "choice": facts.choice,
        "digit": facts.digit,
        "tries": facts.tries,
        "is_static_menu": facts.is_static_menu,
        "entries": [
            {
                "queue": entry.queue,
                "joined_at": entry.joined_at.isoformat(),
                "wait_s": _ms(entry.entry_wait),
                "disposition": entry.disposition.value,
                "agent": entry.agent,
                "talk_s": _ms(entry.talk),
            }
            for entry in facts.entries
        ],
        "wait_s": _ms(facts.wait),
        "moves": facts.moves,
        "transfers": facts.transfers,
        "hand_over": None if facts.hand_over is None else facts.hand_over.value,
        "outcome": facts.outcome.value,
        "case": None
        if case is None
        else {
            "rule": case.rule,
            "queue": case.queue,
            "agent": case.agent,
            # A label's department comes after the call, by an act that no recording holds.
            "department": None if case.label else case.department,
        },
        **({"path": facts.path} if PATH_MARK in facts.path else {}),
    }


def rounded(call: Json) -> Json:
    """Return a replayed call with milliseconds, as the database has."""
    entries = call["entries"]
    assert isinstance(entries, list)
    return {
        **call,
        "wait_s": _round(call["wait_s"]),
        "entries": [
            {**entry, "wait_s": _round(entry["wait_s"]), "talk_s": _round(entry["talk_s"])}
            for entry in entries
        ],
    }


def _ms(duration: timedelta | None) -> int | None:
    return milliseconds(duration)


def _round(seconds: object) -> int | None:
    return None if seconds is None else milliseconds(timedelta(seconds=float(str(seconds))))
