"""What is gone from a rendering is kept for the calls in it, for a day, and for nobody else."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ivrd.dialplan.reading import Contexts, contexts_of, differences, written
from ivrd.dialplan.retiring import RETIRED_FILE, plain, with_retired

SAMPLE = Path(__file__).resolve().parents[3] / "dialplans"

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

MENU = """[ivrd-static-va]
exten => s,1(prompt),Background(ivrd/va)
 same => n,WaitExten(5)

exten => 1,1,Goto(ivrd-queue-va,s,1)
"""

QUEUE = """[ivrd-queue-va]
exten => s,1,Gosub(spoken,1)
 same => n,Queue(va,t)

exten => spoken,1,AGI(agi://127.0.0.1:4573/wait/va)
 same => n,Return()
"""

SILENT = """[ivrd-queue-va]
exten => s,1,NoOp()
 same => n,Queue(va,t)
"""


def files(**parts: str) -> dict[str, str]:
    """Return files by what is in them; names without their ends."""
    named = {f"ivrd-{name}.conf": text for name, text in parts.items()}
    includes = "".join(f"#include ivrd/{name}\n" for name in sorted(named))
    return {"ivrd.conf": includes, **named}


def kept(put: Mapping[str, str]) -> Contexts:
    return contexts_of([put.get(RETIRED_FILE, "")])


def test_nothing_is_kept_when_nothing_is_gone() -> None:
    assert with_retired(files(menu=MENU), files(menu=MENU), now=NOW) == files(menu=MENU)
    assert with_retired(files(menu=MENU, queue=QUEUE), files(menu=MENU), now=NOW) == files(
        menu=MENU, queue=QUEUE
    )


def test_a_context_that_is_gone_is_kept_as_it_was() -> None:
    put = with_retired(files(queue=QUEUE), files(menu=MENU, queue=QUEUE), now=NOW)
    assert kept(put) == contexts_of([MENU])
    assert "#include ivrd/ivrd-retired.conf\n" in put["ivrd.conf"]
    assert plain(put) == files(queue=QUEUE)


def test_only_what_the_dialplan_alone_leads_to_is_kept_within_a_context() -> None:
    put = with_retired(files(queue=SILENT), files(queue=QUEUE), now=NOW)
    assert list(kept(put)["ivrd-queue-va"].extensions) == ["spoken"]
    shorter = MENU.partition("\nexten => 1")[0]
    assert kept(with_retired(files(menu=shorter), files(menu=MENU), now=NOW)) == {}


def test_what_is_kept_goes_after_a_day_however_often_something_is_applied() -> None:
    put = with_retired(files(queue=QUEUE), files(menu=MENU, queue=QUEUE), now=NOW)
    for hours in (1, 2, 23):
        put = with_retired(files(queue=QUEUE), put, now=NOW + hours * HOUR)
        assert list(kept(put)) == ["ivrd-static-va"]
    assert with_retired(files(queue=QUEUE), put, now=NOW + 24 * HOUR) == files(queue=QUEUE)


def test_what_comes_back_is_new_and_not_kept() -> None:
    gone = with_retired(files(queue=QUEUE), files(menu=MENU, queue=QUEUE), now=NOW)
    back = with_retired(files(menu=MENU, queue=QUEUE), gone, now=NOW + HOUR)
    assert back == files(menu=MENU, queue=QUEUE)


def test_no_extension_is_kept_twice() -> None:
    """Asterisk takes the first and complains of the second."""
    first = with_retired(files(queue=QUEUE), files(menu=MENU, queue=QUEUE), now=NOW)
    again = with_retired(files(menu=MENU, queue=QUEUE), first, now=NOW + HOUR)
    gone = with_retired(files(queue=QUEUE), again, now=NOW + 2 * HOUR)
    third = with_retired(files(queue=SILENT), gone, now=NOW + 3 * HOUR)
    assert set(kept(third)) == {"ivrd-static-va", "ivrd-queue-va"}
    assert third[RETIRED_FILE].count("exten => s,1") == 1


def test_a_whole_dialplan_is_read_back_as_it_is_written() -> None:
    texts = [path.read_text(encoding="utf-8") for path in sorted(SAMPLE.glob("*.conf"))]
    contexts = contexts_of(texts)
    assert len(contexts) > 20
    assert contexts_of(written(name, one) for name, one in contexts.items()) == contexts
    assert differences(contexts, contexts) == []


def test_each_kind_of_difference_is_told() -> None:
    wanted = contexts_of([MENU, QUEUE, "[a]\ninclude => b\n"])
    found = contexts_of(
        [
            MENU.replace("WaitExten(5)", "WaitExten(6)"),
            QUEUE.replace(" same => n,Return()\n", ""),
            "[a]\n",
        ]
    )
    assert differences(wanted, found) == [
        "[ivrd-static-va] s: step 2 is WaitExten(6) in place of WaitExten(5)",
        "[ivrd-queue-va] spoken: 1 steps in place of 2",
        "[a] does not include b",
    ]
    assert differences(wanted, {}) == [
        "[ivrd-static-va] is not there",
        "[ivrd-queue-va] is not there",
        "[a] is not there",
    ]
    unlabelled = MENU.replace("(prompt)", "")
    (fault,) = differences(contexts_of([MENU]), contexts_of([unlabelled]))
    assert fault == "[ivrd-static-va] s: step 1 has no label prompt"


@pytest.mark.parametrize("line", ["exten => s,n,NoOp()", "switch => Realtime", " same => n,NoOp"])
def test_what_somebody_else_wrote_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="rendered dialplan"):
        contexts_of([f"[a]\nexten => s,1,NoOp()\n{line}\n"])
