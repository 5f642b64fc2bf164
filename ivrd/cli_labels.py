"""The command line's part about labels: `ivrd labels`.

Here: arguments and what is printed. Not here: the sheet's drawing (label_sheet.py).
"""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ivrd import config
from ivrd.cli_options import DEFAULT_CONFIG, ConfigPath
from ivrd.core.labels import LabelTree
from ivrd.errors import ConfigError
from ivrd.label_sheet import Language, label_sheet
from ivrd.labels import label_tree

LANGUAGES: dict[str, Language] = {"sv": "sv", "en": "en"}


def labels(
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    sheet: Annotated[
        Path | None, typer.Option(help="Write a sheet for the guide's desk there, as SVG.")
    ] = None,
    language: Annotated[str, typer.Option(help="sv or en.")] = "sv",
    has_json: Annotated[bool, typer.Option("--json", help="Print JSON, one label a line.")] = False,
) -> None:
    """Show what cases can be about, and the codes on the telephone."""
    if language not in LANGUAGES:
        raise ConfigError([f"--language: {language!r} is neither sv nor en"])
    settings = config.load(config_path, with_secrets=False)
    tree = label_tree(settings.department)
    if not tree:
        raise ConfigError([f"{config_path}: no [[department]]: there are no labels yet"])
    if sheet is not None:
        text = label_sheet(tree, settings.labels, language=LANGUAGES[language])
        sheet.write_text(text, encoding="utf-8")
        typer.echo(f"{len(tree.phone_codes)} codes on {sheet}")
    elif has_json:
        for line in _json_lines(tree):
            typer.echo(line)
    else:
        _print(tree, is_swedish=language == "sv")


def _json_lines(tree: LabelTree) -> list[str]:
    return [
        json.dumps(
            {
                "department": department.code,
                "label": subject.code,
                "phone_code": subject.phone_code or None,
                "name_sv": subject.name_sv,
                "name_en": subject.name_en,
            },
            ensure_ascii=False,
        )
        for subject, department in tree
    ]


def _print(tree: LabelTree, *, is_swedish: bool) -> None:
    heads = ("Förvaltning", "Ämne", "Etikett", "Kod") if is_swedish else None
    table = Table(*(heads or ("Department", "Subject", "Label", "Code")))
    last = ""
    for subject, department in tree:
        if last and last != department.code:
            table.add_section()
        name = department.name_sv if is_swedish else department.name_en
        table.add_row(
            name if last != department.code else "",
            subject.name_sv if is_swedish else subject.name_en,
            subject.code,
            subject.phone_code,
        )
        last = department.code
    Console().print(table)
