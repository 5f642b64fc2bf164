"""One connection to an MQTT broker while it stands; the only import of aiomqtt.

Here: connecting, saying, hearing, what the broker refuses; and `deliver` for whoever keeps its
messages itself. Not here: what is said, what is kept while there is no connection, and connecting
again (mqtt.py).

Source:
    aiomqtt 2.5 on paho 2: no reconnect of its own; a publish that failed is kept by its client
    object and would go out late, so each connection has a new one (ASTERISK.md, "aiomqtt").
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import aiomqtt

from ivrd.config import MqttConfig
from ivrd.errors import PeerError

KEEP_ALIVE_S = 15
"""A broker that is silently gone is noticed in one and a half times this. Also how soon paho closes
a socket whose broker accepted the connection and never greeted."""

ANSWER_S_MAX = 5.0
"""A broker on the same network acknowledges in milliseconds."""

LAST_WORD_S_MAX = 1.0
"""How long a clean exit waits for the broker to take our "offline"."""

QOS = 1

REFUSALS = frozenset({4, 5, 134, 135})
"""Bad user name or password, not authorised: MQTT 3.1.1 section 3.2.2.3, and MQTT 5 section
3.2.2.2, whose numbers paho 2 uses for both."""

PEER_ERRORS = (aiomqtt.MqttError, OSError, UnicodeError)
"""What the broker, or a name that cannot be looked up, may raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What is said on a topic."""

    topic: str
    payload: bytes
    is_retained: bool


class Session:
    """A connection that stands, until it raises one of PEER_ERRORS."""

    def __init__(self, client: aiomqtt.Client) -> None:
        """Use a client that is connected."""
        self._client = client

    async def say(self, topic: str, payload: str | bytes, *, retain: bool) -> None:
        """Return when the broker has acknowledged a message."""
        with _heeding_cancellation():
            await self._client.publish(topic, payload, qos=QOS, retain=retain)

    async def say_last(self, word: Word) -> None:
        """Say something at the end, whether or not the broker is there to take it."""
        with contextlib.suppress(aiomqtt.MqttError):
            await self._client.publish(
                word.topic,
                word.payload,
                qos=QOS,
                retain=word.is_retained,
                timeout=LAST_WORD_S_MAX,
            )

    async def subscribe(self, topic: str) -> None:
        """Hear what is said on a topic from now on."""
        await self._client.subscribe(topic, qos=QOS)

    async def heard(self) -> AsyncIterator[Word]:
        """Yield what is heard; raise when the connection is lost, also where nothing is."""
        async for message in self._client.messages:
            payload = message.payload
            yield Word(
                topic=str(message.topic),
                payload=payload if isinstance(payload, bytes) else b"",
                is_retained=bool(message.retain),
            )


@contextlib.asynccontextmanager
async def connected(
    config: MqttConfig, *, name: str, will: Word | None = None
) -> AsyncIterator[Session]:
    """Be connected for the body.

    Args:
        config: The broker.
        name: Of the client, below the prefix. A fixed one makes the broker end a half-dead
            connection of ours, and send its last will, before it greets the new one.
        will: What the broker says when the connection ends uncleanly.

    Raises:
        aiomqtt.MqttError, OSError, UnicodeError: The PEER_ERRORS, now or in the body.
    """
    password = config.password
    client = aiomqtt.Client(
        hostname=config.host,
        port=config.port,
        username=config.username,
        password=None if password is None else password.get_secret_value(),
        identifier=f"ivrd-{config.topic_prefix}-{name}",
        tls_params=_tls(config),
        clean_session=True,
        will=_will(will),
        keepalive=KEEP_ALIVE_S,
        timeout=ANSWER_S_MAX,
    )
    async with contextlib.AsyncExitStack() as stack:
        with _heeding_cancellation():
            await stack.enter_async_context(client)
        yield Session(client)


def is_refusal(error: BaseException) -> bool:
    """Return whether the broker refused our name or our right, which no trying soon cures."""
    if not isinstance(error, aiomqtt.MqttCodeError):
        return False
    code = error.rc if isinstance(error.rc, int) or error.rc is None else error.rc.value
    return code in REFUSALS


class BrokerTrouble(PeerError):
    """A message was not acknowledged; the broker may have it all the same.

    Attributes:
        needs_person: It refused our name or our right: trying soon cures nothing.
    """

    def __init__(self, reason: str, *, needs_person: bool) -> None:
        self.needs_person = needs_person
        super().__init__(reason)


async def deliver(config: MqttConfig, *, client: str, topic: str, payload: bytes) -> None:
    """Return when the broker has acknowledged one message, on a connection of its own.

    Args:
        config: The broker.
        client: Distinguishes what is delivered at the same time.
        topic: Below the configured prefix.
        payload: The message; not retained.

    Raises:
        BrokerTrouble: It has not.
    """
    try:
        with _heeding_cancellation():
            async with connected(config, name=client) as session:
                await session.say(f"{config.topic_prefix}/{topic}", payload, retain=False)
    except PEER_ERRORS as error:
        raise BrokerTrouble(str(error), needs_person=is_refusal(error)) from error


@contextlib.contextmanager
def _heeding_cancellation() -> Iterator[None]:
    """Raise CancelledError where one was lost: the task would go on, and its end wait for ever.

    The client waits by asyncio.wait_for, which before Python 3.12 forgets a cancellation that comes
    in the same turn as what is waited for (cpython issue 86296; seen at a stop under load).
    """
    task = asyncio.current_task()
    # Compared with before: a TaskGroup that ended by a fault leaves one counted.
    before = 0 if task is None else task.cancelling()
    yield
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError


def _will(word: Word | None) -> aiomqtt.Will | None:
    if word is None:
        return None
    return aiomqtt.Will(word.topic, word.payload, qos=QOS, retain=word.is_retained)


def _tls(config: MqttConfig) -> aiomqtt.TLSParameters | None:
    """Return how the broker proves itself; TLS 1.2 at least, its name compared (ssl's default)."""
    if config.tls_ca_file is None:
        return None
    return aiomqtt.TLSParameters(ca_certs=str(config.tls_ca_file))
