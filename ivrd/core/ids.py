"""Names and ids of the field, as distinct types.

Here: newtypes only. Not here: anything that looks inside an id.

Every id of a channel or call carries the name of its PBX ("pbx1/1732212.7"), because Asterisk's own
Uniqueid is unique within one PBX only, and its counter restarts with Asterisk.
"""

from typing import NewType

SystemName = NewType("SystemName", str)
"""The name of one PBX, as in our configuration."""

ChannelId = NewType("ChannelId", str)
"""A channel's Uniqueid, qualified by its system: "system/uniqueid"."""

CallId = NewType("CallId", str)
"""The caller channel's `ChannelId`: a call is keyed by the channel of the outside party."""

QueueName = NewType("QueueName", str)
"""An Asterisk queue, by name, within one system."""

LineName = NewType("LineName", str)
"""A line (a dialled number and what belongs to it), by its name in our configuration."""

MenuName = NewType("MenuName", str)
"""A tone menu, by its name in our configuration."""

Interface = NewType("Interface", str)
"""A queue member's interface as Asterisk spells it, such as "PJSIP/guide1"."""


def channel_id(system: SystemName, uniqueid: str) -> ChannelId:
    """Return the qualified id of a channel.

    Source:
        channel_internal_api.c: a Uniqueid is "[systemname-]epoch.counter" and must not be parsed.
    """
    return ChannelId(f"{system}/{uniqueid}")
