"""A document in the format that was asked for, to a file or to standard output.

Here: which format, and writing it whole or not at all. Not here: the formats themselves.
"""

import io
import sys
from enum import StrEnum
from pathlib import Path

from rich.console import Console, Group, RenderableType

from ivrd import private_file
from ivrd.errors import ConfigError
from ivrd.reports.document import Document
from ivrd.reports.exports import csv_of, json_of, xlsx_of
from ivrd.reports.html import as_html
from ivrd.reports.pdf import as_pdf
from ivrd.reports.text import WIDTH_MAX, FittingGrid, as_text

WIDTH_MIN = 100
"""Characters of a line in a file or a pipe; WIDTH_MAX at most."""


class Format(StrEnum):
    """How a report is written."""

    TABLE = "table"
    CSV = "csv"
    XLSX = "xlsx"
    JSON = "json"
    HTML = "html"
    PDF = "pdf"


BINARY = frozenset({Format.XLSX, Format.PDF})


def chosen(asked: Format | None, path: Path | None) -> Format:
    """Return the format: the one asked for, or the one that the file's name says.

    Raises:
        ConfigError: A terminal cannot show it, or the name says nothing.
    """
    if asked is None and path is not None:
        known = {f".{one.value}": one for one in Format}
        if path.suffix not in known:
            raise ConfigError(
                [f"--output: {path.name}: says no format; end it in {', '.join(known)}"]
            )
        asked = known[path.suffix]
    found = asked or Format.TABLE
    if found in BINARY and path is None and sys.stdout.isatty():
        raise ConfigError([f"--format {found}: is no text; say a file with --output"])
    return found


def write(document: Document, form: Format, path: Path | None) -> None:
    """Write a document, to standard output without a path.

    Raises:
        ConfigError: What is at the path is no file.
        OSError: It cannot be written.
        PeerUnreachable: What makes PDF is missing.
    """
    if form is Format.TABLE and path is None:
        console = Console()
        text = as_text(document)
        if not console.is_terminal:
            # A pipe says nothing of its width; numbers are not to be cut for that.
            console = Console(width=_width(text))
        console.print(text)
        return
    made = _bytes(document, form)
    if path is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(made)
        sys.stdout.buffer.flush()
        return
    # Calls of an account, and notes, are of people.
    private_file.replace(path, made)


def _width(text: RenderableType) -> int:
    """Return how wide a text must be for its widest table."""
    wide = Console(width=WIDTH_MAX)
    measured = [
        wide.measure(part).maximum
        for part in (text.renderables if isinstance(text, Group) else ())
        if isinstance(part, FittingGrid)
    ]
    return max([WIDTH_MIN, *measured])


def _bytes(document: Document, form: Format) -> bytes:
    match form:
        case Format.TABLE:
            text, made = as_text(document), io.StringIO()
            Console(width=_width(text), file=made).print(text)
            return made.getvalue().encode()
        case Format.CSV:
            return csv_of(document)
        case Format.XLSX:
            return xlsx_of(document)
        case Format.JSON:
            return json_of(document).encode()
        case Format.HTML:
            return as_html(document).encode()
        case Format.PDF:
            return as_pdf(as_html(document))
