"""Rows of queue_log, told as waits and as comings and goings of agents."""

from datetime import timedelta

from ivrd.core.effects import Disposition
from ivrd.core.journal_day import JournalDay, day_of
from ivrd.core.visits import Visit
from ivrd.queue_log_rows import RowParser
from tests.unit.core.story import SYSTEM

EPOCH = 1_795_302_000


def told(text: str) -> JournalDay:
    """Return what rows tell, written as `second|call|queue|agent|event|data`."""
    parser = RowParser(SYSTEM, with_members=True)
    rows = []
    for line in text.split():
        second, _, rest = line.partition("|")
        row = parser.row_of(f"{EPOCH + int(second)}|{rest.replace('_', ' ')}\n".encode())
        assert row is not None
        rows.append(row)
    return day_of(rows)


def only(day: JournalDay) -> Visit:
    (visit,) = day.visits
    return visit


def s(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def test_a_moved_caller_has_one_wait_in_two_queues() -> None:
    visit = only(
        told(
            """
            0|c1|NONE|NONE|IVRDARRIVED|kommunen|PJSIP/trunk-1
            1|c1|vaxel|NONE|ENTERQUEUE||0701740605|3
            31|c1|vaxel|NONE|WITHDRAW|1|3|30|ivrd-move_kc_relief
            31|c1|kc|NONE|ENTERQUEUE||0701740605|1
            41|c1|kc|anna|CONNECT|10|c2|4
            101|c1|kc|anna|COMPLETECALLER|10|60|1
            """
        )
    )
    assert [stay.disposition for stay in visit.stays] == [Disposition.MOVED, Disposition.ANSWERED]
    assert (visit.wait, visit.last.talk, visit.last.ring) == (s(40), s(60), s(4.5))
    assert visit.line == "kommunen"


def test_somebody_elses_withdraw_is_no_move() -> None:
    rows = "1|c1|kc|NONE|ENTERQUEUE||1|1 9|c1|kc|NONE|WITHDRAW|1|1|8|by_hand"
    assert only(told(rows)).last.disposition is Disposition.WITHDRAWN


def test_ringing_in_vain_is_part_of_the_ringing() -> None:
    rows = """
        1|c1|kc|NONE|ENTERQUEUE||1|1
        16|c1|kc|bo|RINGNOANSWER|15000
        25|c1|kc|anna|CONNECT|24|c2|3
    """
    assert only(told(rows)).last.ring == s(18.5)


def test_of_who_gave_up_it_is_known_how_long_it_rang() -> None:
    rows = """
        1|c1|kc|NONE|ENTERQUEUE||1|1
        9|c1|kc|anna|RINGCANCELED|3000
        9|c1|kc|NONE|ABANDON|1|1|8
    """
    visit = only(told(rows))
    assert (visit.last.disposition, visit.last.ring) == (Disposition.ABANDONED, s(3))


def test_a_diverted_caller_was_after_the_first_queue() -> None:
    rows = """
        1|c1|vaxel|NONE|IVRDEXIT|DIVERTED|kc_relief
        1|c1|kc|NONE|ENTERQUEUE||1|1
        5|c1|kc|NONE|ABANDON|1|1|4
    """
    visit = only(told(rows))
    assert (visit.came_to, visit.first.queue) == ("vaxel", "kc")


def test_a_hand_over_into_another_queue_begins_a_new_wait() -> None:
    day = told(
        """
        1|c1|kc|NONE|ENTERQUEUE||1|1
        5|c1|kc|anna|CONNECT|4|c2|3
        65|c1|kc|anna|BLINDTRANSFER|7001|x|4|60|1
        66|c1|vaxel|NONE|ENTERQUEUE||1|1
        70|c1|vaxel|NONE|ABANDON|1|1|4
        """
    )
    assert [visit.wait for visit in day.visits] == [s(4), s(4)]
    assert day.visits[1].call_id.endswith("c1#2")


def test_a_wait_that_asterisk_s_end_cut_is_left_out() -> None:
    day = told("1|c1|kc|NONE|ENTERQUEUE||1|1 50|NONE|NONE|NONE|QUEUESTART|")
    assert (day.visits, day.unfinished) == ((), 1)


def test_an_agent_of_two_queues_goes_when_the_last_pause_says_so() -> None:
    day = told(
        """
        10|MANAGER|kc|anna|ADDMEMBER|
        10|MANAGER|va|anna|ADDMEMBER|
        50|NONE|kc|anna|PAUSE|Rast
        60|NONE|va|anna|PAUSE|Rast
        90|NONE|kc|anna|UNPAUSE|
        """
    )
    assert [(mark.at.second, mark.is_there) for mark in day.marks] == [
        (10, True),
        (10, True),
        (0, False),
        (30, True),
    ]
