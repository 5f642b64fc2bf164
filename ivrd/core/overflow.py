"""Overflow policy: which waiting callers should move where, and why.

Here: a pure planner. It reads what it is given and returns the moves; the tracker remembers them,
Asterisk carries them out, and truth comes back only as events, upon which it plans again. So a plan
that is interrupted after any move is still right: the next plan starts from what is.

The invariants
    1. At most one outstanding move per caller, and at most `moves_per_call` in all: no ping-pong.
    2. Never into a queue that has no agent to take a call, sooner or later (logged in, not paused).
    3. The longest wait moves first. Order in the target is by *first* arrival too, which Asterisk
       keeps by the priority that each caller carries (dialplan/), however the moves land.
    4. A caller whose call is ringing at an agent right now is left alone: Asterisk would look at
       the request only after the ringing, and drop it if the agent answers (F7).
    5. Hysteresis: begins at `start_waiting`, goes on until `stop_waiting` or fewer are left.
"""

from dataclasses import dataclass
from itertools import islice

from ivrd.core.ids import CallId
from ivrd.core.line import Line
from ivrd.core.rules import OverflowRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Whether the rule is in force, and the moves it wants now, longest wait first."""

    is_active: bool
    moves: tuple[CallId, ...] = ()


def plan(
    rule: OverflowRule,
    *,
    was_active: bool,
    line: Line,
    has_target_agents: bool,
) -> Plan:
    """Return what a rule wants now.

    Args:
        line: Everybody in the source queue.
        has_target_agents: Whether the target has a member who is logged in and not paused.
    """
    waiting = line.staying
    is_active = waiting >= rule.start_waiting or (was_active and waiting > rule.stop_waiting)
    if not is_active or not has_target_agents:
        return Plan(is_active=is_active)
    moves = tuple(islice(line.movable(rule.moves_per_call), waiting - rule.stop_waiting))
    # Judged as if the moves had landed, so that planning again without news changes nothing.
    is_active = waiting - len(moves) > rule.stop_waiting
    return Plan(is_active=is_active, moves=moves)
