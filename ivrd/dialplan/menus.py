"""The contexts of menus: ivrd asked by AGI, the static twin without ivrd, and where both lead.

Here: both ways of one menu. Not here: what a key means when ivrd is there (core/menu.py), what is
done for each target (targets.py).
"""

from ivrd.config import AgiConfig, MenuConfig
from ivrd.config.base import sound
from ivrd.core import journal, targets
from ivrd.core.menu import REPEATS_MAX
from ivrd.core.targets import BACK, Target
from ivrd.dialplan.targets import after_choice, after_silence
from ivrd.dialplan.text import context, extension, head, play

HEARTBEAT_S_MAX = 6
"""Three heartbeats of two seconds: one may be late, and one lost, before the daemon is given up."""

ANSWER_S_MAX = 2
"""Seconds for the daemon's first word. A frozen daemon costs a caller this much silence, once."""

CHOSEN = "to-"
"""Before a label: the extension that leads there."""

MENUS_MAX = 40
"""A caller enters so many menus in one call, the same one again included; then the failure choice
takes them. Only a storm of keys, or a machine, comes so far."""


def heartbeat_is_old() -> str:
    """Return the expression that is true when ivrd is not there."""
    return f"$[${{EPOCH}} - 0${{GLOBAL(IVRD_HEARTBEAT)}} > {HEARTBEAT_S_MAX}]"


def menu_contexts(menu: MenuConfig, agi: AgiConfig, *, last_resort: Target) -> str:
    """Return the contexts of one menu.

    Args:
        last_resort: Where failure leads in the end, over all menus on the way.
    """
    top = head(
        f"Menu {menu.name}: asks ivrd, and falls back on ivrd-static-{menu.name} when ivrd is not",
        "there, does not answer in time, freezes, or ends without a result.",
        "Relies on: AGI route /menu/, read by ivrd/agi/session.py; global IVRD_HEARTBEAT, set by",
        "ivrd/ami/client.py. Tells: UserEvent IvrdChoice, read by ivrd/ami/parse.py; row",
        "IVRDCHOICE in queue_log, read by ivrd/core/catch_up.py after a gap.",
    )
    return top + "\n".join(
        [_by_ivrd(menu, agi, last_resort), _static(menu), _chosen(menu), _back(menu)]
    )


def _by_ivrd(menu: MenuConfig, agi: AgiConfig, last_resort: Target) -> str:
    static = f"ivrd-static-{menu.name},s,1"
    steps = [
        "Set(IVRD_MENUS=$[0${IVRD_MENUS} + 1])",
        f"GotoIf($[${{IVRD_MENUS}} > {MENUS_MAX}]?too-many,1)",
        f"GotoIf({heartbeat_is_old()}?{static})",
        "Set(IVRD_DONE=)",
        "Set(AGIEXITONHANGUP=yes)",
        f"Set(TIMEOUT(absolute)={ANSWER_S_MAX})",
        f"AGI(agi://{agi.host}:{agi.port}/menu/{menu.name},${{IVRD_SLOW}},"
        '${IF($["${IVRD_PATH}" = ""]?:back)})',
        "Set(TIMEOUT(absolute)=0)",
        f'GotoIf($["${{IVRD_DONE}}" != "1"]?{static})',
        f"UserEvent(IvrdChoice,Menu: {menu.name},Outcome: ${{IVRD_OUTCOME}},"
        "Choice: ${IVRD_CHOICE},Digit: ${IVRD_DIGIT},Tries: ${IVRD_TRIES},Source: ivrd)",
        _choice_row(menu, "${IVRD_OUTCOME}", "${IVRD_CHOICE}", "${IVRD_DIGIT}", "ivrd"),
        'GotoIf($["${IVRD_OUTCOME}" = "stayed"]?ivrd-chosen-' + menu.name + ",stayed,1)",
        'GotoIf($["${IVRD_OUTCOME}" = "gave_up"]?ivrd-chosen-' + menu.name + ",gave-up,1)",
        "; By name, so that a choice of the menu before a reload is found where it is kept.",
        f"Set(IVRD_TO={CHOSEN}${{REPLACE(IVRD_CHOICE,:,.)}})",
        f"GotoIf(${{DIALPLAN_EXISTS(ivrd-chosen-{menu.name},${{IVRD_TO}},1)}}"
        f"?ivrd-chosen-{menu.name},${{IVRD_TO}},1)",
        f"Goto({static})",
    ]
    too_many = [
        *_told(menu, "gave_up", targets.label_of(last_resort), "", tries="0"),
        *after_silence(last_resort, menu.name),
    ]
    return context(
        f"ivrd-menu-{menu.name}",
        extension("s", *steps),
        "; The absolute limit has passed: ivrd is frozen. Asterisk has taken the limit away.\n"
        + extension("T", f"Goto({static})"),
        extension("too-many", *too_many),
    )


def _static(menu: MenuConfig) -> str:
    parts = [
        "; Without ivrd: the same keys, the same silence, the same ways on.\n"
        + extension(
            "s",
            "Set(IVRD_TRIES=0)",
            "Set(IVRD_REPEATS=0)",
            f"Set(TIMEOUT(digit)={_timeout(menu.digit_s, menu)})",
            f"Background({sound(menu.prompt)})",
            f"WaitExten({_timeout(menu.stay_after_s, menu)})",
            labels={3: "prompt"},
        )
    ]
    parts += [
        extension(
            keys,
            *_told(menu, "chosen", target.label, keys),
            f"Goto(ivrd-chosen-{menu.name},{_name(target.label)},1)",
        )
        for keys, target in menu.choices.items()
    ]
    parts += [*_repeat_and_back(menu), *_without_choice(menu)]
    return context(f"ivrd-static-{menu.name}", *parts)


def _repeat_and_back(menu: MenuConfig) -> list[str]:
    parts = []
    if menu.repeat_key is not None:
        parts.append(
            extension(
                menu.repeat_key,
                "Goto(again,1)",
            )
        )
    if menu.repeat_key is not None or menu.back_key is not None:
        parts.append(
            extension(
                "again",
                "Set(IVRD_REPEATS=$[${IVRD_REPEATS} + 1])",
                f"GotoIf($[${{IVRD_REPEATS}} > {REPEATS_MAX}]?i,1)",
                "Goto(s,prompt)",
            )
        )
    if menu.back_key is not None:
        parts.append(
            extension(
                menu.back_key,
                "; Where no menu is before, this one is played again.",
                'GotoIf($["${IVRD_PATH}" = ""]?again,1)',
                *_told(menu, "chosen", BACK, menu.back_key),
                f"Goto(ivrd-chosen-{menu.name},{_name(BACK)},1)",
            )
        )
    return parts


def _without_choice(menu: MenuConfig) -> list[str]:
    """Return the extensions for silence, wrong keys and too many of them."""
    parts = [
        "; Staying on the line is a real choice.\n"
        + extension(
            "t",
            *_told(menu, "stayed", menu.stay_choice.label, ""),
            f"Goto(ivrd-chosen-{menu.name},stayed,1)",
        ),
        extension(
            "i",
            "Set(IVRD_TRIES=$[${IVRD_TRIES} + 1])",
            f"GotoIf($[${{IVRD_TRIES}} >= {menu.tries}]?gave-up,1)",
            play(menu.invalid_prompt, takes_keys=True),
            "Goto(s,prompt)",
        ),
    ]
    failure = (menu.failure_choice or menu.stay_choice).label
    parts.append(
        extension(
            "gave-up",
            *_told(menu, "gave_up", failure, ""),
            f"Goto(ivrd-chosen-{menu.name},gave-up,1)",
        )
    )
    return parts


def _chosen(menu: MenuConfig) -> str:
    """Return the context of the ways on, shared by ivrd's menu and its static twin."""
    failure = menu.failure_choice or menu.stay_choice
    parts = [
        extension(_name(label), *after_choice(targets.target_of(label), menu.name))
        for label in _labels(menu)
    ]
    parts.append(extension("stayed", *after_silence(menu.stay_choice.target, menu.name)))
    parts.append(extension("gave-up", *after_silence(failure.target, menu.name)))
    return context(f"ivrd-chosen-{menu.name}", *parts)


def _back(menu: MenuConfig) -> str:
    """Return the way to the menu before, or to the same one when there is none."""
    return context(
        f"ivrd-back-{menu.name}",
        extension(
            "s",
            "Set(IVRD_TO=${POP(IVRD_PATH,/)})",
            'GotoIf($["${IVRD_TO}" != ""]?ivrd-menu-${IVRD_TO},s,1)',
            f"Goto(ivrd-menu-{menu.name},s,1)",
        ),
    )


def _told(
    menu: MenuConfig, outcome: str, choice: str, digit: str, *, tries: str = "${IVRD_TRIES}"
) -> tuple[str, str]:
    """Return the steps that tell of a choice made without ivrd, to AMI and to queue_log."""
    event = (
        f"UserEvent(IvrdChoice,Menu: {menu.name},Outcome: {outcome},Choice: {choice},"
        f"Digit: {digit},Tries: {tries},Source: static)"
    )
    return event, _choice_row(menu, outcome, choice, digit, "static", tries=tries)


def _choice_row(
    menu: MenuConfig,
    outcome: str,
    choice: str,
    digit: str,
    source: str,
    *,
    tries: str = "${IVRD_TRIES}",
) -> str:
    return (
        f"QueueLog(NONE,${{UNIQUEID}},NONE,{journal.CHOICE},"
        f"{menu.name}|{outcome}|{choice}|{digit}|{tries}|{source}|${{CHANNEL(language)}})"
    )


def _labels(menu: MenuConfig) -> list[str]:
    labels = {target.label for target in menu.choices.values()}
    if menu.back_key is not None:
        labels.add(BACK)
    return sorted(labels)


def _name(label: str) -> str:
    """Return the extension of a label. No key of a telephone is a letter, so none dials it.

    GotoIf() takes a colon for its own.
    """
    return CHOSEN + label.replace(":", ".")


def _timeout(seconds: int, menu: MenuConfig) -> str:
    if menu.slow_factor == 1:
        return str(seconds)
    return f'${{IF($["${{IVRD_SLOW}}" = "slow"]?{seconds * menu.slow_factor}:{seconds})}}'
