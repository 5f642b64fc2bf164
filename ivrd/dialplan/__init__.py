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

from collections.abc import Mapping

from ivrd.config import Config, MenuConfig
from ivrd.core.labels import LabelTree
from ivrd.core.targets import Target, ToMenu, ToQueue
from ivrd.dialplan.ami_user import render_manager
from ivrd.dialplan.hours import context_name, render_hours
from ivrd.dialplan.labels import LABEL, label_context, render_features
from ivrd.dialplan.lines import end, line_context, lines, notices_context
from ivrd.dialplan.menus import menu_contexts
from ivrd.dialplan.overflow import moved_context
from ivrd.dialplan.queues import queue_context, render_queues
from ivrd.dialplan.targets import numbers_context
from ivrd.dialplan.text import head

__all__ = ["render", "render_features", "render_hours", "render_manager", "render_queues"]


def render(config: Config, *, hours: Mapping[str, str], tree: LabelTree) -> dict[str, str]:
    """Return the dialplan's files by name; `ivrd.conf` includes all the others.

    Args:
        tree: What cases can be about.
        hours: The context of each table of hours, by its name; see `render_hours`.
    """
    files = {
        "ivrd-lines.conf": lines(config.lines),
        "ivrd-end.conf": end(),
        "ivrd-notices.conf": notices_context(config.notices),
        "ivrd-numbers.conf": numbers_context(),
        "ivrd-moved.conf": moved_context(config.overflow),
    }
    files.update({f"{context_name(name)}.conf": text for name, text in hours.items()})
    for line in config.lines:
        files[f"ivrd-line-{line.name}.conf"] = line_context(
            line, config.notices, is_protected=line.name in config.privacy.protected_lines
        )
    for menu in config.menus:
        files[f"ivrd-menu-{menu.name}.conf"] = menu_contexts(
            menu, config.agi, last_resort=last_resort(menu, config)
        )
    for queue in config.queues:
        files[f"ivrd-queue-{queue.name}.conf"] = queue_context(queue, config.agi)
    if any(queue.labels_by_phone for queue in config.queues):
        files[f"{LABEL}.conf"] = label_context(tree, config.labels)
    includes = "".join(f"#include ivrd/{name}\n" for name in sorted(files))
    top = head(
        "Includes every context of ivrd. Put `#include ivrd/ivrd.conf` into extensions.conf, and",
        "`include => ivrd-lines` into the context where citizens' calls come in.",
    )
    return {"ivrd.conf": top + includes, **files}


def last_resort(menu: MenuConfig, config: Config) -> Target:
    """Return where failure leads in the end, over all menus on the way; never a menu.

    A circle of menus, which the configuration's checks refuse, ends at the first queue.
    """
    menus = {one.name: one for one in config.menus}
    for _ in config.menus:
        target = (menu.failure_choice or menu.stay_choice).target
        if not isinstance(target, ToMenu):
            return target
        menu = menus[target.menu]
    return ToQueue(config.queues[0].name)
