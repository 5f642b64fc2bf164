"""Renders the dialplan from the same configuration that drives the menus.

Here: text, one file per context, every context prefixed `ivrd-`. Not here: reading configuration,
or putting the files where Asterisk finds them. Rendering is deterministic: same configuration,
same bytes.

What the dialplan must keep true
    1. It works without the daemon. The menu is asked for only when the heartbeat is fresh, runs
       under TIMEOUT(absolute) with AGIEXITONHANGUP, and is believed only when IVRD_DONE, which the
       daemon sets last, says so: AGISTATUS is SUCCESS also when the daemon dies (ASTERISK.md §B).
       Otherwise the same menu is played statically.
    2. Each end of Queue() without an answer is told with one UserEvent, and QUEUESTATUS is cleared
       before each Queue(), because Queue() does not clear it.
    3. A caller's place in any queue is by first arrival: QUEUE_PRIO is set once per call, from the
       clock, and higher means earlier. So a moved caller enters among those waiting where the first
       arrival says, however many moves land in whatever order.
    4. Nothing that a caller can choose (name, number, header) is ever put into an application's
       arguments: UserEvent() adds the channel's own headers by itself. The number is cleaned before
       anything else, because it could end an AMI event and begin another (seen on 22.10.1). What
       another AMI user can choose (the info of a withdraw) is filtered: a comma would begin a
       header of its own. FILTER wants its hyphen first; at the end it is lost (seen on 22.10.1).
    5. queue_log alone can tell a call's life, with our rows beside app_queue's (core/journal.py),
       so that a gap in ivrd's own presence can be filled.
"""

from collections.abc import Iterator, Mapping, Sequence

from ivrd.config import AgiConfig, Config, LineConfig, MenuConfig, PbxConfig, QueueConfig
from ivrd.core import journal

HEARTBEAT_S_MAX = 6
"""Three heartbeats of two seconds: one may be late, and one lost, before the daemon is given up."""

ANSWER_S_MAX = 2
"""Seconds for the daemon's first word. A frozen daemon costs a caller this much silence, once."""

PRIORITY_BASE = 19_180_000_000
"""Tenths of seconds since 1970 that give priority 0 (2030). app_queue.c reads QUEUE_PRIO as a
32-bit number, so the formula holds from 2023 to 2037."""

NUMBER_CHARACTERS = "+*#0-9"
"""All that a telephone number consists of."""

NAME_CHARACTERS = r"\x20-\x7e\x80-\xff"
"""Everything but control characters; UTF-8 letters are bytes from 0x80 up."""

UNAVAILABLE_PROMPT = "ivrd/otillganglig"
"""Played to a caller whom a queue without a fallback refuses or sends on."""

UNAVAILABLE_TEXT_SV = "Just nu kan ingen svara. Välkommen att ringa igen senare."

EXITS = ("TIMEOUT", "FULL", "JOINEMPTY", "LEAVEEMPTY", "JOINUNAVAIL", "LEAVEUNAVAIL", "UNKNOWN")
"""Every QUEUESTATUS that means that the queue would not have, or keep, the caller; app_queue.c,
queue_results. The others are WITHDRAW and CONTINUE."""


def render(config: Config) -> dict[str, str]:
    """Return the dialplan's files by name; `ivrd.conf` includes all the others."""
    files = {"ivrd-lines.conf": _lines(config.lines)}
    files["ivrd-end.conf"] = _end()
    for line in config.lines:
        files[f"ivrd-line-{line.name}.conf"] = _line(line)
    for menu in config.menus:
        files[f"ivrd-menu-{menu.name}.conf"] = _menu(menu, config.agi)
        files[f"ivrd-static-{menu.name}.conf"] = _static_menu(menu)
    for queue in config.queues:
        files[f"ivrd-queue-{queue.name}.conf"] = _queue(queue)
    includes = "".join(f"#include ivrd/{name}\n" for name in sorted(files))
    head = _head(
        "Includes every context of ivrd. Put `#include ivrd/ivrd.conf` into extensions.conf, and",
        "`include => ivrd-lines` into the context where citizens' calls come in.",
    )
    return {"ivrd.conf": head + includes, **files}


def render_manager(pbx: PbxConfig, *, event_filters: Sequence[str]) -> str:
    """Return the section of manager.conf for our AMI user, without its secret.

    Args:
        event_filters: Lines that let through only the events that we use (ami/filters.py).
    """
    head = _head(
        "Our AMI user, with the least rights that suffice. Add a line `secret = ...` with what the",
        "file named by secret_file holds. [general] needs `timestampevents = yes`.",
    )
    lines = [
        f"[{pbx.username}]",
        "read = system,call,agent,user",
        "write = call,reporting",
        "; Events are cut off in the middle when a full socket is not read for so many ms.",
        "writetimeout = 5000",
        "deny = 0.0.0.0/0.0.0.0",
        "permit = 127.0.0.1/255.255.255.255",
        *event_filters,
    ]
    return head + "\n".join(lines) + "\n"


def prompts(config: Config) -> dict[str, str]:
    """Return what each prompt of the dialplan says in Swedish, by sound file name."""
    texts = {UNAVAILABLE_PROMPT: UNAVAILABLE_TEXT_SV}
    for menu in config.menus:
        texts[menu.prompt] = menu.prompt_text_sv
        if menu.invalid_prompt is not None:
            texts[menu.invalid_prompt] = menu.invalid_prompt_text_sv
    return texts


def _lines(lines: Sequence[LineConfig]) -> str:
    head = _head("The way in: one extension per dialled number.")
    extensions = "".join(
        f"exten => {line.number},1,Goto(ivrd-line-{line.name},s,1)\n" for line in lines
    )
    return f"{head}[ivrd-lines]\n{extensions}"


def _line(line: LineConfig) -> str:
    head = _head(
        f"Line {line.name}: answers, tells that a call came, and goes to its menu.",
        "Tells: UserEvent IvrdArrived, read by ivrd/ami/parse.py; row IVRDARRIVED in queue_log,",
        "read by ivrd/core/catch_up.py after a gap.",
    )
    return head + _context(
        f"ivrd-line-{line.name}",
        _extension(
            "s",
            "; A number may hold %0D%0A by SIP, and Asterisk writes it into events as it is.",
            f"Set(CALLERID(num)=${{FILTER({NUMBER_CHARACTERS},${{CALLERID(num)}})}})",
            f"Set(CALLERID(name)=${{FILTER({NAME_CHARACTERS},${{CALLERID(name)}})}})",
            "Set(CHANNEL(hangup_handler_push)=ivrd-end,s,1)",
            "; Told before Answer(), which waits for sound: who hangs up meanwhile has rung us.",
            f"UserEvent(IvrdArrived,Line: {line.name})",
            f"QueueLog(NONE,${{UNIQUEID}},NONE,{journal.ARRIVED},{line.name}|${{CHANNEL}})",
            "Answer()",
            f"Goto(ivrd-menu-{line.menu},s,1)",
        ),
    )


def _end() -> str:
    head = _head(
        "Runs when a caller's channel is gone, wherever it was then.",
        "Tells: row IVRDEND in queue_log, read by ivrd/core/catch_up.py after a gap.",
    )
    return head + _context(
        "ivrd-end",
        _extension("s", f"QueueLog(NONE,${{UNIQUEID}},NONE,{journal.END})", "Return()"),
    )


def _menu(menu: MenuConfig, agi: AgiConfig) -> str:
    head = _head(
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
    return head + _context(
        f"ivrd-menu-{menu.name}",
        _extension("s", *steps),
        "; The absolute limit has passed: ivrd is frozen. Asterisk has taken the limit away.\n"
        + _extension("T", f"Goto({static})"),
    )


def _static_menu(menu: MenuConfig) -> str:
    head = _head(
        f"Menu {menu.name} without ivrd: the same keys, the same silence, the same queues.",
        "Tells: UserEvent IvrdChoice, read by ivrd/ami/parse.py when it is back in time; else row",
        "IVRDCHOICE in queue_log, read by ivrd/core/catch_up.py.",
    )
    stay = f"ivrd-queue-{menu.stay_choice},s,1"
    parts = [
        _extension(
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
        parts.append(_extension(digit, *choice, f"Goto(ivrd-queue-{queue},s,1)"))
    parts.append(
        "; Staying on the line is a real choice.\n"
        + _extension("t", *_choice(menu, "stayed", menu.stay_choice, ""), f"Goto({stay})")
    )
    invalid = [f"Playback({menu.invalid_prompt})"] if menu.invalid_prompt else []
    parts.append(
        _extension(
            "i",
            "Set(IVRD_TRIES=$[${IVRD_TRIES} + 1])",
            f"GotoIf($[${{IVRD_TRIES}} >= {menu.tries}]?gave-up,1)",
            *invalid,
            "Goto(s,prompt)",
        )
    )
    gave_up = _choice(menu, "gave_up", menu.stay_choice, "")
    parts.append(_extension("gave-up", *gave_up, f"Goto({stay})"))
    return head + _context(f"ivrd-static-{menu.name}", *parts)


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


def _queue(queue: QueueConfig) -> str:
    head = _head(
        f"Queue {queue.name}: waits for an agent, and tells why when none came.",
        "Tells: UserEvent IvrdQueueExit, read by ivrd/ami/parse.py. A caller whom ivrd withdraws",
        "carries where to in QUEUE_WITHDRAW_INFO (ivrd/ami/actions.py). Row IVRDEXIT in queue_log",
        "says the same to ivrd/core/catch_up.py.",
    )
    if queue.fallback is not None:
        after = _extension("onward", f"Goto(ivrd-queue-{queue.fallback},s,1)")
    else:
        after = _extension("onward", f"Playback({UNAVAILABLE_PROMPT})", "Hangup()")
    # No argument may follow the timeout: Asterisk 21 took macro away, so that position is the ninth
    # there and the tenth before ("core show application Queue" of 22.10.1 and 16.28.0). And among
    # the options, w and W went with Monitor. The place in the queue is by QUEUE_PRIO, in both.
    timeout = str(queue.timeout_s) if queue.timeout_s else ""
    steps = [
        "; Once per call: the place in every queue is by first arrival.",
        'Set(QUEUE_PRIO=${IF($["${QUEUE_PRIO}" = ""]?'
        f"$[{PRIORITY_BASE} - ${{STRFTIME(,,%s%1q)}}]:${{QUEUE_PRIO}})}})",
        "Set(QUEUESTATUS=)",
        "Set(QUEUE_WITHDRAW_INFO=)",
        f"Queue({queue.name},{queue.options},,,{timeout})",
        f"UserEvent(IvrdQueueExit,Queue: {queue.name},Status: ${{QUEUESTATUS}},"
        "Info: ${FILTER(-_ a-zA-Z0-9,${QUEUE_WITHDRAW_INFO})})",
        f"QueueLog({queue.name},${{UNIQUEID}},NONE,{journal.EXIT},${{QUEUESTATUS}})",
        'GotoIf($["${QUEUESTATUS}" = "WITHDRAW"]?withdrawn,1)',
        *(f'GotoIf($["${{QUEUESTATUS}}" = "{status}"]?onward,1)' for status in EXITS),
        "; CONTINUE, or no reason: an agent has answered and gone.",
        "Hangup()",
    ]
    withdrawn = [
        "Set(IVRD_TO=${FILTER(-_a-z0-9,${CUT(QUEUE_WITHDRAW_INFO, ,2)})})",
        'GotoIf($["${CUT(QUEUE_WITHDRAW_INFO, ,1)}" != "ivrd-move"]?s,1)',
        'GotoIf($["${DIALPLAN_EXISTS(ivrd-queue-${IVRD_TO},s,1)}" != "1"]?s,1)',
        "Goto(ivrd-queue-${IVRD_TO},s,1)",
    ]
    return head + _context(
        f"ivrd-queue-{queue.name}",
        _extension("s", *steps),
        "; Somebody else's withdraw, or an unknown target, leads back to the same place in line.\n"
        + _extension("withdrawn", *withdrawn),
        after,
    )


def _queues_of(menu: MenuConfig) -> list[str]:
    return sorted({*menu.choices.values(), menu.stay_choice})


def _head(*lines: str) -> str:
    text = "".join(f"; {line}\n" for line in lines)
    return f"; Rendered by `ivrd dialplan`; change the configuration, not this file.\n{text}\n"


def _context(name: str, *extensions: str) -> str:
    return f"[{name}]\n" + "\n".join(extensions)


def _extension(name: str, *steps: str, labels: Mapping[int, str] | None = None) -> str:
    return "".join(_numbered(name, steps, labels or {}))


def _numbered(name: str, steps: Sequence[str], labels: Mapping[int, str]) -> Iterator[str]:
    """Yield an extension's lines; a step that begins with ';' is a comment, and not counted."""
    number = 0
    for step in steps:
        if step.startswith(";"):
            yield f"{step}\n"
            continue
        label = f"({labels[number]})" if number in labels else ""
        place = f"exten => {name},1" if number == 0 else " same => n"
        yield f"{place}{label},{step}\n"
        number += 1
