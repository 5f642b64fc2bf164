"""A destination that listens to a topic of the MQTT broker.

Here: one message, sent and acknowledged. Not here: the broker's library (ivrd/mqtt_session.py).

Quality of service 1: the broker has it when we are told so; a repeat has the same id.
"""

from ivrd.config import MqttConfig
from ivrd.core.case_messages import Accepted, CaseMessage, Delivery, NotNow
from ivrd.handover.cloud_event import cloud_event
from ivrd.mqtt_session import BrokerTrouble, deliver


class Topic:
    """One topic."""

    def __init__(self, config: MqttConfig, *, name: str, topic: str) -> None:
        """Send to a topic of the configured broker, as a client of the destination's name."""
        self._config = config
        self._name = name
        self._topic = topic

    async def send(self, message: CaseMessage, *, caller_number: str | None) -> Delivery:
        """Send once, on a connection of its own: there are some messages an hour."""
        body = cloud_event(message, caller_number=caller_number)
        client = f"handover-{self._name}-{message.message_id}"
        try:
            await deliver(self._config, client=client, topic=self._topic, payload=body)
        except BrokerTrouble as trouble:
            needs_person = trouble.needs_person
            return NotNow(reason=str(trouble), is_peer_away=True, needs_person=needs_person)
        return Accepted()

    async def close(self) -> None:
        """Nothing is held open."""
