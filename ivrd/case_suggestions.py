"""What a case is probably about: the clues that are stored, put before the arithmetic.

Here: reading clues. Not here: what they count (core/labels.py), and showing them (web/cases.py).
"""

from collections.abc import Mapping, Sequence

from ivrd.case_desk import CaseDesk, CaseFilter
from ivrd.core.case_record import Case
from ivrd.core.labels import LATELY_MAX, Clues, Suggestion, suggest
from ivrd.db import case_reads
from ivrd.db.store import Store

NO_WAY = case_reads.Way()

LOOKED_AT = 3 * LATELY_MAX
"""An agent's newest cases, among which the newest labelled ones are found."""


class CaseSuggestions:
    """Suggests labels for cases."""

    def __init__(self, store: Store, desk: CaseDesk) -> None:
        """Read from a store, by the labels of a desk."""
        self._store = store
        self._desk = desk

    async def of(self, agent: str, cases: Sequence[Case]) -> Mapping[int, tuple[Suggestion, ...]]:
        """Return suggestions by case, best first.

        Args:
            agent: Whose lately set labels count.
            cases: Some cases of theirs.
        """
        ways = await case_reads.ways_of(self._store.engine, [case.call_id for case in cases])
        guide_lately = await self._lately(CaseFilter(agent=agent))
        keys = {case.caller_key for case in cases if case.caller_key is not None}
        by_key = {key: await self._lately(CaseFilter(caller_key=key)) for key in sorted(keys)}
        return {
            case.case_id: suggest(
                self._desk.labels,
                Clues(
                    line=case.line,
                    path=_choices(ways.get(case.call_id, NO_WAY).path),
                    queue=case.queue,
                    transfers=_targets(ways.get(case.call_id, NO_WAY).handed_to),
                    guide_lately=guide_lately,
                    caller_lately=by_key.get(case.caller_key or "", ()),
                ),
            )
            for case in cases
        }

    async def _lately(self, wanted: CaseFilter) -> tuple[str, ...]:
        """Return the newest labels of some cases, each once."""
        page = await self._desk.search(wanted, count_max=LOOKED_AT)
        codes = dict.fromkeys(case.label for case in page.cases if case.label is not None)
        return tuple(codes)[:LATELY_MAX]


def _targets(handed_to: str) -> tuple[str, ...]:
    """Return where the caller was handed on to; nowhere that anybody knows of is none."""
    return (handed_to,) if handed_to else ()


def _choices(path: str) -> tuple[str, ...]:
    """Return the keys that were pressed, as "MENU:KEY"; staying on the line is none."""
    return tuple(step for step in path.split(">") if ":" in step)
