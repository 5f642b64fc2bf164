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

from ivrd.config import Config
from ivrd.dialplan.ami_user import render_manager
from ivrd.dialplan.lines import end, line_context, lines
from ivrd.dialplan.menus import menu_context, static_menu
from ivrd.dialplan.queues import UNAVAILABLE_PROMPT, UNAVAILABLE_TEXT_SV, queue_context
from ivrd.dialplan.text import head

__all__ = ["prompts", "render", "render_manager"]


def render(config: Config) -> dict[str, str]:
    """Return the dialplan's files by name; `ivrd.conf` includes all the others."""
    files = {"ivrd-lines.conf": lines(config.lines)}
    files["ivrd-end.conf"] = end()
    for line in config.lines:
        files[f"ivrd-line-{line.name}.conf"] = line_context(line)
    for menu in config.menus:
        files[f"ivrd-menu-{menu.name}.conf"] = menu_context(menu, config.agi)
        files[f"ivrd-static-{menu.name}.conf"] = static_menu(menu)
    for queue in config.queues:
        files[f"ivrd-queue-{queue.name}.conf"] = queue_context(queue)
    includes = "".join(f"#include ivrd/{name}\n" for name in sorted(files))
    top = head(
        "Includes every context of ivrd. Put `#include ivrd/ivrd.conf` into extensions.conf, and",
        "`include => ivrd-lines` into the context where citizens' calls come in.",
    )
    return {"ivrd.conf": top + includes, **files}


def prompts(config: Config) -> dict[str, str]:
    """Return what each prompt of the dialplan says in Swedish, by sound file name."""
    texts = {UNAVAILABLE_PROMPT: UNAVAILABLE_TEXT_SV}
    for menu in config.menus:
        texts[menu.prompt] = menu.prompt_text_sv
        if menu.invalid_prompt is not None:
            texts[menu.invalid_prompt] = menu.invalid_prompt_text_sv
    return texts
