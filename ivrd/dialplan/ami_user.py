"""Our user in Asterisk's manager.conf.

Here: the section without its secret. Not here: which events we want (ami/filters.py).
"""

from collections.abc import Sequence

from ivrd.config import PbxConfig
from ivrd.dialplan.text import head


def render_manager(
    pbx: PbxConfig, *, event_filters: Sequence[str], pauses_members: bool = False
) -> str:
    """Return the section of manager.conf for our AMI user, without its secret.

    Args:
        pauses_members: Guides are held until their case has a label.
        event_filters: Lines that let through only the events that we use (ami/filters.py).
    """
    top = head(
        "Our AMI user, with the least rights that suffice. Add a line `secret = ...` with what the",
        "file named by secret_file holds. [general] needs `timestampevents = yes`.",
    )
    lines = [
        f"[{pbx.username}]",
        "read = system,call,agent,user",
        "; system: live switches are kept in Asterisk's own database (DBPut, DBDel), and",
        "; `ivrd dialplan apply` lets Asterisk read its dialplan anew (Reload).",
        "; agent: supervisors pause agents, and log them in and out.",
        *(["; and guides are held until their case has a label (QueuePause)."] * pauses_members),
        "write = system,call,reporting,agent",
        "; Events are cut off in the middle when a full socket is not read for so many ms.",
        "writetimeout = 5000",
        "deny = 0.0.0.0/0.0.0.0",
        "permit = 127.0.0.1/255.255.255.255",
        *event_filters,
    ]
    return top + "\n".join(lines) + "\n"
