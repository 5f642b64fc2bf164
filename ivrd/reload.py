"""A new configuration while calls go on: all of it, or nothing and why.

Here: reading, what may not change, and who is told. Not here: what each part does with it.

A call in a menu finishes on the menu that it began with, because each session holds its own. The
dialplan is another matter: `ivrd dialplan apply` (dialplan_apply.py), first of the two.
"""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog

from ivrd.config import Config, load
from ivrd.errors import ConfigError
from ivrd.switches import Reloaded

FIXED = (
    "state_directory",
    "pbx",
    "agi",
    "web",
    "database",
    "journal",
    "mqtt",
    "log",
    "privacy",
    "handover",
)
"""Keys of what is connected, opened or listened on once: they need a restart."""

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Reloader:
    """Takes the configuration anew; `reload` runs one at a time, see `SwitchBoard.reload`."""

    def __init__(self, path: Path, config: Config, *, apply: Callable[[Config], None]) -> None:
        """Change nothing yet.

        Args:
            path: The file that `config` came from.
            config: What is in use.
            apply: Puts another one to use; called with one that differs in no fixed key.
        """
        self._path = path
        self._apply = apply
        self.config = config
        self.refused = 0
        """Times that a file was not taken; for a counter."""

    async def reload(self) -> Reloaded:
        """Read the file, and use it if all of it is right."""
        try:
            fresh = await asyncio.to_thread(load, self._path)
        except ConfigError as error:
            return self._refuse(tuple(error.faults))
        fixed = tuple(
            f"{key}: has changed, which needs a restart of ivrd; nothing else was changed either"
            for key in FIXED
            if getattr(fresh, key) != getattr(self.config, key)
        )
        if fixed:
            return self._refuse(fixed)
        told = ", ".join(changes(self.config, fresh)) or "nothing has changed"
        self._apply(fresh)
        self.config = fresh
        log.info("configuration_reloaded", changes=told)
        return Reloaded(summary=told)

    def _refuse(self, faults: tuple[str, ...]) -> Reloaded:
        self.refused += 1
        log.warning("configuration_refused", faults=faults)
        return Reloaded(faults=faults)


def changes(before: Config, after: Config) -> Iterator[str]:
    """Yield what is new, gone or different, such as "menus: va changed"."""
    for key in ("queues", "menus", "lines", "notices", "hours", "overflow"):
        old = {one.name: one for one in getattr(before, key)}
        new = {one.name: one for one in getattr(after, key)}
        for name in [*old, *(name for name in new if name not in old)]:
            if name not in new:
                yield f"{key}: {name} gone"
            elif name not in old:
                yield f"{key}: {name} new"
            elif old[name] != new[name]:
                yield f"{key}: {name} changed"
    for key in ("time_zone", "access", "cases", "retention", "sheet"):
        if getattr(before, key) != getattr(after, key):
            yield f"{'prompt_sheet' if key == 'sheet' else key} changed"
