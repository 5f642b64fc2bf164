"""`ivrd check`: whether a configuration is in order.

Here: arguments and what is said. Not here: the checks (config/).
"""

import json
from typing import Annotated

import typer

from ivrd import config
from ivrd.cli_options import DEFAULT_CONFIG, ConfigPath
from ivrd.privacy.callers import NO_KEY


def check(
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema.")] = False,
) -> None:
    """Check the configuration: path, what is wrong, and the nearest known name."""
    if schema:
        typer.echo(json.dumps(config.json_schema(), indent=2, ensure_ascii=False))
        return
    settings = config.load(config_path)
    if settings.price_list is not None:
        departments = [each.code for each in settings.department]
        config.load_prices(config_path.parent / settings.price_list, departments=departments)
    typer.echo(
        f"{config_path}: in order ({len(settings.lines)} lines, {len(settings.menus)} menus, "
        f"{len(settings.queues)} queues, {len(settings.overflow)} overflow rules)"
    )
    if settings.privacy.key_file is None:
        typer.echo(f"{config_path}: {NO_KEY}")
