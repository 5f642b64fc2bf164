"""The contexts of lines, and of a call's end.

Here: where a citizen's call comes in, whether the line is open, and what is told when the call is
over. Not here: hours (hours.py), menus, queues.
"""

from collections.abc import Sequence

from ivrd.config import LineConfig, NoticeConfig
from ivrd.config.base import sound
from ivrd.core import journal
from ivrd.dialplan.targets import leave
from ivrd.dialplan.text import context, extension, head, play

NUMBER_CHARACTERS = "+*#0-9"
"""All that a telephone number consists of."""

NAME_CHARACTERS = r"\x20-\x7e\x80-\xff"
"""Everything but control characters; UTF-8 letters are bytes from 0x80 up."""

FORCED = "ivrd-line"
"""Family in Asterisk's own database: by line, "open UNTIL" or "closed UNTIL" (core/switches.py)."""

NOTICE = "ivrd-notice"
"""Family in Asterisk's own database: by notice, the second until which it is heard."""


def lines(lines: Sequence[LineConfig]) -> str:
    """Return the context with one extension per dialled number."""
    top = head("The way in: one extension per dialled number.")
    extensions = "".join(
        f"exten => {line.number},1,Goto(ivrd-line-{line.name},s,1)\n" for line in lines
    )
    return f"{top}[ivrd-lines]\n{extensions}"


def line_context(
    line: LineConfig, notices: Sequence[NoticeConfig], *, is_protected: bool = False
) -> str:
    """Return the context of one line: in, open or closed, notices.

    Args:
        line: The line.
        notices: Those that may be heard there.
        is_protected: Callers' identities are protected: nothing behind learns a number.
    """
    top = head(
        f"Line {line.name}: answers, tells that a call came, and goes to its menu when open.",
        "Tells: UserEvent IvrdArrived and IvrdClosed, read by ivrd/ami/parse.py; rows IVRDARRIVED",
        "and IVRDCLOSED in queue_log, read by ivrd/core/catch_up.py after a gap.",
        "Relies on: the hours' own context; astdb ivrd-line and ivrd-notice, set by ivrd.",
    )
    return top + context(
        f"ivrd-line-{line.name}",
        _arrival(line, is_protected=is_protected),
        _closed(line),
        _opening(line),
        _heard_here(line, notices, "before_menu"),
        _heard_here(line, notices, "before_queue"),
    )


CLEANED = (
    "; A number may hold %0D%0A by SIP, and Asterisk writes it into events as it is.",
    f"Set(CALLERID(num)=${{FILTER({NUMBER_CHARACTERS},${{CALLERID(num)}})}})",
    f"Set(CALLERID(name)=${{FILTER({NAME_CHARACTERS},${{CALLERID(name)}})}})",
)

TAKEN_AWAY = (
    "; Protected identity: neither queue_log, events nor any agent's telephone learn who rings.",
    "Set(CALLERID(num)=)",
    "Set(CALLERID(name)=)",
    "Set(CALLERID(ani)=)",
    "Set(CALLERID(num-pres)=prohib)",
    "Set(CALLERID(name-pres)=prohib)",
)


def _arrival(line: LineConfig, *, is_protected: bool) -> str:
    return extension(
        "s",
        *(TAKEN_AWAY if is_protected else CLEANED),
        "Set(CHANNEL(hangup_handler_push)=ivrd-end,s,1)",
        "; Told before Answer(), which waits for sound: who hangs up meanwhile has rung us.",
        f"UserEvent(IvrdArrived,Line: {line.name})",
        f"QueueLog(NONE,${{UNIQUEID}},NONE,{journal.ARRIVED},{line.name}|${{CHANNEL}})",
        "; Open or closed is by this moment: who rings one second before closing is served.",
        "Set(IVRD_AT=${EPOCH})",
        f"Set(IVRD_LINE={line.name})",
        "Set(IVRD_NAME=${CALLERID(name)})",
        f"Set(CHANNEL(language)={line.language})",
        f"Set(IVRD_SLOW={'slow' if line.is_slow else ''})",
        "Set(IVRD_PATH=)",
        "Answer()",
        f"Gosub(ivrd-line-{line.name},opening,1(${{IVRD_AT}}))",
        'GotoIf($["${IVRD_OPEN}" = "closed"]?closed,1)',
        f"Set(IVRD_LEAVES_AT={'${IVRD_CLOSES_AT}' if line.at_closing == 'close' else ''})",
        f"Gosub(ivrd-line-{line.name},before_menu,1)",
        f"Goto(ivrd-menu-{line.menu},s,1)" if line.menu else f"Goto(ivrd-queue-{line.queue},s,1)",
    )


def _closed(line: LineConfig) -> str:
    return extension(
        "closed",
        f"UserEvent(IvrdClosed,Line: {line.name},Reason: ${{IVRD_WHY}})",
        f"QueueLog(NONE,${{UNIQUEID}},NONE,{journal.CLOSED},{line.name}|${{IVRD_WHY}})",
        play(line.closed_prompt),
        *leave(line.closed_choice),
    )


def _opening(line: LineConfig) -> str:
    """Return the subroutine that says whether the line is open at ARG1, and until when.

    A meeting of a group does not close the line: the queue's catch-all takes its calls.
    """
    forced = f"${{DB({FORCED}/{line.name})}}"
    if line.hours is None:
        hours = ("Set(IVRD_OPEN=open)", "Set(IVRD_CLOSES_AT=)")
    else:
        hours = (f"Gosub(ivrd-hours-{line.hours},s,1(${{ARG1}}))", "NoOp()")
    return extension(
        "opening",
        *hours,
        "Set(IVRD_WHY=hours)",
        f"Set(IVRD_FORCED=${{FILTER( a-z0-9,{forced})}})",
        "Set(IVRD_UNTIL=0${FILTER(0-9,${CUT(IVRD_FORCED, ,2)})})",
        "; Forced, by a supervisor, until then.",
        "GotoIf($[${IVRD_UNTIL} <= ${ARG1}]?by-hours)",
        'GotoIf($["${CUT(IVRD_FORCED, ,1)}" = "closed"]?forced-closed)',
        "; A value that is neither is no reason to open.",
        'GotoIf($["${CUT(IVRD_FORCED, ,1)}" != "open"]?by-hours)',
        "Set(IVRD_WHY=forced)",
        "; Forced open does not shorten the hours; at its end they are asked again.",
        'Set(IVRD_CLOSES_AT=${IF($["${IVRD_OPEN}" != "closed" & '
        '("${IVRD_CLOSES_AT}" = "" | 0${IVRD_CLOSES_AT} > ${IVRD_UNTIL})]'
        "?${IVRD_CLOSES_AT}:${IVRD_UNTIL})})",
        "Set(IVRD_OPEN=open)",
        "Return()",
        "Set(IVRD_WHY=forced)",
        "Set(IVRD_OPEN=closed)",
        "Return()",
        labels={11: "by-hours", 12: "forced-closed"},
    )


def _heard_here(line: LineConfig, notices: Sequence[NoticeConfig], place: str) -> str:
    """Return the subroutine that plays what is switched on for this line at this place.

    Each notice leads back to its beginning, not to the step after: whatever a reload has changed
    meanwhile, no caller is lost, and none hears a notice twice.
    """
    here = [
        notice
        for notice in notices
        if notice.place == place and (not notice.lines or line.name in notice.lines)
    ]
    return extension(place, *(notice_step(notice) for notice in here), "Return()")


def notice_step(notice: NoticeConfig) -> str:
    """Return the step that plays a notice while it is switched on."""
    until = f"0${{FILTER(0-9,${{DB({NOTICE}/{notice.name})}})}}"
    heard = f'"${{{_heard(notice)}}}" = ""'
    return f"GotoIf($[{heard} & {until} > ${{EPOCH}}]?ivrd-notices,{notice.name},1)"


def _heard(notice: NoticeConfig) -> str:
    """Return the variable that says that a caller has heard it."""
    return f"IVRD_HEARD_{notice.name}"


def notices_context(notices: Sequence[NoticeConfig]) -> str:
    """Return the context with one subroutine per notice."""
    top = head(
        "Notices, such as an incident: what is switched on is heard before the menu or the queue.",
        "Tells: UserEvent IvrdNotice before and after, read by ivrd/ami/parse.py; row IVRDNOTICE",
        "in queue_log, read by ivrd/core/catch_up.py after a gap.",
        "Whoever hangs up between the two has got an answer.",
    )
    subroutines = [
        extension(
            notice.name,
            *_notice_told(notice.name, "began"),
            f"Playback({sound(notice.prompt)})",
            *_notice_told(notice.name, "ended"),
            f"Set({_heard(notice)}=1)",
            f"Goto(ivrd-line-${{IVRD_LINE}},{notice.place},1)",
        )
        for notice in notices
    ]
    taken_away = "; A notice that is gone after a reload.\n" + extension("i", "Return()")
    return top + context("ivrd-notices", *subroutines, taken_away)


def _notice_told(name: str, phase: str) -> tuple[str, str]:
    return (
        f"UserEvent(IvrdNotice,Notice: {name},Phase: {phase})",
        f"QueueLog(NONE,${{UNIQUEID}},NONE,{journal.NOTICE},{name}|{phase})",
    )


def end() -> str:
    """Return the context that runs when a caller's channel is gone."""
    top = head(
        "Runs when a caller's channel is gone, wherever it was then.",
        "Tells: row IVRDEND in queue_log, read by ivrd/core/catch_up.py after a gap.",
    )
    return top + context(
        "ivrd-end",
        extension("s", f"QueueLog(NONE,${{UNIQUEID}},NONE,{journal.END})", "Return()"),
    )
