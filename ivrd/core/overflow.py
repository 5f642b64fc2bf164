"""Overflow policy: which rules are in force, and so which waiting callers move where, and why.

Here: a pure planner. It reads what it is given and returns what is wanted; the mover remembers it,
Asterisk carries it out, and truth comes back only as events, upon which it plans again. Each move
is judged as if those before it had landed, so a plan that is interrupted after any move is still
right: the next plan starts from what is. And a plan is whole: the rules are looked at in turn until
none wants anything more, so that another look, with no news between, changes nothing. A rule whose
load another one took at the same look has not begun, and diverts nobody.

The invariants
    1. At most one outstanding move per caller, and at most `moves_per_call` in all, the way home
       apart. Never back into a queue that a move took them from, but home: no ping-pong.
    2. Never into a queue that is closed, that has no agent to take a call, sooner or later (logged
       in, not paused), that refused a caller just now, or that the rule's guard excludes.
    3. The longest wait moves first, unless the rule says otherwise. Order in the target is by
       *first* arrival too, which Asterisk keeps by the priority that each caller carries
       (dialplan/), however the moves land.
    4. A caller whose call is ringing at an agent right now is left alone: Asterisk would look at
       the request only after the ringing, and drop it if the agent answers (F7).
    5. Hysteresis: a rule begins at `start`, goes on until `stop`, and ends when its moves have
       come to an end; within `dwell` it does neither, but for a supervisor's word. The moves of a
       dry run take as long as real ones may. Who go home must not make a rule begin together.
    6. The order of the rules is their priority: who is taken by one is gone for the next.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

from ivrd.core.hours import Opening
from ivrd.core.ids import QueueName
from ivrd.core.overflow_conditions import begun_by, kept_by, moments
from ivrd.core.overflow_figures import QueueFigures, QueueLook
from ivrd.core.overflow_moves import Board, Force
from ivrd.core.overflow_rules import OverflowRule, RuleMode
from ivrd.core.overflow_state import (
    Decision,
    Order,
    OverflowState,
    Plan,
    RuleChange,
    RuleState,
    Shadow,
)

AS_CONFIGURED = Order()
NEW = RuleState()

MOVE_TAKES = timedelta(seconds=1)
"""Asterisk looks at a withdraw once a second (ASTERISK.md §A1): so long a dry run's moves are
outstanding."""


def decide(
    looks: Mapping[QueueName, QueueLook],
    state: OverflowState,
    rules: Sequence[OverflowRule],
    at: datetime,
    *,
    openings: Mapping[str, Opening] = MappingProxyType({}),
    decisions_max: int | None = None,
) -> Plan:
    """Return what rules want now.

    Args:
        looks: Every queue that the rules name.
        state: What was remembered; of other rules it is kept as it is.
        rules: Those to look at, in order of priority.
        at: The present.
        openings: Of rules that go by other hours than those of their queues.
        decisions_max: So many moves are decided at most, or None; the next plan goes on from there.
    """
    board = Board(
        looks,
        openings=openings,
        resting=state.resting,
        at=at,
        decisions_max=decisions_max,
    )
    states = dict(state.rules)
    changes: dict[str, RuleChange] = {}
    look_again: dict[str, datetime] = {}
    turn = list(rules)
    is_settled = False
    while not is_settled:
        # Ends: each turn but the last decides on a caller who was free, or ends a rule, and what
        # was decided before only takes load away, so none begins that ended.
        decided, changed = len(board.decisions), dict(changes)
        look_again.clear()
        for number, rule in enumerate(turn, start=1):
            before = state.rules.get(rule.name, NEW)
            order = state.orders.get(rule.name, AS_CONFIGURED)
            now, change, moment = _turn(rule, before, states.get(rule.name, NEW), order, board)
            states[rule.name] = now
            if now.is_active == before.is_active:
                changes.pop(rule.name, None)
            elif change is not None:
                changes[rule.name] = change
            if moment is not None:
                look_again[rule.name] = moment
            if board.is_cut:
                # What this rule has yet to take is not for those behind it: the next plan's.
                turn = turn[:number]
                break
        is_settled = len(board.decisions) == decided and changes == changed
    return Plan(
        state=replace(state, rules=states),
        changes=tuple(changes[rule.name] for rule in rules if rule.name in changes),
        decisions=tuple(board.decisions),
        look_again=look_again,
        is_cut=board.is_cut,
    )


def _turn(
    rule: OverflowRule, before: RuleState, was: RuleState, order: Order, board: Board
) -> tuple[RuleState, RuleChange | None, datetime | None]:
    """Return how a rule stands after a turn, whether it changed, and when to look again.

    Args:
        before: How it stood before this plan.
        was: How it stands after the turns before.
    """
    is_dry_run = mode_of(rule, order) is RuleMode.DRY_RUN
    was = replace(was, decided=board.still_in_line(rule, was.decided) if is_dry_run else {})
    imagined = board.imagined(rule, was.decided) if is_dry_run else board
    now, source = _look(rule, was, order, imagined)
    change = None
    if now.is_active != was.is_active:
        change = _change(rule, now, order, source)
        if now.is_active == before.is_active:
            # Another rule took at this look what had made it begin: it never did.
            now = replace(now, changed_at=before.changed_at)
    now = _carry_out(rule, now, order, imagined, source)
    board.is_cut = board.is_cut or imagined.is_cut
    return now, change, min(_moments(rule, now, order, board, source), default=None)


def mode_of(rule: OverflowRule, order: Order) -> RuleMode:
    """Return whether a rule does anything: a supervisor's word goes before the configuration."""
    return order.mode or rule.mode


def _look(
    rule: OverflowRule, was: RuleState, order: Order, board: Board
) -> tuple[RuleState, QueueFigures]:
    """Return whether a rule is in force now, and the figures that say so."""
    source = board.source(rule)
    if mode_of(rule, order) is RuleMode.OFF:
        return (_ended(was, board.at) if was.is_active else replace(was, met_since=None)), source
    is_resting = was.changed_at is not None and board.at < was.changed_at + rule.dwell
    if was.is_active:
        is_kept = (
            order.is_forced
            or is_resting
            or bool(kept_by(rule, source))
            or board.outstanding(rule) > 0
        )
        return (was if is_kept else _ended(was, board.at)), source
    if order.is_forced:
        return _begun(was, board.at), source
    if not begun_by(rule, source):
        return replace(was, met_since=None), source
    met_since = board.at if was.met_since is None else was.met_since
    if is_resting or board.at < met_since + rule.start_after:
        return replace(was, met_since=met_since), source
    return _begun(was, board.at), source


def _begun(was: RuleState, at: datetime) -> RuleState:
    return replace(was, is_active=True, changed_at=at, met_since=None)


def _ended(was: RuleState, at: datetime) -> RuleState:
    return replace(was, is_active=False, changed_at=at, met_since=None)


def _change(rule: OverflowRule, now: RuleState, order: Order, source: QueueFigures) -> RuleChange:
    return RuleChange(
        rule=rule.name,
        is_active=now.is_active,
        is_dry_run=mode_of(rule, order) is RuleMode.DRY_RUN,
        is_by_hand=order.is_forced if now.is_active else order.mode is RuleMode.OFF,
        held=begun_by(rule, source) if now.is_active else (),
        source=source,
    )


def _carry_out(
    rule: OverflowRule, now: RuleState, order: Order, board: Board, source: QueueFigures
) -> RuleState:
    """Decide the moves that a rule wants; return how it stands then."""
    mode = mode_of(rule, order)
    force = Force(is_dry_run=mode is RuleMode.DRY_RUN, is_by_hand=order.is_forced)
    if now.is_active and rule.moves_waiting:
        moved = board.move_away(rule, force)
        if force.is_dry_run:
            shadows = {decision.call_id: _shadow(decision, board.at) for decision in moved}
            now = replace(now, decided={**now.decided, **shadows})
    if mode is not RuleMode.ON:
        return replace(now, diverts_to=None)
    if rule.returns_home and _may_return(rule, now, board.at):
        board.move_home(rule)
    is_diverting = now.is_active and rule.diverts_at_entry
    return replace(now, diverts_to=board.divert_of(rule, source) if is_diverting else None)


def _shadow(decision: Decision, at: datetime) -> Shadow:
    wait = decision.caller.expected_there
    return Shadow(
        to_queue=decision.to_queue,
        lands_at=at + MOVE_TAKES,
        answered_at=None if wait is None else at + max(wait, MOVE_TAKES),
    )


def _may_return(rule: OverflowRule, now: RuleState, at: datetime) -> bool:
    return not now.is_active and (now.changed_at is None or at >= now.changed_at + rule.dwell)


def _moments(
    rule: OverflowRule, now: RuleState, order: Order, board: Board, source: QueueFigures
) -> Iterator[datetime]:
    """Yield when time alone may change what a rule wants; none while nothing depends on it."""
    if mode_of(rule, order) is RuleMode.OFF:
        return
    is_waited_for = source.waiting or now.is_active or rule.diverts_at_entry
    if not is_waited_for and not (rule.returns_home and board.has_guests(rule)):
        return
    found = list(moments(rule, source))
    if now.met_since is not None:
        found.append(now.met_since + rule.start_after)
    if now.changed_at is not None:
        found.append(now.changed_at + rule.dwell)
    for shadow in now.decided.values():
        found.append(shadow.lands_at)
        if shadow.answered_at is not None:
            found.append(shadow.answered_at)
    for queue in rule.to_queues:
        found += board.waking_of(queue)
    yield from (moment for moment in found if moment > board.at)
