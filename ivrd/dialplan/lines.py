"""The contexts of lines, and of a call's end.

Here: where a citizen's call comes in, and what is told when it is over. Not here: menus, queues.
"""

from collections.abc import Sequence

from ivrd.config import LineConfig
from ivrd.core import journal
from ivrd.dialplan.text import context, extension, head

NUMBER_CHARACTERS = "+*#0-9"
"""All that a telephone number consists of."""

NAME_CHARACTERS = r"\x20-\x7e\x80-\xff"
"""Everything but control characters; UTF-8 letters are bytes from 0x80 up."""


def lines(lines: Sequence[LineConfig]) -> str:
    top = head("The way in: one extension per dialled number.")
    extensions = "".join(
        f"exten => {line.number},1,Goto(ivrd-line-{line.name},s,1)\n" for line in lines
    )
    return f"{top}[ivrd-lines]\n{extensions}"


def line_context(line: LineConfig) -> str:
    top = head(
        f"Line {line.name}: answers, tells that a call came, and goes to its menu.",
        "Tells: UserEvent IvrdArrived, read by ivrd/ami/parse.py; row IVRDARRIVED in queue_log,",
        "read by ivrd/core/catch_up.py after a gap.",
    )
    return top + context(
        f"ivrd-line-{line.name}",
        extension(
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


def end() -> str:
    top = head(
        "Runs when a caller's channel is gone, wherever it was then.",
        "Tells: row IVRDEND in queue_log, read by ivrd/core/catch_up.py after a gap.",
    )
    return top + context(
        "ivrd-end",
        extension("s", f"QueueLog(NONE,${{UNIQUEID}},NONE,{journal.END})", "Return()"),
    )
