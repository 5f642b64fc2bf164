"""A document as one HTML page that prints on A4: no script, nothing fetched.

Here: marks and the style sheet. Not here: what stands on the page.
"""

import re
from collections.abc import Iterator
from html import escape
from itertools import zip_longest

from ivrd.reports.document import Block, Document, Grid, Heading, Notes, Plot, Row, Terms

COMPOUND = re.compile(r"(?<=\w{4})(förvalt|nämnd|kontor|direkt|center)|(?<=förvalt)ning")
"""Where the long names of departments may be broken: Chromium has no Swedish dictionary."""

STYLE = """
@page { size: A4; margin: 14mm 14mm 16mm;
  @bottom-right { content: counter(page) " (" counter(pages) ")"; font: 8pt sans-serif; } }
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; color: #1b1f24; background: #ffffff;
  font: 15px/1.4 "DejaVu Sans", Verdana, sans-serif; }
h1 { font-size: 1.6em; margin: 0; }
h2 { font-size: 1.15em; margin: 1.6em 0 .4em; break-after: avoid; }
.subtitle { margin: .1em 0 .8em; color: #454c54; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: 0 1em; margin: 0; }
dl.facts dt { color: #454c54; } dl.facts dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #d0d7de; padding: .18em .45em; vertical-align: baseline; }
thead th { border-bottom: 2px solid #454c54; text-align: right; vertical-align: bottom;
  hyphens: auto; hyphenate-limit-chars: 11 5 5; min-width: 6.2em; }
thead th:first-child, tbody th { text-align: left; hyphens: manual; }
tbody th { font-weight: normal; }
td { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
thead small { display: block; font-weight: normal; color: #454c54; }
tr.main th, tr.main td, tr.total th, tr.total td { font-weight: bold; }
tr.total th, tr.total td { border-top: 2px solid #454c54; }
tr.beside th, tr.beside td { color: #454c54; font-size: .92em; }
tr.compared { break-after: avoid; }
tr.compared th, tr.compared td { border-bottom-style: none; padding-bottom: 0; }
tr, section { break-inside: avoid; }
code { font: .8em "DejaVu Sans Mono", monospace; color: #454c54; white-space: nowrap; }
.scroll { overflow-x: auto; }
figure { margin: 1.4em 0 0; break-inside: avoid; }
figcaption { font-weight: bold; margin-bottom: .3em; }
svg { display: block; max-width: 100%; height: auto; }
.notes { margin: 1em 0; font-size: .92em; }
.warning { border-left: 4px solid #9a4a00; padding: .3em .8em; background: #fdf3ea; }
.notes p { margin: .2em 0; }
dl.terms { columns: 2; column-gap: 2em; font-size: .85em; margin: 0; }
dl.terms div { break-inside: avoid; margin-bottom: .25em; } dl.terms dd { margin: 0; }
@media (max-width: 40rem) { dl.terms { columns: 1; } }
@media print { body { font-size: 8.5pt; line-height: 1.2; max-width: none; padding: 0; }
  .scroll { overflow: visible; } thead th { overflow-wrap: anywhere; }
  h2 { margin-top: 1.2em; } th, td { padding: .1em .35em; } }
"""


def as_html(document: Document) -> str:
    """Return the page."""
    return "\n".join(_page(document)) + "\n"


def _page(document: Document) -> Iterator[str]:
    title = escape(f"{document.title}, {document.subtitle}")
    yield "<!DOCTYPE html>"
    yield f'<html lang="{document.language}">'
    yield '<head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    # Nothing may be fetched or run, whatever a name in the configuration holds.
    yield (
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    )
    yield f"<title>{title}</title><style>{STYLE}</style></head>"
    yield "<body><main>"
    yield f"<h1>{escape(document.title)}</h1>"
    yield f'<p class="subtitle">{escape(document.subtitle)}</p>'
    facts = "".join(
        f"<dt>{escape(word)}</dt><dd>{escape(value)}</dd>" for word, value in document.facts
    )
    yield f'<dl class="facts">{facts}</dl>'
    for block in document.blocks:
        yield from _block(block)
    yield "</main></body></html>"


def _block(block: Block | Heading) -> Iterator[str]:
    match block:
        case Heading():
            yield f"<h2>{escape(block.title)}</h2>"
            if block.text:
                yield f"<p>{escape(block.text)}</p>"
        case Grid():
            yield from _grid(block)
        case Plot():
            caption = f"<figcaption>{escape(block.title)}</figcaption>"
            yield f"<figure>{caption}{block.svg}</figure>"
        case Terms():
            yield f"<section><h2>{escape(block.title)}</h2>"
            pairs = "".join(
                f"<div><dt><code>{escape(name)}</code></dt><dd>{escape(text)}</dd></div>"
                for name, text in block.pairs
            )
            yield f'<dl class="terms">{pairs}</dl></section>'
        case Notes():
            kind = "notes warning" if block.is_warning else "notes"
            lines = "".join(f"<p>{escape(line)}</p>" for line in block.lines)
            yield f'<div class="{kind}">{lines}</div>'


def _grid(grid: Grid) -> Iterator[str]:
    yield f"<section><h2>{escape(grid.title)}</h2>"
    # A wide table scrolls by itself on a small screen, also by keyboard.
    yield f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(grid.title)}">'
    heads = "".join(
        f'<th scope="col">{_head(column.title)}'
        + (f"<small>{escape(column.note)}</small>" if column.note else "")
        + "</th>"
        for column in grid.columns
    )
    corner = escape(grid.corner)
    yield f'<table><thead><tr><th scope="col">{corner}</th>{heads}</tr></thead><tbody>'
    for row, below in zip_longest(grid.rows, grid.rows[1:]):
        kind = _kind(row, is_compared=below is not None and below.is_beside)
        formula = f" <code>{escape(row.formula)}</code>" if row.formula else ""
        title = escape(row.title.strip())
        if row.title.startswith(" "):
            title = f"&emsp;{title}"
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row.cells)
        yield f'<tr{kind}><th scope="row">{title}{formula}</th>{cells}</tr>'
    yield "</tbody></table></div></section>"


def _head(title: str) -> str:
    """Return a column's title that breaks where a reader would, also without a dictionary."""
    return COMPOUND.sub("&shy;\\g<0>", escape(title)).replace(" %", "&nbsp;%")


def _kind(row: Row, *, is_compared: bool) -> str:
    kinds = {
        "total": row.is_total,
        "main": row.is_main,
        "beside": row.is_beside,
        "compared": is_compared,
    }
    found = " ".join(kind for kind, holds in kinds.items() if holds)
    return f' class="{found}"' if found else ""
