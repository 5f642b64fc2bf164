"""What people switch by hand while calls go on: notices, lines forced open or closed, rules.

Here: the acts, what is in force because of them, who wins when two act at once, and undo. Not here:
what Asterisk's own database holds of it (switch_entries.py), and bringing it there
(ivrd/switches.py).

Words: a *switch* is one notice, line or overflow rule; a *setting* is what somebody has set it to,
until when; an *act* is the wish to set it anew.

Rules
    1. A setting ends by itself at `until`: that second it is in force no more.
    2. Each setting has a version, its stamp in milliseconds, which only grows; 0 before the first.
    3. An act that says which version it saw is taken only while that version stands: who saw less
       than what is so now must look again. What was set, by whom and when, is in the answer.
    4. An act that does not say so cannot have seen what another did within the last FRESH.
    5. To ask for what is so already changes nothing, and is no conflict.
    6. Undo is an act like all others: it sets what was set before, unless that has ended meanwhile.
"""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NewType

from ivrd.core.actors import Actor as Actor
from ivrd.core.actors import Origin as Origin

UNTIL_MAX = timedelta(days=366)
"""A switch is for what passes; what lasts belongs into the configuration."""

REASON_CHARACTERS_MAX = 200

FRESH = timedelta(seconds=60)
"""See rule 4: nobody decides on the ground of a screen older than this without looking again."""

ONE_MS = timedelta(milliseconds=1)

Version = NewType("Version", int)

NEVER_SET = Version(0)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SwitchKind(StrEnum):
    """What can be switched."""

    NOTICE = "notice"
    LINE = "line"
    RULE = "rule"


class Stand(StrEnum):
    """What a switch is set to."""

    ON = "on"
    """A notice is played."""
    OPEN = "open"
    """A line is open, whatever its hours say."""
    CLOSED = "closed"
    OFF = "off"
    """A rule does nothing; one that is ON or DRY_RUN does so whatever is configured."""
    DRY_RUN = "dry_run"
    FORCED = "forced"
    """A rule is in force whatever the figures say."""
    FREE = "free"
    """Nothing is forced: a notice is off, a line follows its hours, a rule its configuration."""


STANDS: Mapping[SwitchKind, frozenset[Stand]] = {
    SwitchKind.NOTICE: frozenset({Stand.ON, Stand.FREE}),
    SwitchKind.LINE: frozenset({Stand.OPEN, Stand.CLOSED, Stand.FREE}),
    SwitchKind.RULE: frozenset({Stand.ON, Stand.OFF, Stand.DRY_RUN, Stand.FORCED, Stand.FREE}),
}
"""To what each kind can be set."""


WORDS: Mapping[tuple[SwitchKind, Stand], str] = {
    (SwitchKind.NOTICE, Stand.ON): "notice_on",
    (SwitchKind.NOTICE, Stand.FREE): "notice_off",
    (SwitchKind.LINE, Stand.OPEN): "line_open",
    (SwitchKind.LINE, Stand.CLOSED): "line_close",
    (SwitchKind.LINE, Stand.FREE): "line_release",
    (SwitchKind.RULE, Stand.ON): "rule_on",
    (SwitchKind.RULE, Stand.OFF): "rule_off",
    (SwitchKind.RULE, Stand.DRY_RUN): "rule_dry_run",
    (SwitchKind.RULE, Stand.FORCED): "rule_force",
    (SwitchKind.RULE, Stand.FREE): "rule_release",
}
"""The name of each act, by what it sets to what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """Which notice or line."""

    kind: SwitchKind
    name: str

    def __str__(self) -> str:
        """Return it as people read it.

        Example:
            >>> str(Switch(kind=SwitchKind.NOTICE, name="driftstorning"))
            'notice driftstorning'
        """
        return f"{self.kind.value} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeOn:
    """Play a notice until then."""

    notice: str
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeOff:
    """Play a notice no more."""

    notice: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineForced:
    """Hold a line open or closed until then, whatever its hours say."""

    line: str
    state: Stand
    """OPEN or CLOSED."""
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineReleased:
    """Let a line follow its hours again."""

    line: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """Hold an overflow rule on, off, in a dry run or in force until then."""

    rule: str
    state: Stand
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReleased:
    """Let an overflow rule follow its configuration again."""

    rule: str
    reason: str = ""


Act = NoticeOn | NoticeOff | LineForced | LineReleased | RuleSet | RuleReleased


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What somebody has set a switch to."""

    stand: Stand
    until: datetime | None
    """None just when the stand is FREE."""
    reason: str
    by: Actor
    at: datetime
    """To the millisecond; no two settings of a switch have the same."""

    @property
    def version(self) -> Version:
        """The stamp as a number; see rule 2."""
        return Version((self.at - _EPOCH) // ONE_MS)

    def is_in_force(self, now: datetime) -> bool:
        """Whether it forces anything now; see rule 1."""
        return self.until is not None and now < self.until

    def means(self, now: datetime) -> "Meaning":
        """Return what it comes to now."""
        return Meaning(self.stand, self.until) if self.is_in_force(now) else NOTHING


@dataclass(frozen=True, slots=True)
class Meaning:
    """A stand and its end, without who and why: all that callers notice."""

    stand: Stand
    until: datetime | None


NOTHING = Meaning(Stand.FREE, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One switch's present setting, and the one before it."""

    setting: Setting
    before: Setting | None = None
    """None when nothing was set before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchState:
    """Every switch that was ever set."""

    tracks: Mapping[Switch, Track] = field(default_factory=dict)

    def setting(self, switch: Switch) -> Setting | None:
        """Return what a switch was last set to, also when that has ended; None when never."""
        track = self.tracks.get(switch)
        return None if track is None else track.setting

    def version(self, switch: Switch) -> Version:
        """Return what an act is to name as the version it saw."""
        setting = self.setting(switch)
        return NEVER_SET if setting is None else setting.version

    def in_force(self, now: datetime) -> Mapping[Switch, Setting]:
        """Return what is forced now, by kind and name."""
        found = {
            switch: track.setting
            for switch, track in self.tracks.items()
            if track.setting.is_in_force(now)
        }
        return dict(sorted(found.items(), key=lambda item: (item[0].kind, item[0].name)))

    def next_end(self, now: datetime) -> datetime | None:
        """Return when the first of what is in force ends; None when nothing is."""
        ends = [each.until for each in self.in_force(now).values() if each.until is not None]
        return min(ends, default=None)

    def having(self, switch: Switch, setting: Setting) -> "SwitchState":
        """Return the state after a switch was set."""
        track = Track(setting=setting, before=self.setting(switch))
        return SwitchState(tracks={**self.tracks, switch: track})


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The notices, lines and overflow rules that the configuration knows."""

    notices: frozenset[str] = frozenset()
    lines: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()

    def switches(self) -> tuple[Switch, ...]:
        """Return every switch there is, in order."""
        return tuple(
            Switch(kind=kind, name=name) for kind in SwitchKind for name in sorted(self._of(kind))
        )

    def fault(self, switch: Switch) -> str | None:
        """Return what is wrong with a name, with the nearest known one; None when it is known."""
        known = self._of(switch.kind)
        if switch.name in known:
            return None
        near = difflib.get_close_matches(switch.name, sorted(known), n=1)
        hint = (
            f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known)) or 'none'}"
        )
        return f"no {switch.kind.value} is named {switch.name!r}; {hint}"

    def _of(self, kind: SwitchKind) -> Collection[str]:
        match kind:
            case SwitchKind.NOTICE:
                return self.notices
            case SwitchKind.LINE:
                return self.lines
            case SwitchKind.RULE:
                return self.rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The act was taken."""

    state: SwitchState
    setting: Setting
    is_new: bool
    """False when it was so already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Somebody else was first; nothing was changed."""

    setting: Setting | None
    """What is set now; None when nothing ever was."""


def switch_of(act: Act) -> Switch:
    """Return which switch an act is about."""
    match act:
        case NoticeOn() | NoticeOff():
            return Switch(kind=SwitchKind.NOTICE, name=act.notice)
        case LineForced() | LineReleased():
            return Switch(kind=SwitchKind.LINE, name=act.line)
        case RuleSet() | RuleReleased():
            return Switch(kind=SwitchKind.RULE, name=act.rule)


def word_of(act: Act) -> str:
    """Return an act's name, as it is logged and stored."""
    return WORDS.get((switch_of(act).kind, _stand_of(act)), "line_force")


def faults(act: Act, names: Names, *, now: datetime) -> list[str]:
    """Return everything that is wrong with an act by itself; empty when it may be tried."""
    found = [names.fault(switch_of(act)), _reason_fault(act.reason)]
    if isinstance(act, NoticeOn | LineForced | RuleSet):
        if not act.reason.strip():
            found.append("reason: say why; whoever finds the switch on must know")
        found.append(_until_fault(act.until, now))
    if isinstance(act, LineForced) and act.state not in (Stand.OPEN, Stand.CLOSED):
        found.append(f"state: a line is forced open or closed, not {act.state.value}")
    if isinstance(act, RuleSet) and act.state not in STANDS[SwitchKind.RULE] - {Stand.FREE}:
        found.append(f"state: a rule is on, off, dry_run or forced, not {act.state.value}")
    return [fault for fault in found if fault is not None]


def take(
    state: SwitchState, act: Act, by: Actor, *, now: datetime, seen: Version | None
) -> Taken | Conflict:
    """Return the state after an act without faults, or who was first.

    Args:
        state: What was set until now.
        act: The wish.
        by: Whose it is.
        now: The present.
        seen: The switch's version on which the act was decided; None when it does not say.
    """
    switch = switch_of(act)
    present = state.setting(switch)
    meaning = _meaning(act)
    if meaning == (NOTHING if present is None else present.means(now)) and present is not None:
        return Taken(state=state, setting=present, is_new=False)
    if _is_conflict(present, by, now=now, seen=seen):
        return Conflict(setting=present)
    setting = Setting(
        stand=meaning.stand,
        until=meaning.until,
        reason=act.reason.strip(),
        by=by,
        at=stamp_after(present, now),
    )
    return Taken(state=state.having(switch, setting), setting=setting, is_new=True)


def undo_of(state: SwitchState, switch: Switch, *, now: datetime) -> Act | None:
    """Return the act that restores what was set before; None when nothing was ever set."""
    track = state.tracks.get(switch)
    if track is None:
        return None
    before = track.before
    if before is None or not before.is_in_force(now):
        reason = f"undone: {track.setting.reason}".rstrip(": ")[:REASON_CHARACTERS_MAX]
        return _freeing(switch, reason)
    assert before.until is not None, "what is in force has an end"
    name, stand, until, reason = switch.name, before.stand, before.until, before.reason
    match switch.kind:
        case SwitchKind.NOTICE:
            return NoticeOn(notice=name, until=until, reason=reason)
        case SwitchKind.LINE:
            return LineForced(line=name, state=stand, until=until, reason=reason)
        case SwitchKind.RULE:
            return RuleSet(rule=name, state=stand, until=until, reason=reason)


def _freeing(switch: Switch, reason: str) -> Act:
    match switch.kind:
        case SwitchKind.NOTICE:
            return NoticeOff(notice=switch.name, reason=reason)
        case SwitchKind.LINE:
            return LineReleased(line=switch.name, reason=reason)
        case SwitchKind.RULE:
            return RuleReleased(rule=switch.name, reason=reason)


def stamp_after(present: Setting | None, now: datetime) -> datetime:
    """Return now to the millisecond, but later than a setting, also when the clock stepped back."""
    stamp = _EPOCH + (now - _EPOCH) // ONE_MS * ONE_MS
    return stamp if present is None else max(stamp, present.at + ONE_MS)


def whole_seconds(until: datetime) -> datetime:
    """Return a moment cut to the second, which is all that the dialplan compares."""
    return until.replace(microsecond=0).astimezone(UTC)


def _stand_of(act: Act) -> Stand:
    match act:
        case NoticeOn():
            return Stand.ON
        case LineForced() | RuleSet():
            return act.state
        case NoticeOff() | LineReleased() | RuleReleased():
            return Stand.FREE


def _meaning(act: Act) -> Meaning:
    if isinstance(act, NoticeOn | LineForced | RuleSet):
        return Meaning(_stand_of(act), whole_seconds(act.until))
    return NOTHING


def _is_conflict(
    present: Setting | None, by: Actor, *, now: datetime, seen: Version | None
) -> bool:
    if seen is not None:
        return seen != (NEVER_SET if present is None else present.version)
    return present is not None and present.by != by and abs(now - present.at) < FRESH


def _reason_fault(reason: str) -> str | None:
    if len(reason) > REASON_CHARACTERS_MAX:
        return f"reason: {len(reason)} characters; at most {REASON_CHARACTERS_MAX}"
    if not reason.isprintable():
        return "reason: holds a line end or another control character"
    return None


def _until_fault(until: datetime, now: datetime) -> str | None:
    if until.tzinfo is None:
        return f"until: {until.isoformat()} has no time zone"
    if whole_seconds(until) <= now:
        return f"until: {until.isoformat(timespec='minutes')} is not in the future"
    if until - now > UNTIL_MAX:
        return (
            f"until: {until.isoformat(timespec='minutes')} is more than {UNTIL_MAX.days} days away;"
            " what lasts belongs into the configuration"
        )
    return None


class ActOutcome(StrEnum):
    """What came of an act."""

    DONE = "done"
    """Every PBX has it."""
    PENDING = "pending"
    """Taken; a PBX that is away gets it when it is back."""
    ALREADY = "already"
    """It was so before."""
    CONFLICT = "conflict"
    """Somebody else was first; nothing was changed."""
    REFUSED = "refused"
    """Something is wrong with it; nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAct:
    """Store one act, whatever came of it. act_id is unique."""

    act_id: str
    at: datetime
    who: str
    from_where: Origin
    act: str
    """As `word_of` says, or "reload"."""
    subject: str
    """The switch, such as "notice driftstorning"; "configuration" for a reload."""
    reason: str
    until: datetime | None
    """None when the act has no end."""
    outcome: ActOutcome
