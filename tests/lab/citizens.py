"""A stream of citizens: one SIPp process that calls at a steady rate, by a list.

For load and for scenarios that only need callers; who must act at a condition is a phone of
`tests.lab.phone`. SIPp sends its key tones from a raw socket, hence needs root or CAP_NET_RAW.
"""

from __future__ import annotations

import contextlib
import csv
import math
import re
import shutil
import struct
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.lab.ports import reserve_port, reserve_range
from tests.lab.processes import Child, LabError

SCENARIO = Path(__file__).with_name("sipp") / "citizen.xml"
STAYS_MS = 3_600_000
"""Longer than any run: such a citizen waits for the other side to hang up."""
KEYS = "0123456789*#"
_ERROR_LINES_MAX = 20
_NO_ERROR = re.compile(
    r"The following events occurred:\s*|\S+\t\S+\t\S+: "
    r"(?:SIPp now prefers .*?working directory|Overload warning: .*? trips remaining\.)\s*"
)
"""SIPp reports each tone capture that lies in its own folder, where it belongs, and each time that
it itself stood still for half a second, as on a crowded machine; what its calls met is told too."""
_PCAP_HEADER_BYTES, _RECORD_HEADER_BYTES = 24, 16
_FRAME_HEADER_BYTES = 14 + 20 + 8
"""Ethernet, IPv4 and UDP, as in every packet of SIPp's captures."""
_LATER_PACKETS, _LATER_SAMPLES = 8000, 800_000
"""More than the distance between any two of SIPp's captures."""
_MEDIA_PORTS = 4
"""SIPp binds the media port and the one two above it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Citizen:
    """What one caller does. A key of '' means that the citizen stays on the line."""

    caller: str
    number: str
    key: str = ""
    key_delay_ms: int = 500
    second_key: str = ""
    """Pressed after the first, as by somebody whose first key was wrong."""
    second_key_delay_ms: int = 1000
    patience_ms: int = -1
    """From the last key to hanging up; -1: stays until the other side hangs up."""
    caller_name: str = ""

    def row(self) -> list[str]:
        """Return the fields of the injection file."""
        for text in (self.caller, self.number, self.caller_name):
            if any(letter in text for letter in ';"\r\n[]\\'):
                raise ValueError(f"SIPp cannot inject {text!r}; let a lab phone call instead")
        second_delay_ms = self.second_key_delay_ms if self.second_key else 0
        patience_ms = STAYS_MS if self.patience_ms < 0 else self.patience_ms
        delays = [_code(self.key), str(self.key_delay_ms), _code(self.second_key)]
        return [
            *(self.caller, self.caller_name, self.number),
            *(*delays, str(second_delay_ms), str(patience_ms)),
        ]


def _code(key: str) -> str:
    if key and (len(key) != 1 or key not in KEYS):
        raise ValueError(f"{key!r} is no key of a telephone")
    return str(KEYS.index(key)) if key else "-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class CitizenCounts:
    """What SIPp counted."""

    created: int
    succeeded: int
    failed: int
    live: int
    answered: int
    refused: int
    """Calls that got a final status other than 200."""
    hung_up: int
    """Citizens that ended their call themselves."""
    was_hung_up_on: int


class CitizenStream:
    """A running SIPp."""

    def __init__(self, *, child: Child, directory: Path) -> None:
        """Wrap a running process; use `start`."""
        self._child = child
        self._directory = directory

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls,
        pbx_host: str,
        port: int,
        citizens: Sequence[Citizen],
        rate_per_s: float,
    ) -> AsyncIterator[Self]:
        """Let the citizens call, one after the other, at that rate; leaving ends the process."""
        sipp = _find_sipp()
        with contextlib.ExitStack() as held:
            directory = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="citizens-")))
            _write_injection(directory / "citizens.csv", citizens)
            sip, control, media = reserve_port(), reserve_port(), reserve_range(_MEDIA_PORTS)
            for ports in (sip, control, media):
                held.callback(ports.release)
            argv = [
                *(str(sipp), f"{pbx_host}:{port}", "-sf", str(SCENARIO)),
                *("-inf", str(directory / "citizens.csv"), "-m", str(len(citizens))),
                *_rate(rate_per_s),
                *("-l", str(max(1, len(citizens)))),
                *("-i", "127.0.0.1", "-p", str(sip.first), "-mi", "127.0.0.1"),
                *("-mp", str(media.first), "-ci", "127.0.0.1", "-cp", str(control.first)),
                *("-trace_stat", "-stf", str(directory / "stat.csv"), "-fd", "1"),
                *("-trace_err", "-error_file", str(directory / "errors.log")),
                *("-nostdin", "-skip_rlimit", "-deadcall_wait", "1s"),
            ]
            _provide_captures(_share_folder(sipp), directory)
            child = await Child.start(
                argv, name="sipp", log_path=directory / "screen.log", cwd=directory
            )
            try:
                yield cls(child=child, directory=directory)
            finally:
                await child.stop()

    @property
    def pid(self) -> int:
        """Of the SIPp process."""
        return self._child.pid

    def cpu_seconds(self) -> float:
        """Return the CPU time that SIPp has used."""
        return self._child.cpu_seconds()

    async def finished(self, timeout_s: float) -> CitizenCounts:
        """Wait until every citizen's call is over.

        Raises:
            LabError: it takes longer, or SIPp itself failed; failed calls are only counted.
        """
        status = await self._child.wait(within_s=timeout_s)
        if status not in (0, 1):
            raise LabError(f"sipp ended with status {status}: {self._child.log_tail()}")
        return self.counts()

    def counts(self) -> CitizenCounts:
        """Return the newest counts; SIPp writes them once a second and at its end."""
        with (self._directory / "stat.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        if not rows:
            raise LabError("sipp has not written any statistics yet")
        newest = rows[-1]
        return CitizenCounts(
            created=int(newest["TotalCallCreated"]),
            succeeded=int(newest["SuccessfulCall(C)"]),
            failed=int(newest["FailedCall(C)"]),
            live=int(newest["CurrentCall"]),
            answered=int(newest["answered(C)"]),
            refused=int(newest["refused(C)"]),
            hung_up=int(newest["hung_up(C)"]),
            was_hung_up_on=int(newest["was_hung_up_on(C)"]),
        )

    def errors(self) -> str:
        """Return the first lines of what SIPp found unexpected, '' when there was nothing."""
        path = self._directory / "errors.log"
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        return "\n".join(_NO_ERROR.sub("", text).splitlines()[:_ERROR_LINES_MAX])


def _rate(rate_per_s: float) -> list[str]:
    """Return SIPp's whole number of calls and its period; slow rates need a longer period."""
    if not 0 < rate_per_s < 1000:
        raise ValueError(f"a rate of {rate_per_s} calls a second makes no sense")
    calls = max(1, math.floor(rate_per_s))
    return ["-r", str(calls), "-rp", str(round(1000 * calls / rate_per_s))]


def _write_injection(path: Path, citizens: Sequence[Citizen]) -> None:
    lines = ["SEQUENTIAL", *(";".join(citizen.row()) for citizen in citizens)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _find_sipp() -> Path:
    found = shutil.which("sipp")
    if found is None:
        raise LabError("sipp is not installed; on Debian it is in the package sip-tester")
    return Path(found).resolve()


def _share_folder(sipp: Path) -> Path:
    """Return where this SIPp's package keeps its tone captures, beside its bin folder."""
    share = sipp.parent.parent / "share"
    for folder in (share / "sip-tester", share / "sipp", share / "sipp" / "pcap"):
        if (folder / "dtmf_2833_1.pcap").exists():
            return folder
    raise LabError(f"no tone captures (dtmf_2833_1.pcap) of {sipp} below {share}")


def _provide_captures(share: Path, directory: Path) -> None:
    """Link SIPp's captures of each key, and write a later variant of each for second keys."""
    for capture in share.glob("dtmf_2833_*.pcap"):
        (directory / capture.name).symlink_to(capture)
        later = directory / capture.name.replace("dtmf_", "later_")
        later.write_bytes(_moved_later(capture.read_bytes()))


def _moved_later(capture: bytes) -> bytes:
    """Return a capture with later RTP sequence numbers and time stamps.

    All of SIPp's captures share one SSRC and ascend from 1 to the pound. Measured on 22.10.1: of
    two keys on one call, Asterisk drops the second as old unless it comes later in that order.
    """
    moved = bytearray(capture)
    record = _PCAP_HEADER_BYTES
    while record < len(moved):
        (length,) = struct.unpack_from("<I", moved, record + 8)
        rtp = record + _RECORD_HEADER_BYTES + _FRAME_HEADER_BYTES
        sequence, timestamp = struct.unpack_from("!HI", moved, rtp + 2)
        struct.pack_into(
            "!HI", moved, rtp + 2, sequence + _LATER_PACKETS, timestamp + _LATER_SAMPLES
        )
        record += _RECORD_HEADER_BYTES + length
    return bytes(moved)
