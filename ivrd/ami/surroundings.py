"""What each AMI session of a PBX is given: settings, clock, deadlines, outboxes.

Here: the records. Not here: what a session does with them (session.py), and who fills them
(client.py).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ivrd.ami.database import KeepDatabase
from ivrd.ami.diverts import Diverts
from ivrd.ami.pauses import Pauses
from ivrd.ami.protocol import AmiCounters
from ivrd.clock import AsteriskClock
from ivrd.core.effects import MoveCaller
from ivrd.core.events import Event, JournalRead


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Seconds to wait for each thing, with reasons."""

    connect_s: float = 5.0
    """TCP on the same machine takes microseconds; a full backlog is silent."""
    banner_s: float = 5.0
    """Asterisk writes it at once; over `authlimit` it closes instead."""
    login_s: float = 10.0
    """A refusal sleeps 1 s inside Asterisk (manager.c, `action_login`)."""
    booted_s: float = 15.0
    """FullyBooted follows the login at once, unless Asterisk is still starting."""
    action_s: float = 5.0
    """Answers take about a millisecond; QueueStatus of another client can hold a lock for 5 s."""
    list_s: float = 20.0
    """Thousands of items, and the locks of all queues in turn."""
    ping_s: float = 5.0
    """As for any action; callers wait in menus meanwhile, so not longer."""
    pulse_s: float = 2.0
    """Between pings and heartbeats; the dialplan takes a heartbeat as dead after a few of these."""


class Secret(Protocol):
    """A secret that does not show itself (pydantic's SecretStr)."""

    def get_secret_value(self) -> str:
        """Return it in clear."""


class PbxSettings(Protocol):
    """What must be known of a PBX (config.PbxConfig)."""

    @property
    def name(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def username(self) -> str: ...
    @property
    def secret(self) -> Secret: ...


ReadJournal = Callable[[datetime], Awaitable[JournalRead | None]]
"""Reads Asterisk's queue journal up to now, which is the argument; None when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a session shares with the sessions before and after it."""

    settings: PbxSettings
    clock: AsteriskClock
    sink: Callable[[Event], None]
    """Takes one event at once; raises `asyncio.QueueFull` when it cannot."""
    counters: AmiCounters
    deadlines: Deadlines
    outbox: asyncio.Queue[MoveCaller]
    is_observer: bool
    """Only listens: sets no heartbeat and moves nobody."""
    monotonic: Callable[[], float] = time.monotonic
    read_journal: ReadJournal | None = None
    """Tells what happened while we were away; None when there is no journal to read."""
    keep_database: KeepDatabase | None = None
    """Works on Asterisk's own database; None when nobody does."""
    diverts: Diverts = field(default_factory=Diverts)
    """Where callers at each queue's door are to go."""
    pauses: Pauses | None = None
    """Members to be paused; None when nobody asks for that."""
