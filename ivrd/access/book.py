"""Who is who: from a token or a sign-in to a person with the rights of this moment.

Here: the configuration's tokens, roles and shifts, looked up. Not here: what a role may do
(rights.py), and how a token comes in (web/, mqtt.py).
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from ivrd.access.rights import Grant, Person, Role
from ivrd.access.sessions import MARK_CHARACTERS, OidcSession, Session, TokenSession
from ivrd.access.shifts import DayOff, Shift, leads_at
from ivrd.access.tokens import owner_of
from ivrd.config import AccessConfig, ShiftConfig, TokenConfig
from ivrd.config.hours import intervals_in, week_in

ANONYMOUS_NAME = "anonymous"


class AccessBook:
    """Looks people up.

    Attributes:
        config: The section in use.
    """

    config: AccessConfig

    def __init__(self, config: AccessConfig, *, zone: str, now: Callable[[], datetime]) -> None:
        """Take the section.

        Args:
            config: Tokens, roles and shifts.
            zone: Of the wall clock by which shifts begin and end.
            now: The present.
        """
        self._now = now
        self.change(config, zone=zone)

    def change(self, config: AccessConfig, *, zone: str) -> None:
        """Take another section: whoever is not in it any more is out from now on."""
        self.config = config
        self.zone = ZoneInfo(zone)
        self.shifts = shifts_of(config.shift)

    def by_token(self, token: str) -> Person | None:
        """Return whose token it is; None when nobody's."""
        entry = owner_of(token, self.config.token)
        return None if entry is None else self._of_token(entry)

    def by_session(self, session: Session) -> Person | None:
        """Return who is signed in; None when that person is known no more."""
        match session:
            case TokenSession():
                for entry in self.config.token:
                    if entry.sha256[:MARK_CHARACTERS] == session.sha256[:MARK_CHARACTERS]:
                        return self._of_token(entry)
                return None
            case OidcSession():
                return self._of_oidc(session)

    def anonymous(self) -> Person:
        """Return what somebody without a token is."""
        role = self.config.anonymous_role
        grants = () if role == "none" else (Grant(role=Role(role)),)
        return Person(name=ANONYMOUS_NAME, grants=grants)

    def known_values(self, values: Iterable[str]) -> tuple[str, ...]:
        """Return those values of the role claim that make somebody something here."""
        oidc = self.config.oidc
        known = [] if oidc is None else [each.value for each in oidc.roles]
        wanted = set(values)
        return tuple(value for value in known if value in wanted)

    def _of_token(self, entry: TokenConfig) -> Person:
        grant = Grant(role=Role(entry.role), lines=frozenset(entry.lines))
        return self._person(entry.name, [grant], entry.agent)

    def _of_oidc(self, session: OidcSession) -> Person | None:
        oidc = self.config.oidc
        if oidc is None:
            return None
        grants = [
            Grant(role=Role(each.role), lines=frozenset(each.lines))
            for each in oidc.roles
            if each.value in session.values
        ]
        if not grants:
            return None
        return self._person(session.name, grants, session.agent)

    def _person(self, name: str, grants: list[Grant], agent: str | None) -> Person:
        """Return a person, with what the shifts give now."""
        leads = leads_at(self.shifts, self._now(), self.zone)
        grants += [
            Grant(role=Role.SUPERVISOR, lines=shift.lines, because=f"shift {shift.name}")
            for shift in self.shifts
            if leads.get(shift.name) == name
        ]
        return Person(name=name, grants=tuple(grants), agent=agent)


def shifts_of(sections: Iterable[ShiftConfig]) -> tuple[Shift, ...]:
    """Return the rotas of the configuration."""
    return tuple(
        Shift(
            name=section.name,
            people=section.people,
            first_week=section.first_week,
            weeks_each=section.weeks_each,
            week=week_in(section.week),
            lines=frozenset(section.lines),
            exceptions={
                each.date: DayOff(
                    person=each.person,
                    hours=None if each.hours is None else intervals_in(each.hours),
                    reason=each.reason,
                )
                for each in section.exceptions
            },
        )
        for section in sections
    )
