"""What a reload takes out of the configuration is gone for those who watch, too."""

from datetime import UTC, datetime
from typing import cast

from pydantic import BaseModel

from ivrd.access import Deed
from ivrd.web.changes import ChangeTeller
from ivrd.web.decisions_now import LatestDecisions
from ivrd.web.events import EventStream
from ivrd.web.looks import Sights

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class ALine(BaseModel):
    line: str


class Configured:
    """Lines as they are configured now."""

    def __init__(self, *lines: str) -> None:
        self.names = lines

    def lines(self) -> list[ALine]:
        return [ALine(line=name) for name in self.names]


def test_a_line_that_a_reload_takes_out_is_gone() -> None:
    stream = EventStream(start="one", now=lambda: AT)
    configured = Configured("kommunen", "avfall")
    teller = ChangeTeller(stream, cast("Sights", configured), LatestDecisions())
    told: list[tuple[str, str]] = []
    teller.told_line = lambda name, text: told.append((name, text))
    teller._tell_lines()
    assert stream.keys("line") == ["kommunen", "avfall"]
    configured.names = ("kommunen",)
    teller._tell_lines()
    assert stream.keys("line") == ["kommunen"]
    assert told[-1] == ("avfall", "")
    told.clear()
    teller._tell_lines()
    assert [name for name, _ in told] == ["kommunen"], "gone is told once"


def test_a_switch_that_a_reload_takes_out_is_gone() -> None:
    stream = EventStream(start="one", now=lambda: AT)
    teller = ChangeTeller(stream, cast("Sights", Configured()), LatestDecisions())
    stream.publish("switch", "notice/old", "{}", deed=Deed.SEE_CALLS, lines=None)
    teller._tell_switches()
    assert stream.keys("switch") == []
