"""The whole configuration of one daemon: its sections, by their keys in the file.

Here: one model. Not here: reading it (loading.py), or whether its names fit (references.py).
"""

from pathlib import Path

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from ivrd.config.access import AccessConfig
from ivrd.config.base import Section, TimeZone
from ivrd.config.daemon import (
    AgiConfig,
    DatabaseConfig,
    JournalConfig,
    LogConfig,
    MqttConfig,
    PbxConfig,
    WebConfig,
)
from ivrd.config.floor import CasesConfig, QueueConfig
from ivrd.config.handover import HandoverConfig
from ivrd.config.hours import HoursConfig
from ivrd.config.labels import DepartmentConfig, LabelsConfig
from ivrd.config.overflow import OverflowConfig
from ivrd.config.privacy import PrivacyConfig, RetentionConfig
from ivrd.config.prompt_sheet import PromptSheet
from ivrd.config.way_in import LineConfig, MenuConfig, NoticeConfig


class Config(Section):
    """The whole configuration of one daemon."""

    state_directory: Path = Field(
        default=Path("/var/lib/ivrd"),
        description="Ours to write: the place in queue_log, the last reconcile.",
    )
    pbx: tuple[PbxConfig, ...] = Field(min_length=1)
    agi: AgiConfig = AgiConfig()
    web: WebConfig = WebConfig()
    access: AccessConfig = AccessConfig()
    database: DatabaseConfig = DatabaseConfig()
    journal: JournalConfig = JournalConfig()
    mqtt: MqttConfig | None = None
    log: LogConfig = LogConfig()
    time_zone: TimeZone = Field(
        default="Europe/Stockholm", description="Of opening hours, and of what a day is."
    )
    queues: tuple[QueueConfig, ...] = Field(min_length=1)
    menus: tuple[MenuConfig, ...] = Field(min_length=1)
    lines: tuple[LineConfig, ...] = Field(min_length=1)
    notices: tuple[NoticeConfig, ...] = ()
    hours: tuple[HoursConfig, ...] = ()
    prompt_sheet: Path | None = Field(
        default=None, description="What prompts say; relative to this file."
    )
    sheet: SkipJsonSchema[PromptSheet | None] = Field(
        default=None, description="Never in the file: read from prompt_sheet.", exclude=True
    )
    overflow: tuple[OverflowConfig, ...] = ()
    cases: CasesConfig = CasesConfig()
    department: tuple[DepartmentConfig, ...] = Field(
        default=(), description="What cases can be about, and who owns it."
    )
    labels: LabelsConfig = LabelsConfig()
    price_list: Path | None = Field(
        default=None, description="What departments pay; relative to this file."
    )
    privacy: PrivacyConfig = PrivacyConfig()
    retention: RetentionConfig = RetentionConfig()
    handover: tuple[HandoverConfig, ...] = ()
