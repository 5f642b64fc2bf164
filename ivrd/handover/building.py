"""Destinations from the configuration.

Here: the only place that knows every kind of destination. Not here: sending.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import assert_never

from ivrd.config import (
    Config,
    FileDropConfig,
    HandoverConfig,
    MqttConfig,
    SupportManagementConfig,
    TopicConfig,
    WebhookConfig,
)
from ivrd.core.case_messages import Route
from ivrd.handover.cloud_event import CaseFields
from ivrd.handover.destination import Adapter, Destination, NumberOf
from ivrd.handover.file_drop import FileDrop
from ivrd.handover.gateway import ClientCredentials, Gateway
from ivrd.handover.http_client import HttpClient
from ivrd.handover.support_management import SETTLE, SupportManagement, TitleOf
from ivrd.handover.topic import Topic
from ivrd.handover.webhook import Webhook

FIRST_DELAY = timedelta(seconds=2)
"""A receiver that is just being restarted is back within seconds."""


def routes(config: Config) -> Sequence[Route]:
    """Return which destination takes which case."""
    return [
        Route(
            destination=one.name,
            departments=frozenset(one.departments),
            classes=frozenset(one.classes),
            includes_note=one.includes_note,
        )
        for one in config.handover
    ]


def destinations(
    config: Config, *, number_of: NumberOf | None = None, title_of: TitleOf | None = None
) -> Sequence[Destination]:
    """Return every destination, none of them connected.

    Args:
        config: With its secrets.
        number_of: See there; None: no caller's number goes anywhere.
        title_of: See there; None: codes as they stand.
    """
    return [
        Destination(
            name=one.name,
            adapter=_adapter(one, config.mqtt, title_of or title_by_codes),
            timeout=timedelta(seconds=one.timeout_s),
            attempts_max=one.attempts_max,
            first_delay=FIRST_DELAY,
            slowest_delay=timedelta(seconds=one.slowest_s),
            settle=SETTLE if isinstance(one, SupportManagementConfig) else timedelta(),
            number_of=number_of if one.includes_number else None,
        )
        for one in config.handover
    ]


def support_managements(
    wanted: Sequence[Destination], config: Config
) -> Sequence[tuple[SupportManagementConfig, SupportManagement]]:
    """Return those destinations that are asked for statuses, each with its table."""
    tables = {one.name: one for one in config.handover}
    found = []
    for one in wanted:
        table = tables[one.name]
        if isinstance(table, SupportManagementConfig) and table.poll_s:
            assert isinstance(one.adapter, SupportManagement), "made of that table"
            found.append((table, one.adapter))
    return found


def title_by_codes(case: CaseFields) -> str:
    """Return a title without any names."""
    return f"Samtal till kontaktcenter: {case.get('label') or case.get('department') or 'övrigt'}"


def _adapter(one: HandoverConfig, broker: MqttConfig | None, title_of: TitleOf) -> Adapter:
    match one:
        case WebhookConfig():
            client = HttpClient(ca_file=one.ca_file, timeout_s=one.timeout_s)
            keys = [secret.get_secret_value() for secret in one.secrets]
            return Webhook(client, url=one.url, secrets=keys)
        case TopicConfig():
            assert broker is not None, "checked with the configuration"
            return Topic(broker, name=one.name, topic=one.topic)
        case FileDropConfig():
            return FileDrop(one.directory)
        case SupportManagementConfig():
            client = HttpClient(ca_file=one.ca_file, timeout_s=one.timeout_s)
            return SupportManagement(Gateway(client, _credentials(one)), one, title_of=title_of)
        case _:
            assert_never(one)


def _credentials(one: SupportManagementConfig) -> ClientCredentials | None:
    if one.token_url is None or one.client_secret is None:
        return None
    return ClientCredentials(
        token_url=one.token_url,
        client_id=one.client_id,
        client_secret=one.client_secret.get_secret_value(),
    )
