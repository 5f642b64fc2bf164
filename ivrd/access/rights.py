"""Which role may do what: one table, and the scope of lines. Pure.

Words: a *deed* is a kind of thing to see or do; a *grant* is a role within some lines; a *person*
is somebody, or some program, whose token or sign-in was found good.

Rules
    1. What no grant allows is not allowed.
    2. A grant without lines holds for every line. One with lines holds for what belongs to them
       alone: an act that would touch another line too is refused.
    3. What belongs to no line, or nobody knows to which, is in no scope but that of all lines.
    4. What is seen is cut to the scope (`sees`): something that serves one of the lines is seen.
    5. A guide does what touches nobody else, for the own member name only (`is_own`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What somebody is here."""

    GUIDE = "guide"
    VIEWER = "viewer"
    SUPERVISOR = "supervisor"
    ADMINISTRATOR = "administrator"


class Deed(StrEnum):
    """What can be seen or done."""

    SEE_FLOOR = "see_floor"
    """Queues, lines, how many agents can do what, how many cases."""
    SEE_CALLS = "see_calls"
    """Who waits where, with masked numbers; moves and decisions."""
    SEE_AGENTS = "see_agents"
    """Each agent by name."""
    SEE_AUDIT = "see_audit"
    """Who did what, when and why."""
    SEE_NUMBER = "see_number"
    """A caller's whole number; each look is written down."""
    SEE_CASES = "see_cases"
    """Every case within the lines."""
    OWN_CASES = "own_cases"
    """See and label the cases of the own calls."""
    CHANGE_CASES = "change_cases"
    """Label and close cases of others."""
    SWITCH_LINE = "switch_line"
    SWITCH_NOTICE = "switch_notice"
    SWITCH_RULE = "switch_rule"
    MOVE_CALLER = "move_caller"
    """To another queue."""
    RANK_CALLER = "rank_caller"
    """A caller goes before others, or no more."""
    DIRECT_AGENT = "direct_agent"
    """Pause another, end the pause, log in and out."""
    DIRECT_SELF = "direct_self"
    """Pause oneself, end the pause, log in and out."""
    RELOAD = "reload"
    """Let the daemon take its configuration anew."""


_SEE = frozenset({Deed.SEE_FLOOR, Deed.SEE_CALLS, Deed.SEE_AGENTS})
_LEAD = frozenset(
    {
        Deed.SEE_AUDIT,
        Deed.SEE_CASES,
        Deed.CHANGE_CASES,
        Deed.SWITCH_LINE,
        Deed.SWITCH_NOTICE,
        Deed.SWITCH_RULE,
        Deed.MOVE_CALLER,
        Deed.RANK_CALLER,
        Deed.DIRECT_AGENT,
    }
)
_OWN = frozenset({Deed.OWN_CASES, Deed.DIRECT_SELF})

ALLOWED: dict[Role, frozenset[Deed]] = {
    Role.GUIDE: frozenset({Deed.SEE_FLOOR}) | _OWN,
    Role.VIEWER: _SEE,
    Role.SUPERVISOR: _SEE | _LEAD | _OWN,
    Role.ADMINISTRATOR: frozenset(Deed),
}
"""The table. docs/access.md shows it; a test compares them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A role within some lines."""

    role: Role
    lines: frozenset[str] = frozenset()
    """Empty: every line."""
    because: str = ""
    """Which shift gave it; empty when it is the person's own."""

    def covers(self, lines: Iterable[str]) -> bool:
        """Return whether all of it is within these lines; see rules 2 and 3."""
        wanted = frozenset(lines)
        return not self.lines or (bool(wanted) and wanted <= self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody whose token or sign-in was found good, with the rights of this moment."""

    name: str
    grants: tuple[Grant, ...]
    agent: str | None = None
    """The member name in queues; None for somebody who takes no calls."""

    @property
    def roles(self) -> frozenset[Role]:
        """Every role, in whatever lines."""
        return frozenset(grant.role for grant in self.grants)

    def may(self, deed: Deed) -> bool:
        """Return whether a deed is allowed in some lines at least."""
        return any(deed in ALLOWED[grant.role] for grant in self.grants)

    def scope(self, deed: Deed) -> frozenset[str] | None:
        """Return the lines in which a deed is allowed; None when in all, empty when in none."""
        found = [grant.lines for grant in self.grants if deed in ALLOWED[grant.role]]
        if not all(found):
            return None
        return frozenset().union(*found)

    def role_for(self, deed: Deed, lines: Iterable[str]) -> Role | None:
        """Return by which role a deed on these lines is allowed; None when by none alone."""
        wanted = frozenset(lines)
        able = (grant for grant in self.grants if deed in ALLOWED[grant.role])
        return next((grant.role for grant in able if grant.covers(wanted)), None)

    def sees(self, deed: Deed, lines: Iterable[str]) -> bool:
        """Return whether something that belongs to these lines is shown; see rule 4."""
        scope = self.scope(deed)
        return scope is None or not scope.isdisjoint(lines)

    def is_own(self, agent: str) -> bool:
        """Return whether an agent is this person; see rule 5."""
        return self.agent is not None and self.agent == agent


ANONYMOUS = Person(name="anonymous", grants=())
"""Somebody without a token, who may do nothing."""


def refusal(person: Person, deed: Deed, lines: Iterable[str] | None = None) -> str | None:
    """Return why somebody may not do something, in a sentence; None when they may.

    Args:
        person: Who wishes it.
        deed: What it is.
        lines: Every line that it touches; None for what has nothing to do with lines.

    Example:
        >>> anna = Person(name="anna", grants=(Grant(role=Role.VIEWER),))
        >>> refusal(anna, Deed.SWITCH_LINE, ["kommunen"])
        'anna may not do switch_line: it takes a supervisor or an administrator'
    """
    able = [grant for grant in person.grants if deed in ALLOWED[grant.role]]
    if not able:
        roles = [f"a{'n' if role[0] == 'a' else ''} {role}" for role in who_may(deed)]
        return f"{person.name} may not do {deed}: it takes {' or '.join(roles)}"
    if lines is None or any(grant.covers(lines) for grant in able):
        return None
    scope = person.scope(deed)
    if scope is None or ((touched := frozenset(lines)) and touched <= scope):
        return None  # Two grants together cover it.
    inside = ", ".join(sorted(scope))
    outside = ", ".join(sorted(touched - scope)) or "what belongs to no line"
    return f"{person.name} may do {deed} on {inside} only; this touches {outside}"


def who_may(deed: Deed) -> list[Role]:
    """Return the roles that may do something, the least first."""
    return [role for role in Role if deed in ALLOWED[role]]
