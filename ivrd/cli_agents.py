"""What people type about agents, and about a caller's rank.

Here: arguments, and what is printed. Not here: the way to the daemon (control.py) and what comes of
it (agent_board.py).
"""

from typing import Annotated

import typer

from ivrd.cli_options import DEFAULT_CONFIG, ConfigPath
from ivrd.cli_switches import ANSWER_S_MAX, Reason, Whom, place_of
from ivrd.core.agent_acts import AgentDeed
from ivrd.errors import IvrdError

agent = typer.Typer(
    help="Pause agents and end the pause, log them in and out, live.", no_args_is_help=True
)
caller = typer.Typer(help="Let a caller go first, or by arrival again.", no_args_is_help=True)

AgentName = Annotated[str, typer.Argument(help="The member's name, such as PJSIP/anna.")]
Queues = Annotated[
    list[str] | None,
    typer.Option("--queue", help="Only this queue; may be given several times. None: all."),
]
SeenAgent = Annotated[
    str | None, typer.Option(help="Only if the agent still has this version (the API tells it).")
]
CallName = Annotated[str, typer.Argument(help="The call's id, or what stands after its slash.")]


def _add(deed: AgentDeed, word: str, told_as: str) -> None:
    @agent.command(name=word, help=told_as)
    def command(
        name: AgentName,
        reason: Reason,
        queue: Queues = None,
        config_path: ConfigPath = DEFAULT_CONFIG,
        seen: SeenAgent = None,
        whom: Whom = None,
    ) -> None:
        question: dict[str, object] = {
            "do": "agent",
            "deed": deed.value,
            "agent": name,
            "queues": queue or [],
            "reason": reason,
        }
        _ask(config_path, question, seen, whom)


_add(AgentDeed.PAUSE, "pause", "Give an agent no calls until the pause ends.")
_add(AgentDeed.UNPAUSE, "unpause", "Give an agent calls again.")
_add(AgentDeed.LOG_IN, "login", "Let an agent serve queues: those of before, or those named.")
_add(AgentDeed.LOG_OUT, "logout", "Let an agent serve no queue, or not those named.")


@agent.command(name="undo")
def undo(
    name: AgentName,
    config_path: ConfigPath = DEFAULT_CONFIG,
    seen: SeenAgent = None,
    whom: Whom = None,
) -> None:
    """Bring back what was before the last act on an agent."""
    _ask(config_path, {"do": "agent_undo", "agent": name}, seen, whom)


@caller.command(name="first")
def first(
    call: CallName, reason: Reason, config_path: ConfigPath = DEFAULT_CONFIG, whom: Whom = None
) -> None:
    """Let a caller go before all who are not urgent, here and in every queue they are moved to."""
    question = {"do": "rank", "call": call, "is_urgent": True, "reason": reason}
    _ask(config_path, question, None, whom)


@caller.command(name="by-arrival")
def by_arrival(
    call: CallName, reason: Reason, config_path: ConfigPath = DEFAULT_CONFIG, whom: Whom = None
) -> None:
    """Let a caller go by arrival again."""
    question = {"do": "rank", "call": call, "is_urgent": False, "reason": reason}
    _ask(config_path, question, None, whom)


def _ask(
    config_path: ConfigPath, question: dict[str, object], seen: str | None, whom: str | None
) -> None:
    if seen is not None:
        question["seen"] = seen
    if whom is not None:
        question["for"] = whom
    answer = place_of(config_path).ask(question, within_s=ANSWER_S_MAX)
    text = str(answer.get("text"))
    if not answer.get("ok"):
        hint = ""
        if answer.get("error") == "conflict" and question["do"] != "rank":
            hint = f"\nivrd: to do it all the same, add --seen {answer.get('version')}"
        raise IvrdError(f"{text}{hint}")
    more = " (asked for; not yet so)" if answer.get("outcome") == "pending" else ""
    typer.echo(f"{text}{more}")
