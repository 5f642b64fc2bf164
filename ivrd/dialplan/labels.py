"""Labels by telephone: the context that takes codes, and our part of features.conf.

Here: what a guide's channel does with a code, during the call and after it. Not here: the queue
(queues.py), and what a label does to a case (core/labelling.py).

How a code is told during the call
    Each code is a feature of its own, in a group that the queue gives its calls by
    DYNAMIC_FEATURES. So Asterisk itself collects the keys while both go on talking, the caller
    hears none of them, and a code is complete with its last key. One feature that reads the code
    with Read() was rejected: the two hear nothing of each other meanwhile.
    Also the beginnings that no code has are features: they say so by a tone.

How a code is told after the call
    Queue() has the option F: when the caller hangs up, the agent's channel goes on here, hears a
    tone, and WaitExten() takes the code. Whoever presses nothing is hung up after some seconds.
    The agent who hangs up first is gone, and labels on the page.

What must stay true
    The caller and whoever they are handed on to inherit our variables with the call: a code of the
    caller does nothing here, and one of anybody else is not believed by ivrd.

Source:
    bridge_channel.c, `run_app_helper`: Gosub and Macro are run as such; bridge_basic.c,
    `setup_bridge_features_dynamic`: by the variable of each channel itself. app_queue.c,
    `setup_peer_after_bridge_goto`.
"""

from collections.abc import Iterator, Sequence

from ivrd.config import LabelsConfig, QueueConfig
from ivrd.core import journal
from ivrd.core.labels import HALF_HELPED_KEY, LabelTree, dead_ends
from ivrd.dialplan.text import context, extension, head

LABEL = "ivrd-label"

GROUP = "ivrd-labels"
"""The group of features; features.conf."""

ASK = "!880/150"
"""The tone that asks for a code: Asterisk's own notation, frequency and milliseconds, once."""

TAKEN = "!880/80,!0/40,!1174/180"

WRONG = "!425/150,!0/80,!425/150"

TAKEN_S, WRONG_S = "0.3", "0.4"
"""How long these tones are; while one is heard during a call, the two hear nothing else."""

HANDED_ON_S = "1"
"""After a blind transfer by code the guide's channel comes here too. Ended at once, app_queue took
it for the end of the talk (COMPLETEAGENT in place of BLINDTRANSFER, 2 of 14 runs on 22.10.1)."""

REST_S = "1.2"
"""A wrong code is known by its first key that fits nothing; its other keys are let pass so long."""

WRONG_MAX = 1
"""So many wrong codes after the call are asked for again."""


def queue_step(queue: QueueConfig) -> str:
    """Return the step before Queue(): what the agent's channel is to know.

    Always one step, like all that comes before Queue(): a call goes on by number after a reload.
    """
    if not queue.labels_by_phone:
        return "Set(QUEUE_WITHDRAW_INFO=)"
    return (
        "MSet(QUEUE_WITHDRAW_INFO=,__IVRD_CALL=${UNIQUEID},"
        f"__IVRD_QUEUE={queue.name},__DYNAMIC_FEATURES={GROUP})"
    )


def queue_options(queue: QueueConfig) -> str:
    """Return the options of Queue(); with labels, the agent goes on when the caller hangs up."""
    return queue.options + (f"F({LABEL}^after^1)" if queue.labels_by_phone else "")


def label_context(tree: LabelTree, labels: LabelsConfig) -> str:
    """Return the context that takes codes."""
    top = head(
        "Labels by telephone: what a guide's channel does with a code, during a call (a feature,",
        "`ivrd dialplan --features`) and after it (option F of Queue()).",
        "Tells: UserEvent IvrdLabel, read by ivrd/ami/parse_own.py; row IVRDLABEL in queue_log,",
        "read by ivrd/core/catch_up.py after a gap. Relies on IVRD_CALL, IVRD_QUEUE of the queue.",
    )
    return top + context(
        LABEL,
        _during(),
        _wrong(),
        _told(),
        _after(labels),
        *_codes(tree),
        _invalid(),
        extension("t", "Hangup()"),
    )


def _during() -> str:
    """Return the subroutine of a code during the call: ARG1 label, ARG2 whole or half."""
    return "; A code of the caller's own is none.\n" + extension(
        "during",
        'GotoIf($["${IVRD_CALL}" = "" | "${IVRD_CALL}" = "${UNIQUEID}"]?done)',
        "Gosub(told,1(${ARG1},${ARG2},during))",
        f"Playtones({TAKEN})",
        f"Wait({TAKEN_S})",
        "StopPlaytones()",
        "Return()",
        labels={5: "done"},
    )


def _wrong() -> str:
    return extension(
        "wrong",
        'GotoIf($["${IVRD_CALL}" = "" | "${IVRD_CALL}" = "${UNIQUEID}"]?done)',
        f"Playtones({WRONG})",
        f"Wait({WRONG_S})",
        "StopPlaytones()",
        "Return()",
        labels={4: "done"},
    )


def _told() -> str:
    """Return the subroutine that tells of a code; the second it was pressed in tells it apart."""
    fields = "${IVRD_PRESSED}|${CHANNEL}|${UNIQUEID}"
    return extension(
        "told",
        "Set(IVRD_PRESSED=${EPOCH})",
        "Set(IVRD_LABELLED=1)",
        "UserEvent(IvrdLabel,Queue: ${IVRD_QUEUE},Call: ${IVRD_CALL},Label: ${ARG1},"
        "Class: ${ARG2},When: ${ARG3},Pressed: ${IVRD_PRESSED})",
        f"QueueLog(${{IVRD_QUEUE}},${{IVRD_CALL}},NONE,{journal.LABEL},"
        f"${{ARG1}}|${{ARG2}}|${{ARG3}}|{fields})",
        "Return()",
    )


def _after(labels: LabelsConfig) -> str:
    return "; The caller has hung up; nothing to ask when the code came during the call.\n" + (
        extension(
            "after",
            'GotoIf($["${IVRD_CALL}" = "" | "${IVRD_LABELLED}" = "1"]?done)',
            "Set(IVRD_WRONG=0)",
            f"Set(TIMEOUT(digit)={labels.digit_s})",
            f"Playtones({ASK})",
            f"WaitExten({labels.after_call_s})",
            "; The caller lives on after a blind transfer, which is to be told before our end.",
            "GotoIf($[${CHANNEL_EXISTS(${IVRD_CALL})}]?wait:end)",
            f"Wait({HANDED_ON_S})",
            "Hangup()",
            labels={3: "ask", 5: "done", 6: "wait", 7: "end"},
        )
    )


def _codes(tree: LabelTree) -> Iterator[str]:
    """Yield the extension of each code; with the key before it, the caller was half helped."""
    for keys, subject in tree.phone_codes.items():
        yield extension(keys, f"Gosub(told,1({subject.code},whole,after))", "Goto(taken,1)")
        yield extension(
            f"{HALF_HELPED_KEY}{keys}",
            f"Gosub(told,1({subject.code},half,after))",
            "Goto(taken,1)",
        )
    yield extension("taken", f"Playtones({TAKEN})", f"Wait({TAKEN_S})", "Hangup()")


def _invalid() -> str:
    return extension(
        "i",
        "Set(IVRD_WRONG=$[${IVRD_WRONG} + 1])",
        f"Playtones({WRONG})",
        f"Wait({REST_S})",
        f"GotoIf($[${{IVRD_WRONG}} <= {WRONG_MAX}]?after,ask)",
        "Hangup()",
    )


def render_features(tree: LabelTree, labels: LabelsConfig) -> str:
    """Return our part of features.conf: a feature for each code, and their group."""
    top = head(
        "For features.conf: `#include` this file at its end. It adds to [applicationmap], which",
        "must stand there. In [general], featuredigittimeout = 2000 gives time between two keys.",
    )
    features = list(_features(tree, labels.feature_code))
    lines = [
        "[applicationmap](+)",
        *(f'{name} => {keys},self,Gosub,"{LABEL},{to}"' for name, keys, to in features),
        "",
        f"[{GROUP}]",
        *(f"{name} => {keys}" for name, keys, _ in features),
    ]
    return top + "\n".join(lines) + "\n"


def _features(tree: LabelTree, feature_code: str) -> Iterator[tuple[str, str, str]]:
    """Yield the name of each feature, its keys, and the subroutine that it runs."""
    codes: Sequence[str] = tuple(tree.phone_codes)
    for half, mark in (("", ""), ("half-", HALF_HELPED_KEY)):
        for keys in codes:
            told = f"{tree.phone_codes[keys].code},{'half' if half else 'whole'}"
            yield f"ivrd-{half}{keys}", f"{feature_code}{mark}{keys}", f"during,1({told})"
        for keys in dead_ends(codes):
            yield f"ivrd-no-{half}{keys}", f"{feature_code}{mark}{keys}", "wrong,1"
