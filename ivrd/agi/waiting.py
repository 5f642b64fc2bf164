"""What a waiting caller is told about the wait: the route /wait/QUEUE.

Here: a row of prompts that any key skips. Not here: which prompts, that is position, expected wait
and their grammar (whoever is the `WaitSpeaker`), and when the caller is told (the dialplan, which
has the caller outside Queue() meanwhile).

The result for the dialplan is IVRD_DIGIT, the key that skipped the rest, or empty.
"""

from collections.abc import Sequence
from typing import Protocol

import structlog

from ivrd.agi.codec import AgiRequest
from ivrd.agi.conversation import Conversation
from ivrd.core.ids import QueueName
from ivrd.core.menu import KEYS

WORDS_MAX = 40
"""Prompts in a row. A position and a wait take some ten; more would be a fault of the speaker, and
the caller must not listen to it while others are served."""

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class WaitSpeaker(Protocol):
    """Knows what to say. Synchronous; must neither block nor raise."""

    def words(self, *, queue: QueueName, uniqueid: str, language: str) -> Sequence[str]:
        """Return sound files without their endings, in order; empty says nothing.

        Args:
            queue: As the dialplan asks for it; it need not exist.
            uniqueid: The caller channel's, without the PBX's name; empty when unknown.
            language: The channel's language, such as "sv"; empty when unknown.
        """


async def tell_wait(
    conversation: Conversation, request: AgiRequest, *, queue: QueueName, speaker: WaitSpeaker
) -> bool:
    """Tell one caller about the wait; return False when the caller is gone."""
    words = speaker.words(
        queue=queue,
        uniqueid=request.uniqueid or "",
        language=request.headers.get("agi_language", ""),
    )
    if len(words) > WORDS_MAX:
        log.warning("wait_words_cut", queue=queue, words=len(words), words_max=WORDS_MAX)
    digit = ""
    for prompt in words[:WORDS_MAX]:
        heard = await conversation.play(prompt, KEYS)
        if heard is None:
            return False
        if heard.digit is not None:
            # What is no key of a telephone was not asked for, and must not reach the dialplan.
            digit = heard.digit if heard.digit in KEYS else ""
            break
    return await conversation.hand_over({"IVRD_DIGIT": digit})
