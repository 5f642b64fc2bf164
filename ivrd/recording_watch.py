"""Which channels Asterisk is recording now, by line: an alarm, since a municipality must not.

Here: listening to events on their way to the engine. Not here: the metric (personal_data.py).

MixMonitor is Asterisk's only recorder since Monitor went (21), and tells of its beginning and end.
One that began while we were not connected is not known; its end, or the hang-up, changes nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import structlog

from ivrd.core.events import (
    CallArrived,
    ChannelHungUp,
    Event,
    RecordingChanged,
    SnapshotTaken,
)
from ivrd.core.ids import ChannelId, LineName, SystemName

UNKNOWN_LINE = ""
"""Label of a channel that did not come by a line of ours, such as an agent's own call."""

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class RecordingWatch:
    """Channels that are recorded, on all PBXs."""

    def __init__(self, *, systems: Iterable[SystemName], lines: Iterable[LineName]) -> None:
        """Begin with none.

        Args:
            systems: The PBXs.
            lines: Those that are shown, also when nothing of them is recorded.
        """
        self.begun = 0
        """Recordings that began."""
        self._systems = tuple(systems)
        self._lines = tuple(lines)
        self._line_of: dict[ChannelId, LineName] = {}
        self._recorded: dict[ChannelId, tuple[SystemName, ChannelId]] = {}

    def tap(self, submit: Callable[[Event], None]) -> Callable[[Event], None]:
        """Return a way in that listens before it hands each event on."""

        def listen(event: Event) -> None:
            submit(event)
            self.note(event)

        return listen

    def note(self, event: Event) -> None:
        """Take note of one event."""
        match event:
            case CallArrived():
                self._line_of[ChannelId(event.call_id)] = event.line
            case RecordingChanged() if event.is_on:
                self._begin(event)
            case RecordingChanged():
                if self._recorded.pop(event.channel_id, None) is not None:
                    log.info("recording_ended", asterisk=event.system, channel_id=event.channel_id)
            case ChannelHungUp():
                self._line_of.pop(event.channel_id, None)
                self._recorded.pop(event.channel_id, None)
            case SnapshotTaken():
                self._forget_gone(event)
            case _:
                pass

    def counts(self) -> Mapping[tuple[str, ...], float]:
        """Return how many channels are recorded, by system and line; 0 for each line without."""
        found: Counter[tuple[str, ...]] = Counter(
            {(system, line): 0 for system in self._systems for line in self._lines}
        )
        for channel_id, (system, linked_id) in self._recorded.items():
            found[(system, self._line(channel_id, linked_id))] += 1
        return found

    def _begin(self, event: RecordingChanged) -> None:
        if event.channel_id in self._recorded:
            return
        self.begun += 1
        self._recorded[event.channel_id] = (event.system, event.linked_id)
        log.error(
            "recording_noticed",
            asterisk=event.system,
            channel_id=event.channel_id,
            line=self._line(event.channel_id, event.linked_id),
            recorded=len(self._recorded),
        )

    def _line(self, channel_id: ChannelId, linked_id: ChannelId) -> str:
        line = self._line_of.get(channel_id) or self._line_of.get(linked_id)
        return UNKNOWN_LINE if line is None else line

    def _forget_gone(self, event: SnapshotTaken) -> None:
        """Forget channels of a PBX that are gone since."""
        prefix = f"{event.system}/"

        def is_gone(channel_id: ChannelId) -> bool:
            return channel_id.startswith(prefix) and channel_id not in event.channels

        for channel_id in [each for each in self._recorded if is_gone(each)]:
            del self._recorded[channel_id]
        for channel_id in [each for each in self._line_of if is_gone(each)]:
            del self._line_of[channel_id]
