"""One case, or a list of them, as a page of HTML to print: no script, nothing fetched.

Here: text in, text out. Not here: words (case_words.py), and who may see a case.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, tzinfo
from html import escape

from ivrd.case_words import ACTS, FIELDS, Language, said
from ivrd.core.case_record import Case, CaseClass, CaseState, Change, FeedbackKind
from ivrd.core.case_search import CaseHistory
from ivrd.core.labels import LabelTree

STYLE = """
@page { size: A4; margin: 16mm 14mm; }
:root { color-scheme: light; }
body { font: 10.5pt/1.4 system-ui, sans-serif; color: #111; background: #fff; margin: 1.5rem; }
h1 { font-size: 15pt; margin: 0 0 .2rem; }
h2 { font-size: 12pt; margin: 1.2rem 0 .3rem; }
p { margin: 0 0 .6rem; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; padding-bottom: .3rem; }
th, td { text-align: left; vertical-align: top; padding: .2rem .5rem .2rem 0;
  border-bottom: 1px solid #999; overflow-wrap: break-word; white-space: pre-line; }
th { white-space: nowrap; }
thead { display: table-header-group; }
tr { break-inside: avoid; }
@media print { body { margin: 0; } }
"""

LISTED = ("case_id", "opened_at", "state", "label", "department", "agent", "note")
"""The columns of a list; a page is no wider."""

CONTROL = re.compile(r"(?!\r\n)[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Of a text, but for tab and the ends of lines."""

READERS: Mapping[str, Callable[[str], object]] = {
    "state": CaseState,
    "case_class": CaseClass,
    "feedback_kind": FeedbackKind,
    "deadline": datetime.fromisoformat,
}
"""Fields that are plain text in the JSON of a change, and more than that in a case."""

TEXTS: dict[Language, dict[str, str]] = {
    "sv": {
        "history": "Historik",
        "when": "När",
        "who": "Vem",
        "what": "Vad",
        "change": "Ändring",
        "printed": "Utskrivet",
        "count": "ärenden",
        "nothing": "-",
        "yes": "Ja",
        "no": "Nej",
    },
    "en": {
        "history": "History",
        "when": "When",
        "who": "Who",
        "what": "What",
        "change": "Change",
        "printed": "Printed",
        "count": "cases",
        "nothing": "-",
        "yes": "Yes",
        "no": "No",
    },
}


def case_page(
    history: CaseHistory,
    *,
    labels: LabelTree,
    zone: tzinfo,
    now: datetime,
    language: Language = "sv",
) -> str:
    """Return one case with its history as a whole page.

    Args:
        history: The case.
        labels: Names of labels and departments; a code that is none of them is shown as it is.
        zone: Whose clock the times are told by.
        now: When it is printed.
        language: Of everything but what people wrote.
    """
    texts = TEXTS[language]
    teller = Teller(labels, zone, language)
    facts = "\n".join(
        f'<tr><th scope="row">{escape(words[language])}</th>'
        f"<td>{escape(teller.told(name, getattr(history.case, name)))}</td></tr>"
        for name, words in FIELDS.items()
    )
    changes = "\n".join(_change_row(change, teller) for change in history.changes)
    head = "".join(
        f'<th scope="col">{escape(texts[name])}</th>' for name in ("when", "who", "what", "change")
    )
    title = f"{FIELDS['case_id'][language]} {history.case.case_id}"
    body = (
        f"<table><tbody>\n{facts}\n</tbody></table>\n<h2>{escape(texts['history'])}</h2>\n"
        f"<table><thead><tr>{head}</tr></thead><tbody>\n{changes}\n</tbody></table>"
    )
    return _page(title, body, teller, now)


def list_page(
    cases: Iterable[Case],
    *,
    title: str,
    labels: LabelTree,
    zone: tzinfo,
    now: datetime,
    language: Language = "sv",
) -> str:
    """Return a list of cases as a whole page; arguments as in `case_page`."""
    teller = Teller(labels, zone, language)
    rows = [
        "<tr>"
        + "".join(f"<td>{escape(teller.told(name, getattr(case, name)))}</td>" for name in LISTED)
        + "</tr>"
        for case in cases
    ]
    head = "".join(f'<th scope="col">{escape(FIELDS[name][language])}</th>' for name in LISTED)
    body = (
        f"<table><caption>{len(rows)} {TEXTS[language]['count']}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>\n" + "\n".join(rows) + "\n</tbody></table>"
    )
    return _page(title, body, teller, now)


class Teller:
    """Tells a case's fields as people read them."""

    def __init__(self, labels: LabelTree, zone: tzinfo, language: Language) -> None:
        """Tell by these names, this clock and in this language."""
        self.language = language
        self._labels = labels
        self._zone = zone

    def told(self, name: str, value: object) -> str:
        """Return one field's value."""
        texts = TEXTS[self.language]
        if value is None or value == "":
            return texts["nothing"]
        if isinstance(value, bool):
            return texts["yes" if value else "no"]
        if isinstance(value, datetime):
            return f"{value.astimezone(self._zone):%Y-%m-%d %H.%M}"
        if name == "label":
            subject = self._labels.subject(str(value))
            return str(value) if subject is None else self._name(subject.name_sv, subject.name_en)
        if name == "department":
            found = self._labels.department(str(value))
            return str(value) if found is None else self._name(found.name_sv, found.name_en)
        # A note is printed on terminals too, which obey control characters.
        return CONTROL.sub("\N{REPLACEMENT CHARACTER}", said(value, self.language))

    def from_history(self, name: str, value: object) -> str:
        """Return one field's value as it stands in the JSON of a change."""
        read = READERS.get(name)
        if read is None or not isinstance(value, str):
            return self.told(name, value)
        return self.told(name, read(value))

    def changes(self, change: Change) -> list[str]:
        """Return a line for each field that a change has set: its name, before and after."""
        before, after = json.loads(change.before), json.loads(change.after)
        lines = []
        for name, value in after.items():
            words = FIELDS.get(name)
            if words is None:
                continue
            new = self.from_history(name, value)
            old = f"{self.from_history(name, before[name])} → " if name in before else ""
            lines.append(f"{words[self.language]}: {old}{new}")
        return lines

    def _name(self, swedish: str, english: str) -> str:
        return swedish if self.language == "sv" else english


def _change_row(change: Change, teller: Teller) -> str:
    what = ACTS.get(change.what, {}).get(teller.language, change.what)
    told = "\n".join(teller.changes(change))
    cells = (teller.told("at", change.at), change.by.who, what, told)
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _page(title: str, body: str, teller: Teller, now: datetime) -> str:
    texts = TEXTS[teller.language]
    return (
        f'<!doctype html>\n<html lang="{teller.language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(title)}</h1>\n<p>{texts['printed']} {teller.told('now', now)}</p>\n{body}\n"
        "</main>\n</body>\n</html>\n"
    )
