"""Every state with every event, and any order of events: one stay is counted and recorded once."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from ivrd.core import entry as entries
from ivrd.core.effects import CountEntry, Disposition, RecordEntry, RecordMove, ReportUnexpected
from ivrd.core.ids import CallId, Interface
from ivrd.core.stay import Closed, EntryState, Leaving, Move, Stay, Talking, Waiting
from tests.unit.core.story import GUIDES, SYSTEM, at, cid, read

KINDS = [
    *(f"{kind} c1 guides" for kind in ("joined", "left", "abandon", "completed")),
    "joined c1 switchboard",
    *(f"exited c1 guides {status}" for status in ("", "NEW", *entries.DISPOSITION_BY_STATUS)),
    "exited c1 guides WITHDRAW:relief",
    "exited c1 guides WITHDRAW:byhand",
    "rang c1 guides anna",
    "ring_ended c1 guides anna",
    "connected c1 guides anna leg=a1",
    "hangup_asked c1",
    "hung_up c1",
    "hung_up a1",
    "replaced a1 a2",
    "replaced x1 x2",
    "move_refused c1",
]
STAY = Stay(
    system=SYSTEM,
    call_id=CallId(cid("c1")),
    queue=GUIDES,
    number=1,
    joined_at=at(5),
    first_joined_at=at(0),
)
moves = st.none() | st.just(Move(rule="relief", to_queue=GUIDES, asked_at=at(6), lapses_at=at(36)))
asked = st.none() | st.just(at(7))
states: st.SearchStrategy[EntryState] = st.one_of(
    st.builds(
        Waiting,
        stay=st.just(STAY),
        offered_to=st.sampled_from([frozenset(), frozenset({Interface("anna")})]),
        hangup_asked_at=asked,
        move=moves,
    ),
    st.builds(
        Leaving,
        stay=st.just(STAY),
        left_at=st.none() | st.just(at(8)),
        hangup_asked_at=asked,
        move=moves,
        is_sure=st.booleans(),
    ),
    st.builds(
        Talking,
        stay=st.just(STAY),
        answered_at=st.just(at(8)),
        interface=st.just(Interface("anna")),
        agent=st.just("anna"),
        agent_leg=st.just(cid("a1")),
        is_sure=st.booleans(),
    ),
    st.builds(
        Closed,
        stay=st.just(STAY),
        disposition=st.sampled_from(Disposition),
        ended_at=st.just(at(8)),
        entry_wait=st.none(),
        wait=st.none(),
        agent_leg=st.none() | st.just(cid("a1")),
    ),
)
events = st.builds(
    lambda seconds, kind: read(f"{seconds} {kind}")[0],
    st.integers(10, 20),
    st.sampled_from(KINDS),
)


@settings(deadline=None, print_blob=True, max_examples=300)
@given(state=states, event=events)
def test_no_pair_raises_and_one_that_does_not_fit_changes_nothing(
    state: EntryState, event: entries.EntryEvent
) -> None:
    step = entries.apply(state, event)
    if any(isinstance(effect, ReportUnexpected) for effect in step.effects):
        assert step.state is state
        assert len(step.effects) == 1
    is_closing = isinstance(step.state, Closed) and not isinstance(state, Closed)
    assert sum(isinstance(effect, RecordEntry) for effect in step.effects) == is_closing
    for effect in step.effects:
        for name in ("entry_wait", "wait", "talk"):
            assert getattr(effect, name, None) is None or getattr(effect, name) >= timedelta()


@settings(deadline=None, print_blob=True, max_examples=150)
@given(
    kinds=st.lists(st.sampled_from(KINDS), max_size=12),
    move=moves,
    gap=st.integers(0, 12),
    is_lost=st.booleans(),
)
def test_any_order_counts_records_and_ends_its_move_at_most_once(
    kinds: list[str], move: Move | None, gap: int, is_lost: bool
) -> None:
    state: EntryState = Waiting(stay=STAY, move=move)
    effects = []
    for number, kind in enumerate(kinds):
        if number == gap:
            state = entries.doubt(state)
        step = entries.apply(state, read(f"{10 + number} {kind}")[0])
        state = step.state
        effects += step.effects
    if is_lost:
        lost = entries.lose(state, at(30))
        state = lost.state
        effects += lost.effects
        assert isinstance(state, Closed)
    assert sum(isinstance(e, RecordEntry) for e in effects) == isinstance(state, Closed)
    assert sum(isinstance(e, CountEntry) for e in effects) == isinstance(state, Talking | Closed)
    ended_moves = sum(isinstance(e, RecordMove) for e in effects)
    is_open = getattr(state, "move", None) is not None
    # A withdraw of ours that we do not remember asking for (a restart) tells its move itself.
    is_told = is_open and (move is None or ended_moves == 1)
    assert ended_moves + is_open == (move is not None) + is_told


@given(state=states)
def test_a_doubt_closes_nothing_and_doubting_twice_is_doubting_once(state: EntryState) -> None:
    doubted = entries.doubt(state)
    assert entries.doubt(doubted) == doubted
    assert isinstance(doubted, Closed) == isinstance(state, Closed)
    if isinstance(state, Talking):
        assert doubted == replace(state, is_sure=False)
