"""Runs an Asterisk at another time: its wall clock is ahead by a constant, and runs on as usual.

libfaketime answers the process's questions for the time; the kernel's clocks, and those of
everybody else, stay as they are. A time namespace of Linux shifts no wall clock, and setting the
machine's own would shift every other PBX and the daemon too.
"""

from datetime import timedelta
from pathlib import Path

from tests.lab.processes import LabError
from tests.lab.root import Asterisk

LIBRARY = "usr/lib/*/faketime/libfaketimeMT.so.1"
"""The one for programs with threads; from Debian's package libfaketime, of the same suite."""


def wall_clock_ahead(asterisk: Asterisk, ahead: timedelta) -> dict[str, str]:
    """Return the environment in which `asterisk` is ahead of the machine by so much.

    Deadlines on the wall clock (`pthread_cond_timedwait` and the like) are translated back by the
    library; timers and the monotonic clock are left alone. It does not know
    `pthread_rwlock_timedwrlock`, which with a clock behind the machine's would not wait at all:
    therefore that is refused.

    Raises:
        LabError: the library is missing, or the clock would be behind.
    """
    if ahead < timedelta():
        raise LabError(f"Asterisk's clock can only be ahead of the machine's, not by {ahead}")
    base = asterisk.root or Path("/")
    library = next(iter(sorted(base.glob(LIBRARY))), None)
    if library is None:
        raise LabError("libfaketime is missing beside Asterisk; apt-get install libfaketime")
    return {
        "LD_PRELOAD": str(asterisk.inside(library)),
        "FAKETIME": f"{ahead.total_seconds():+.6f}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # Nothing is shared with other processes, and a root has no /dev/shm to do it by.
        "FAKETIME_DISABLE_SHM": "1",
        # Files keep the machine's time: Asterisk asks only whether one has changed.
        "NO_FAKE_STAT": "1",
    }
