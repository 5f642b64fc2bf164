"""What systemd tells a service about itself, read from the environment.

Here: the only reader of those variables. Not here: answering systemd (notify.py).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    """What systemd has told us about watching over us."""

    notify_socket: str | None
    """Where to say READY and WATCHDOG; None when nobody listens."""
    watchdog_s: float | None
    """A sign of life is wanted at least this often; None when nobody waits for one."""


def supervision(environment: Mapping[str, str] = os.environ) -> Supervision:
    """Return how systemd watches over this process.

    Source:
        sd_notify(3), sd_watchdog_enabled(3): WATCHDOG_PID, when set, names whom it is for.
    """
    microseconds = environment.get("WATCHDOG_USEC", "")
    is_ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    has_watchdog = microseconds.isdigit() and int(microseconds) > 0 and is_ours
    return Supervision(
        notify_socket=environment.get("NOTIFY_SOCKET") or None,
        watchdog_s=int(microseconds) / 1e6 if has_watchdog else None,
    )
