"""Which events Asterisk is asked to send: lines for our user in manager.conf.

Here: the lines. Not here: writing manager.conf (dialplan/) and reading events (parse.py).

Filtering at the source pays twice: an unfiltered listener costs Asterisk 3 to 6 ms of CPU per call.
Filters act on events only, not on answers and lists (manager.c, `process_events`).
"""

import re
from collections.abc import Mapping

from ivrd.ami.parse import WANTED

CLIENT_EVENTS = ("FullyBooted", "Shutdown", "Reload")
"""Events that the client itself needs; with include filters they must be named too."""

ADVANCED_SINCE = {20: 11, 21: 6, 22: 1}
"""First minor version of each major one with the advanced syntax; all from 23 on have it."""

NARROWED = {
    "UserEvent": (",header(UserEvent),method(starts_with)", "Ivrd"),
    # A header without a value never matches, and Asterisk writes this one only on a swap.
    "BridgeEnter": (",header(SwapUniqueid)", ""),
}
"""Events of which only some are wanted: criteria and expression of the advanced syntax."""

EXCLUDED = {"DialEnd": (",header(Context),method(starts_with)", "ivrd-queue-")}
"""Events of which some are not wanted: a queue of ours dials its agents, and AgentConnect tells."""

EXCLUDED_LEGACY = {"DialEnd": ".*[[:cntrl:]]Context: ivrd-queue-"}

NARROWED_LEGACY = {
    "UserEvent": ".*UserEvent: Ivrd",
    "BridgeEnter": ".*SwapUniqueid: [^[:cntrl:]]",
}


def event_filter_lines(version: tuple[int, ...]) -> list[str]:
    """Return the eventfilter lines of our AMI user's section, for an Asterisk of this version.

    Args:
        version: Such as (22, 10, 1).

    Source:
        manager.conf.sample, "eventfilter"; manager.c, `manager_add_filter` and `filter_cmp_fn`.
        16.28.0 passes over advanced lines in silence, and then sends everything (measured by
        tests/integration/test_ami_asterisk.py); newer ones take the legacy lines too.
    """
    names = sorted({*CLIENT_EVENTS, *(name.decode() for name in WANTED)})
    if has_advanced_filters(version):
        return [
            *(_advanced("include", name, NARROWED) for name in names),
            *(_advanced("exclude", name, EXCLUDED) for name in EXCLUDED),
        ]
    return [
        *(f"eventfilter = {_legacy(name, NARROWED_LEGACY)}" for name in names),
        *(f"eventfilter = !{_legacy(name, EXCLUDED_LEGACY)}" for name in EXCLUDED_LEGACY),
    ]


def has_advanced_filters(version: tuple[int, ...]) -> bool:
    """Tell whether an Asterisk of this version knows the advanced syntax."""
    major, minor = (*version, 0)[:2]
    return major > max(ADVANCED_SINCE) or minor >= ADVANCED_SINCE.get(major, minor + 1)


def asterisk_version(text: str) -> tuple[int, ...] | None:
    """Return the version in what Asterisk says of itself; None when there is none.

    Example:
        >>> asterisk_version("Asterisk 22.10.1~dfsg+~cs6.16.60671434-1")
        (22, 10, 1)
        >>> asterisk_version("certified/18.9-cert2")
        (18, 9)
    """
    found = re.search(r"\d{1,3}(\.\d{1,3}){1,2}", text)
    return tuple(int(part) for part in found.group().split(".")) if found else None


def _advanced(action: str, name: str, narrowed: Mapping[str, tuple[str, str]]) -> str:
    criteria, expression = narrowed.get(name, ("", ""))
    return f"eventfilter(action({action}),name({name}){criteria}) = {expression}".rstrip(" ")


def _legacy(name: str, narrowed: Mapping[str, str]) -> str:
    # The expression meets the whole event; without an anchor any header could match.
    return f"^Event: {name}[[:cntrl:]]{narrowed.get(name, '')}"
