"""Questions on the control socket about agents and a caller's rank.

Here: what they hold, and the form of their answers. Not here: the socket (control.py).

    {"do":"agent","deed":"agent_pause"|"agent_unpause"|"agent_log_in"|"agent_log_out",
     "agent":...,"queues":[...],"reason":...}     may have "seen" (the agent's version)
    {"do":"agent_undo","agent":...}  {"do":"rank","call":...,"is_urgent":true,"reason":...}
"""

from collections.abc import Mapping

from ivrd.agent_board import AgentBoard, AgentResult
from ivrd.core.actors import Actor
from ivrd.core.agent_acts import AgentAct, AgentDeed
from ivrd.core.ids import QueueName

Json = Mapping[str, object]

TEXT_MAX = 200
"""Characters of a name, an id or a reason."""

AGENT_QUESTIONS: Mapping[str, frozenset[str]] = {
    "agent": frozenset({"deed", "agent", "queues", "reason", "seen"}),
    "agent_undo": frozenset({"agent", "seen"}),
    "rank": frozenset({"call", "is_urgent", "reason"}),
}
"""What can be asked, and what each question may hold."""


class BadQuestion(ValueError):
    """The line is no question that we know; the text says what is wrong."""


async def agent_answer(agents: AgentBoard, question: Json, actor: Actor) -> Json:
    """Carry a question out, and return its answer.

    Raises:
        BadQuestion: A part is missing, or of another type.
    """
    match question["do"]:
        case "agent":
            done = await agents.act(_act_of(question), actor, seen=_seen(question))
        case "agent_undo":
            name = text_in(question, "agent")
            done = await agents.undo(name, actor, seen=_seen(question))
        case _:
            is_urgent = question.get("is_urgent")
            if not isinstance(is_urgent, bool):
                raise BadQuestion("is_urgent: true or false")
            call, reason = text_in(question, "call"), text_in(question, "reason")
            done = await agents.rank(call, actor, is_urgent=is_urgent, reason=reason)
    return _told(done)


def text_in(question: Json, key: str) -> str:
    """Return a text of a question.

    Raises:
        BadQuestion: It is none.
    """
    text = question.get(key)
    if not isinstance(text, str) or not text.isprintable() or not 0 < len(text) <= TEXT_MAX:
        raise BadQuestion(f"{key}: a text of at most {TEXT_MAX} characters")
    return text


def _act_of(question: Json) -> AgentAct:
    queues = question.get("queues", [])
    if not isinstance(queues, list) or not all(isinstance(name, str) for name in queues):
        raise BadQuestion("queues: a list of names")
    try:
        deed = AgentDeed(str(question.get("deed")))
    except ValueError:
        raise BadQuestion(f"deed: one of {', '.join(AgentDeed)}") from None
    return AgentAct(
        deed=deed,
        agent=text_in(question, "agent"),
        queues=frozenset(QueueName(name) for name in queues),
        reason=text_in(question, "reason"),
    )


def _seen(question: Json) -> str | None:
    return None if question.get("seen") is None else text_in(question, "seen")


def _told(done: AgentResult) -> Json:
    return {
        "ok": done.is_taken,
        "error": done.outcome.value,
        "outcome": done.outcome.value,
        "text": done.text,
        "version": done.version,
    }
