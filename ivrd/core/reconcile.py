"""Comparing our outcomes with Asterisk's own queue journal, call by call.

Here: the comparison. Not here: what the journal's rows come to (journal_story.py), and reading
either side.

What is compared
    1. The stays of a call: how many, in which queues in which order, and how each ended.
    2. How often the call was handed on, and the outcome that follows from stays and hand-overs.
    3. With our rows in the journal (core/journal.py) also the choice, the refusals at a queue's
       door, and calls that came into no queue. Without them these are left out on our side too.
    4. On our side alone: one case for a call that is stored as resolved, none for any other.

What the journal cannot tell
    It writes ABANDON for an AMI Redirect, WITHDRAW for our moves and for others' withdraws, and a
    transfer without saying who made it (ASTERISK.md §A1, §E): a transfer made by the caller is a
    difference in hand-overs, and somebody should look at it. What it has no word for differs: an
    unknown end of ours is a difference, when the journal knows.

    An agent who asks in a queue of ours is one more caller to it, under the id of the agent's own
    channel (consultation.py). So an id that came by no line of ours, and that we have not stored,
    is no difference where the journal has our rows; and a stay that such a channel began is left
    out of the caller's. Nor does it see who leaves a talk of three, and that a transfer came back
    (hand_over.py): hand-overs and outcome of such a call are not compared. The talk of a Local
    member, or one after which the caller lived on (call_rows.py, rule 4), may hide one hand-over.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from ivrd.core.effects import Outcome
from ivrd.core.ids import CallId
from ivrd.core.journal_story import NO_STORY, REFUSALS, JournalEnd, JournalStay, Story


class Kind(StrEnum):
    """What is different."""

    NOT_STORED = "not stored"
    NOT_IN_JOURNAL = "not in queue_log"
    STAYS = "stays"
    """Another number of them, or other queues."""
    DISPOSITION = "disposition"
    TRANSFERS = "transfers"
    CHOICE = "choice"
    OUTCOME = "outcome"
    UNKNOWN = "unknown"
    """Stored as unknown, although the journal knows."""
    CASES = "cases"
    """A resolved call without its one case, or a case for another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One call that the two sides tell differently."""

    call_id: CallId
    ours: Story
    journal: Story
    kinds: tuple[Kind, ...] = ()


def difference_of(
    call_id: CallId, ours: Story | None, journal: Story | None, *, is_marked: bool = False
) -> Difference | None:
    """Return how the two sides of one call differ; None when they agree.

    Args:
        ours: None when we have not stored the call.
        journal: None when the journal has no word of it.
        is_marked: Whether the journal would tell of a call that came into no queue.
    """
    if ours is None:
        is_call = journal is not None and (journal.is_marked or not is_marked)
        kinds = [Kind.NOT_STORED] if is_call else []
    else:
        kinds = list(_kinds(ours, journal, is_marked=is_marked))
    if not kinds:
        return None
    return Difference(
        call_id=call_id, ours=ours or NO_STORY, journal=journal or NO_STORY, kinds=tuple(kinds)
    )


def differences(
    ours: Mapping[CallId, Story], journal: Mapping[CallId, Story]
) -> tuple[Difference, ...]:
    """Return each call that the two sides tell differently, or that only one side tells of."""
    is_marked = any(story.is_marked for story in journal.values())
    found = (
        difference_of(call_id, ours.get(call_id), journal.get(call_id), is_marked=is_marked)
        for call_id in sorted({*ours, *journal})
    )
    return tuple(difference for difference in found if difference is not None)


def _kinds(ours: Story, journal: Story | None, *, is_marked: bool) -> Iterator[Kind]:
    if ours.cases is not None and ours.cases != (Outcome.RESOLVED in ours.outcomes):
        yield Kind.CASES
    told = journal or NO_STORY
    if ours.hiding and told.outcomes:
        told = replace(told, outcomes=told.outcomes | {Outcome.UNKNOWN})
    stays = ours.stays if told.is_marked else _without_refusals(ours.stays)
    if journal is None:
        if stays or is_marked:
            yield Kind.NOT_IN_JOURNAL
        return
    if [stay.queue for stay in stays] != [stay.queue for stay in told.stays]:
        yield Kind.STAYS
    is_unknown = _is_unknown_to_us(ours, stays, told)
    if is_unknown:
        yield Kind.UNKNOWN
    elif _ends(stays) != _ends(told.stays) and len(stays) == len(told.stays):
        yield Kind.DISPOSITION
    unseen = ours.transfers - told.transfers
    is_hidden = ours.is_half_seen or 0 < unseen <= ours.hiding + told.hiding
    if unseen and not is_hidden:
        yield Kind.TRANSFERS
    if told.is_marked and ours.choice != told.choice:
        yield Kind.CHOICE
    if is_unknown or is_hidden or not (ours.outcomes and told.outcomes):
        return
    if not ours.outcomes & told.outcomes:
        yield Kind.OUTCOME


def _is_unknown_to_us(ours: Story, stays: tuple[JournalStay, ...], journal: Story) -> bool:
    """Return whether we have stored an end or an outcome as unknown that the journal knows."""
    if Outcome.UNKNOWN in ours.outcomes - journal.outcomes and journal.outcomes:
        return True
    return any(
        stay.end is JournalEnd.UNKNOWN and told.end is not JournalEnd.UNKNOWN
        for stay, told in zip(stays, journal.stays, strict=False)
    )


def _without_refusals(stays: tuple[JournalStay, ...]) -> tuple[JournalStay, ...]:
    return tuple(stay for stay in stays if stay.end not in REFUSALS)


def _ends(stays: tuple[JournalStay, ...]) -> list[JournalEnd]:
    return [stay.end for stay in stays]
