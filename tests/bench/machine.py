"""Describes the machine that measured, so that figures compare; names no host and no path."""

import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the figures were measured on."""

    cores: int
    cpu: str
    ram_gib: float
    python: str
    asterisk: str
    load_at_start: float
    """Processes that wanted to run in the last minute, others' included."""

    def lines(self) -> list[str]:
        """Return the text for people."""
        return [
            f"machine: {self.cores} cores of {self.cpu}, {self.ram_gib:.1f} GiB RAM, "
            f"load {self.load_at_start:.2f} at the start",
            f"         Python {self.python}, Asterisk {self.asterisk}",
        ]

    def as_json(self) -> dict[str, object]:
        """Return the same for programs."""
        return asdict(self)


def describe(*, asterisk_version: str) -> Machine:
    """Return this machine."""
    ram_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        cpu=_cpu_model(),
        ram_gib=ram_bytes / 2**30,
        python=platform.python_version(),
        asterisk=asterisk_version,
        load_at_start=os.getloadavg()[0],
    )


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, text = line.partition(":")
        if name.strip() == "model name":
            return text.strip()
    return platform.machine() or "an unnamed processor"
