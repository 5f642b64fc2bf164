"""What the guide's page says: the same words in both languages, and one for every refusal."""

import json
import re
from importlib.resources import files

from ivrd.core.actors import Origin
from ivrd.core.case_record import CaseClass, CaseState, FeedbackKind, RefusalCode
from ivrd.core.labels import Clue

BOARD = files("ivrd.board")


def words() -> dict[str, dict[str, str]]:
    text = BOARD.joinpath("guide_words.js").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = json.loads(text[text.index("{") : text.rindex("}") + 1])
    return found


def test_both_languages_say_the_same_things_with_the_same_values() -> None:
    swedish, english = words()["sv"], words()["en"]
    assert list(swedish) == list(english)
    values = re.compile(r"\{\w+\}|\[\w\]")
    assert {
        word
        for word, text in swedish.items()
        if sorted(values.findall(text)) != sorted(values.findall(english[word]))
    } == set()


def test_every_word_of_the_core_has_words_of_its_own() -> None:
    wanted = {
        "because": RefusalCode,
        "class": CaseClass,
        "state": CaseState,
        "kind": FeedbackKind,
        "clue": Clue,
        "from": Origin,
    }
    names = {f"{group}_{one.value}" for group, kind in wanted.items() for one in kind}
    assert names <= set(words()["sv"])


def test_the_page_asks_for_no_word_that_is_not_there_and_writes_none_itself() -> None:
    script = BOARD.joinpath("guide.js").read_text(encoding="utf-8")
    page = BOARD.joinpath("guide.html").read_text(encoding="utf-8")
    asked = {*re.findall(r'say\("(\w+)"', script), *re.findall(r'data-say="(\w+)"', page)}
    assert asked - set(words()["sv"]) == set()
    assert re.findall(r"[åäöÅÄÖ]", script) == []
