"""The contexts of menus: ivrd asked by AGI, and the static twin that needs no ivrd.

Here: both ways of one menu. Not here: what a key means when ivrd is there (core/menu.py).
"""

from ivrd.config import AgiConfig, MenuConfig
from ivrd.core import journal
from ivrd.dialplan.text import context, extension, head

HEARTBEAT_S_MAX = 6
"""Three heartbeats of two seconds: one may be late, and one lost, before the daemon is given up."""

ANSWER_S_MAX = 2
"""Seconds for the daemon's first word. A frozen daemon costs a caller this much silence, once."""


def menu_context(menu: MenuConfig, agi: AgiConfig) -> str:
    top = head(
        f"Menu {menu.name}: asks ivrd, and falls back on ivrd-static-{menu.name} when ivrd is not",
        "there, does not answer in time, freezes, or ends without a result.",
        "Relies on: AGI route /menu/, read by ivrd/agi/session.py; global IVRD_HEARTBEAT, set by",
        "ivrd/ami/client.py. Tells: UserEvent IvrdChoice, read by ivrd/ami/parse.py; row",
        "IVRDCHOICE in queue_log, read by ivrd/core/catch_up.py after a gap.",
    )
    static = f"ivrd-static-{menu.name},s,1"
    steps = [
        f"GotoIf($[${{EPOCH}} - 0${{GLOBAL(IVRD_HEARTBEAT)}} > {HEARTBEAT_S_MAX}]?{static})",
        "Set(IVRD_DONE=)",
        "Set(AGIEXITONHANGUP=yes)",
        f"Set(TIMEOUT(absolute)={ANSWER_S_MAX})",
        f"AGI(agi://{agi.host}:{agi.port}/menu/{menu.name})",
        "Set(TIMEOUT(absolute)=0)",
        f'GotoIf($["${{IVRD_DONE}}" != "1"]?{static})',
        f"UserEvent(IvrdChoice,Menu: {menu.name},Outcome: ${{IVRD_OUTCOME}},"
        "Choice: ${IVRD_CHOICE},Digit: ${IVRD_DIGIT},Tries: ${IVRD_TRIES},Source: ivrd)",
        _choice_row(menu, "${IVRD_OUTCOME}", "${IVRD_CHOICE}", "${IVRD_DIGIT}", "ivrd"),
        *(
            f'GotoIf($["${{IVRD_CHOICE}}" = "{queue}"]?ivrd-queue-{queue},s,1)'
            for queue in _queues_of(menu)
        ),
        f"Goto({static})",
    ]
    return top + context(
        f"ivrd-menu-{menu.name}",
        extension("s", *steps),
        "; The absolute limit has passed: ivrd is frozen. Asterisk has taken the limit away.\n"
        + extension("T", f"Goto({static})"),
    )


def static_menu(menu: MenuConfig) -> str:
    top = head(
        f"Menu {menu.name} without ivrd: the same keys, the same silence, the same queues.",
        "Tells: UserEvent IvrdChoice, read by ivrd/ami/parse.py when it is back in time; else row",
        "IVRDCHOICE in queue_log, read by ivrd/core/catch_up.py.",
    )
    stay = f"ivrd-queue-{menu.stay_choice},s,1"
    parts = [
        extension(
            "s",
            "Set(IVRD_TRIES=0)",
            # A key that begins no longer choice is taken at once; this bounds all others.
            "Set(TIMEOUT(digit)=3)",
            f"Background({menu.prompt})",
            f"WaitExten({menu.stay_after_s})",
            labels={2: "prompt"},
        )
    ]
    for digit, queue in sorted(menu.choices.items()):
        choice = _choice(menu, "chosen", queue, digit)
        parts.append(extension(digit, *choice, f"Goto(ivrd-queue-{queue},s,1)"))
    parts.append(
        "; Staying on the line is a real choice.\n"
        + extension("t", *_choice(menu, "stayed", menu.stay_choice, ""), f"Goto({stay})")
    )
    invalid = [f"Playback({menu.invalid_prompt})"] if menu.invalid_prompt else []
    parts.append(
        extension(
            "i",
            "Set(IVRD_TRIES=$[${IVRD_TRIES} + 1])",
            f"GotoIf($[${{IVRD_TRIES}} >= {menu.tries}]?gave-up,1)",
            *invalid,
            "Goto(s,prompt)",
        )
    )
    gave_up = _choice(menu, "gave_up", menu.stay_choice, "")
    parts.append(extension("gave-up", *gave_up, f"Goto({stay})"))
    return top + context(f"ivrd-static-{menu.name}", *parts)


def _choice(menu: MenuConfig, outcome: str, queue: str, digit: str) -> tuple[str, str]:
    """Return the steps that tell of a choice made without ivrd, to AMI and to queue_log."""
    event = (
        f"UserEvent(IvrdChoice,Menu: {menu.name},Outcome: {outcome},Choice: {queue},"
        f"Digit: {digit},Tries: ${{IVRD_TRIES}},Source: static)"
    )
    return event, _choice_row(menu, outcome, queue, digit, "static")


def _choice_row(menu: MenuConfig, outcome: str, queue: str, digit: str, source: str) -> str:
    return (
        f"QueueLog(NONE,${{UNIQUEID}},NONE,{journal.CHOICE},"
        f"{menu.name}|{outcome}|{queue}|{digit}|${{IVRD_TRIES}}|{source})"
    )


def _queues_of(menu: MenuConfig) -> list[str]:
    return sorted({*menu.choices.values(), menu.stay_choice})
