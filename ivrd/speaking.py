"""What a caller hears of the place and the expected wait, as sound files.

Here: whose queue it is, and what is worth saying. Not here: the grammar (core/spoken.py), the
estimate (core/expected_wait.py), and playing (agi/waiting.py, whose `WaitSpeaker` this is).

Nothing is said while an agent is free for the caller, while nobody serves, and while we cannot
vouch for the queue. The place alone is said while the wait is unknown, or beyond all use.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from ivrd.config.base import sound
from ivrd.config.prompt_sheet import PromptSheet
from ivrd.core import spoken
from ivrd.core.expected_wait import WaitModel
from ivrd.core.floor import Prospect
from ivrd.core.ids import CallId, QueueName, SystemName

WAIT_MAX = timedelta(hours=4)
"""Longer is no wait, but a queue that does not move."""


class Floor(Protocol):
    """Whoever knows the calls and queues of one PBX: its tracker."""

    def knows(self, call_id: CallId) -> bool: ...
    def prospect(self, queue: QueueName, call_id: CallId) -> Prospect | None: ...


class QueueSpeaker:
    """Tells callers who enter a queue what awaits them. Never raises, never waits."""

    def __init__(self, floors: Mapping[SystemName, Floor], *, sheet: PromptSheet | None) -> None:
        """Speak of the queues of these PBXs.

        Args:
            sheet: Whose languages callers hear; without one each language has its own grammar.
        """
        self._floors = floors
        self._sheet = sheet

    def change_sheet(self, sheet: PromptSheet | None) -> None:
        """Take another prompt sheet."""
        self._sheet = sheet

    def words(self, *, queue: QueueName, uniqueid: str, language: str) -> Sequence[str]:
        """Return sound files without their endings, in order; empty says nothing."""
        prospect = self._prospect(queue, uniqueid)
        if prospect is None or not prospect.has_agents or prospect.place > spoken.NUMBER_MAX:
            return ()
        expected = prospect.expected
        if expected is not None and expected.model is WaitModel.FREE_AGENT:
            return ()
        grammar = self._grammar(language)
        prompts = spoken.place(prospect.place, grammar)
        if expected is not None and expected.wait <= WAIT_MAX:
            prompts += spoken.expected_wait(expected.wait, grammar)
        return [sound(prompt) for prompt in prompts]

    def _prospect(self, queue: QueueName, uniqueid: str) -> Prospect | None:
        """Return what awaits the caller, by the PBX that knows the call, or the only one there is.

        A Uniqueid names its PBX only where asterisk.conf does, and is not to be parsed (core/ids).
        """
        calls = {system: CallId(f"{system}/{uniqueid}") for system in self._floors}
        for system, floor in self._floors.items():
            if floor.knows(calls[system]):
                return floor.prospect(queue, calls[system])
        if len(self._floors) == 1:
            ((system, floor),) = self._floors.items()
            return floor.prospect(queue, calls[system])
        return None

    def _grammar(self, language: str) -> spoken.Grammar:
        """Return the grammar for a channel's language; "sv_SE" is heard as "sv"."""
        code = language.partition("_")[0]
        if self._sheet is None:
            return spoken.grammar_of(code)
        known = code if code in self._sheet.languages else self._sheet.languages[0]
        return self._sheet.grammar(known)
