"""The demo's citizens: who wants what, and the stream of their calls.

The mix is fixed, not random, so that two runs meet the same citizens.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from tests.lab.municipality import Municipality
from tests.lab.phone import Call, Phone, PhoneError

ANSWER_S_MAX = 10.0
"""The PBX answers at once."""

STAY_S_MAX = 300.0
"""Nobody stays longer; a bound, not a wish."""

FICTION_FIRST, FICTION_COUNT = 605, 95
"""070-174 06 05 to 99, the numbers reserved for fiction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """What one citizen does."""

    keys: str = ""
    """Pressed one after the other; none stays on the line."""
    patience_s: float | None = None
    """From the last key, or from the answer, to hanging up; None stays to the end."""
    hangs_up_in_menu: bool = False


PATTERN = (
    Want(keys="1"),
    Want(keys="1"),
    Want(),
    Want(keys="1"),
    Want(),
    Want(keys="71"),
    Want(keys="1"),
    Want(),
    Want(keys="1", patience_s=6.0),
    Want(keys="1"),
    Want(hangs_up_in_menu=True, patience_s=1.0),
    Want(),
    Want(keys="1"),
    Want(patience_s=7.0),
    Want(keys="1"),
    Want(),
    Want(keys="12"),
    Want(keys="1"),
    Want(),
    Want(keys="1", patience_s=2.0),
)
"""Twenty citizens: both choices, wrong keys, hang-ups in the menu and in the queue."""


def wants(count: int) -> list[Want]:
    """Return so many citizens."""
    return [PATTERN[number % len(PATTERN)] for number in range(count)]


class Stream:
    """Citizens who ring one after the other."""

    def __init__(
        self, town: Municipality, phone: Phone, wants: Sequence[Want], *, rate_per_s: float
    ) -> None:
        self._town = town
        self._phone = phone
        self._wants = wants
        self._gap_s = 1.0 / rate_per_s
        self.dialled = 0
        """Calls that the PBX answered."""
        self.failed = 0
        """Calls that it did not."""
        self.live = 0
        self._finished = 0
        self._nobody_left = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Let everybody ring, and wait until the last has hung up; `stop` ends all at once."""
        async with asyncio.TaskGroup() as group:
            stopping = group.create_task(stop.wait(), name="stop")
            calling = group.create_task(self._call_all(group, stop), name="citizens")
            await asyncio.wait([calling, stopping], return_when=asyncio.FIRST_COMPLETED)
            leaving = group.create_task(self._nobody_left.wait(), name="nobody left")
            await asyncio.wait([leaving, stopping], return_when=asyncio.FIRST_COMPLETED)
            for call in self._phone.live_calls:
                with contextlib.suppress(PhoneError):
                    await call.hang_up()
            leaving.cancel()
            stopping.cancel()

    async def _call_all(self, group: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        for number, want in enumerate(self._wants):
            if stop.is_set():
                return
            caller = f"0701740{FICTION_FIRST + number % FICTION_COUNT}"
            group.create_task(self._call(want, caller), name=f"citizen {number}")
            await asyncio.sleep(self._gap_s)

    async def _call(self, want: Want, caller: str) -> None:
        self.live += 1
        try:
            await self._ring(want, caller)
        finally:
            self.live -= 1
            self._finished += 1
            if self._finished == len(self._wants):
                self._nobody_left.set()

    async def _ring(self, want: Want, caller: str) -> None:
        try:
            call = await self._town.ring(self._phone, caller=caller)
            await call.answered(ANSWER_S_MAX)
        except PhoneError:
            self.failed += 1
            return
        self.dialled += 1
        # The other side may be first, as in life.
        with contextlib.suppress(PhoneError):
            await self._behave(call, want)

    async def _behave(self, call: Call, want: Want) -> None:
        if not want.hangs_up_in_menu:
            for key in want.keys:
                # A person needs to hear what was said before pressing.
                await asyncio.sleep(0.8)
                await call.press(key)
        if want.patience_s is None:
            await call.ended(STAY_S_MAX)
            return
        try:
            await call.ended(want.patience_s)
        except PhoneError:
            await call.hang_up()
