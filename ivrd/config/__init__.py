"""The configuration: frozen models, the TOML loader, and every check.

Here: the only reader of files and environment. Not here: what the rules mean (core), nor how a
part uses its section. Each part gets only its own section.

An unknown key is an error that names its path and the nearest known name. Keys carry their unit.
"""

from ivrd.config.access import (
    AccessConfig,
    OidcConfig,
    OidcRoleConfig,
    ShiftConfig,
    ShiftExceptionConfig,
    TokenConfig,
)
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
from ivrd.config.handover import (
    FileDropConfig,
    HandoverConfig,
    SupportManagementConfig,
    TopicConfig,
    WebhookConfig,
)
from ivrd.config.labels import DepartmentConfig, LabelsConfig, SubjectConfig
from ivrd.config.loading import check, json_schema, load, load_for_reports
from ivrd.config.overflow import OverflowConfig
from ivrd.config.prices import load_prices
from ivrd.config.privacy import PrivacyConfig, RetentionConfig
from ivrd.config.supervision import Supervision, supervision
from ivrd.config.way_in import LineConfig, MenuConfig, NoticeConfig, TargetConfig
from ivrd.config.whole import Config

__all__ = [
    "AccessConfig",
    "AgiConfig",
    "CasesConfig",
    "Config",
    "DatabaseConfig",
    "DepartmentConfig",
    "FileDropConfig",
    "HandoverConfig",
    "JournalConfig",
    "LabelsConfig",
    "LineConfig",
    "LogConfig",
    "MenuConfig",
    "MqttConfig",
    "NoticeConfig",
    "OidcConfig",
    "OidcRoleConfig",
    "OverflowConfig",
    "PbxConfig",
    "PrivacyConfig",
    "QueueConfig",
    "RetentionConfig",
    "ShiftConfig",
    "ShiftExceptionConfig",
    "SubjectConfig",
    "Supervision",
    "SupportManagementConfig",
    "TargetConfig",
    "TokenConfig",
    "TopicConfig",
    "WebConfig",
    "WebhookConfig",
    "check",
    "json_schema",
    "load",
    "load_for_reports",
    "load_prices",
    "supervision",
]
