"""Free loopback ports, kept apart between everything in the lab that runs at the same time.

A port is reserved by a locked file, so two runs of the lab never take the same one between asking
and binding; the kernel drops the lock when the holder dies. What other programs hold is found by
binding.
"""

import fcntl
import os
import socket
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK = "127.0.0.1"

SINGLES = range(20_000, 22_000)
"""For services. Below the kernel's range for outgoing connections (32768 and up), which would
race."""

RANGES = (range(10_000, 20_000), range(22_000, 32_000))
"""For media, which Asterisk and SIPp want as consecutive ports. With a thousand for each, only half
of them, five PBXs could leave no gap of a thousand between them."""

SLICE = 100
"""Consecutive ports are reserved in slices of this size."""


class NoFreePortError(Exception):
    """Every port of the lab is taken, most likely by a run that hangs."""


@dataclass(slots=True)
class Ports:
    """Reserved ports; free again after `release`, or when this process ends."""

    numbers: range
    _lock_fds: list[int] = field(default_factory=list)

    @property
    def first(self) -> int:
        """The first port, which is the only one when one was asked for."""
        return self.numbers[0]

    @property
    def last(self) -> int:
        """The last port."""
        return self.numbers[-1]

    def release(self) -> None:
        """Give the ports back; harmless when done twice."""
        while self._lock_fds:
            os.close(self._lock_fds.pop())


def reserve_port() -> Ports:
    """Reserve one port that is free for TCP and UDP."""
    for port in _spread(SINGLES):
        lock = _try_lock(f"port-{port}")
        if lock is None:
            continue
        if _is_free(port):
            return Ports(range(port, port + 1), [lock])
        os.close(lock)
    raise NoFreePortError(f"no free port in {SINGLES}")


def reserve_range(size: int) -> Ports:
    """Reserve `size` consecutive ports, the first one even, as RTP wants (RFC 3550, 11)."""
    slices = -(-size // SLICE)
    starts = [
        start
        for numbers in RANGES
        for start in numbers[::SLICE]
        if start + slices * SLICE <= numbers.stop
    ]
    for start in _spread(starts):
        locks = _try_lock_slices(start, slices)
        if not locks:
            continue
        if all(_is_free(port) for port in range(start, start + size)):
            return Ports(range(start, start + size), locks)
        for lock in locks:
            os.close(lock)
    raise NoFreePortError(f"no {size} consecutive free ports in {RANGES}")


def _try_lock_slices(start: int, slices: int) -> list[int]:
    locks: list[int] = []
    for number in range(slices):
        lock = _try_lock(f"range-{start + number * SLICE}")
        if lock is None:
            for taken in locks:
                os.close(taken)
            return []
        locks.append(lock)
    return locks


def _spread(numbers: Sequence[int]) -> list[int]:
    """Return the candidates from a place that differs by process, so that runs seldom meet."""
    candidates = list(numbers)
    if not candidates:
        return []
    turn = (os.getpid() * 37) % len(candidates)
    return candidates[turn:] + candidates[:turn]


def _try_lock(name: str) -> int | None:
    directory = Path(tempfile.gettempdir()) / f"ivrd-lab-ports-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    fd = os.open(directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                # A listener of a run that just ended leaves connections in TIME_WAIT, no hindrance.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                return False
    return True
