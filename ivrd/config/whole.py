"""The whole configuration of one daemon: its sections, by their keys in the file.

Here: one model. Not here: reading it (loading.py), or whether its names fit (references.py).
"""

from pathlib import Path

from pydantic import Field

from ivrd.config.base import Section
from ivrd.config.daemon import (
    AgiConfig,
    DatabaseConfig,
    JournalConfig,
    LogConfig,
    MqttConfig,
    PbxConfig,
    WebConfig,
)
from ivrd.config.floor import CasesConfig, OverflowConfig, QueueConfig
from ivrd.config.way_in import LineConfig, MenuConfig


class Config(Section):
    """The whole configuration of one daemon."""

    state_directory: Path = Field(
        default=Path("/var/lib/ivrd"),
        description="Ours to write: the place in queue_log, the last reconcile.",
    )
    pbx: tuple[PbxConfig, ...] = Field(min_length=1)
    agi: AgiConfig = AgiConfig()
    web: WebConfig = WebConfig()
    database: DatabaseConfig = DatabaseConfig()
    journal: JournalConfig = JournalConfig()
    mqtt: MqttConfig | None = None
    log: LogConfig = LogConfig()
    queues: tuple[QueueConfig, ...] = Field(min_length=1)
    menus: tuple[MenuConfig, ...] = Field(min_length=1)
    lines: tuple[LineConfig, ...] = Field(min_length=1)
    overflow: tuple[OverflowConfig, ...] = ()
    cases: CasesConfig = CasesConfig()
