"""Comparing our outcomes with Asterisk's own queue journal, call by call.

Here: what the journal's rows come to, and the comparison. Not here: reading either side.

What the journal cannot tell is left out on both sides: it has no row for a refused caller
(ASTERISK.md §A3), no menu, and writes ABANDON for an AMI Redirect. What it has no word for differs:
an unknown end of ours is a difference, since the journal knows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ivrd.core.effects import Disposition
from ivrd.core.ids import CallId, QueueName
from ivrd.core.journal import JournalRow


class JournalEnd(StrEnum):
    """How a stay in a queue ended, in the journal's words."""

    ANSWERED = "CONNECT"
    ABANDONED = "ABANDON"
    TIMED_OUT = "EXITWITHTIMEOUT"
    EMPTY = "EXITEMPTY"
    KEY_EXIT = "EXITWITHKEY"
    WITHDRAWN = "WITHDRAW"
    OPEN = "none yet"
    UNKNOWN = "unknown"
    """On our side only: we were not looking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalStay:
    """One stay of a call in a queue, as far as both sides can tell it."""

    queue: QueueName
    end: JournalEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One call, as far as both sides can tell it."""

    stays: tuple[JournalStay, ...]
    transfers: int
    """How often the call was handed on."""


NO_STORY = Story(stays=(), transfers=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One call that the two sides tell differently."""

    call_id: CallId
    ours: Story
    journal: Story


TRANSFERS = frozenset({"BLINDTRANSFER", "ATTENDEDTRANSFER"})

_ENDS = {end.value: end for end in JournalEnd if end is not JournalEnd.OPEN}

_END_BY_DISPOSITION: Mapping[Disposition, JournalEnd | None] = {
    Disposition.ANSWERED: JournalEnd.ANSWERED,
    Disposition.ABANDONED: JournalEnd.ABANDONED,
    Disposition.REDIRECTED: JournalEnd.ABANDONED,
    Disposition.TIMED_OUT: JournalEnd.TIMED_OUT,
    Disposition.EMPTY: JournalEnd.EMPTY,
    Disposition.KEY_EXIT: JournalEnd.KEY_EXIT,
    Disposition.MOVED: JournalEnd.WITHDRAWN,
    Disposition.WITHDRAWN: JournalEnd.WITHDRAWN,
    Disposition.UNKNOWN: JournalEnd.UNKNOWN,
    Disposition.FULL: None,
    Disposition.JOIN_EMPTY: None,
}


def stories_of_journal(rows: Iterable[JournalRow]) -> dict[CallId, Story]:
    """Return what the journal tells of each call that entered a queue."""
    stays: dict[CallId, list[JournalStay]] = {}
    transfers: dict[CallId, int] = {}
    for row in rows:
        known = stays.setdefault(row.call_id, [])
        if row.event == "ENTERQUEUE":
            known.append(JournalStay(queue=row.queue, end=JournalEnd.OPEN))
        elif row.event in _ENDS and known and known[-1].end is JournalEnd.OPEN:
            known[-1] = JournalStay(queue=known[-1].queue, end=_ENDS[row.event])
        elif row.event in TRANSFERS:
            transfers[row.call_id] = transfers.get(row.call_id, 0) + 1
    return {
        call_id: Story(stays=tuple(known), transfers=transfers.get(call_id, 0))
        for call_id, known in stays.items()
        if known
    }


def stay_of_ours(queue: QueueName, disposition: Disposition) -> JournalStay | None:
    """Return one of our entries in the journal's words; None when the journal has none for it."""
    end = _END_BY_DISPOSITION[disposition]
    return None if end is None else JournalStay(queue=queue, end=end)


def differences(
    ours: Mapping[CallId, Story], journal: Mapping[CallId, Story]
) -> tuple[Difference, ...]:
    """Return each call that the two sides tell differently, or that only one side tells of."""
    return tuple(
        Difference(
            call_id=call_id,
            ours=ours.get(call_id, NO_STORY),
            journal=journal.get(call_id, NO_STORY),
        )
        for call_id in sorted({*ours, *journal})
        if ours.get(call_id, NO_STORY) != journal.get(call_id, NO_STORY)
    )
