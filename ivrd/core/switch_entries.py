"""What Asterisk's own database holds of a switch, and who is right when it says otherwise than we.

Here: families, keys and values, and the decision about one switch on one PBX. Not here: acts
(switches.py), and asking Asterisk (ami/database.py).

Two entries for each switch; the dialplan reads the first one only, the second one is ours:

    family           key       value
    ivrd-notice      <notice>  <until>                     whole seconds since 1970
    ivrd-line        <line>    open <until>, closed <until>
    ivrd-notice-act  <notice>  <at>/<stand>/<until>/<origin>/<who>   at in milliseconds
    ivrd-line-act    <line>    the same

A value consists of letters, digits, blanks and ``._@/-``; a reason, which is free text, is never in
the database. The second entry stays when a switch is set free, and so tells when.

Who is right
    1. What has ended counts as nothing, on both sides; it is taken away.
    2. Both say the same: nothing is done, but our entry is written when it is missing.
    3. The value is what its act entry says: the later act wins, by the stamps.
    4. There is neither value nor act entry: nobody has decided anything there, ours is written.
    5. The value is not what its act entry says: somebody has written it by hand, as our pages tell
       them to when ivrd is down. The hand wins over all that we decided before we saw it, whenever
       that was: it is what callers hear already, and done with us out of reach.
    6. A value that nobody can read counts as nothing, and is replaced.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ivrd.core.switches import (
    NOTHING,
    ONE_MS,
    STANDS,
    Actor,
    Meaning,
    Origin,
    Setting,
    Stand,
    Switch,
    SwitchKind,
    stamp_after,
)

FAMILIES = {SwitchKind.NOTICE: "ivrd-notice", SwitchKind.LINE: "ivrd-line"}
"""What the dialplan reads."""

ACT_SUFFIX = "-act"

WHO_CHARACTERS_MAX = 64

HAND_REASON = "written into Asterisk's database by hand"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNFIT = re.compile(r"[^A-Za-z0-9._@-]+")
_NOTICE_VALUE = re.compile(r"(?P<until>[0-9]{1,10})")
_LINE_VALUE = re.compile(r"(?P<stand>open|closed) (?P<until>[0-9]{1,10})")
_ACT_VALUE = re.compile(
    r"(?P<at>[0-9]{1,14})/(?P<stand>[a-z]+)/(?P<until>[0-9]{0,10})/(?P<origin>[a-z]+)"
    r"/(?P<who>[A-Za-z0-9._@-]*)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The place of one value in Asterisk's database."""

    family: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a PBX holds of one switch; "" where there is no entry."""

    value: str
    act: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Nothing needs to be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """The PBX is to get these; "" is no entry."""

    value: str
    act: str
    is_unreadable: bool = False
    """What it replaces could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopt:
    """The PBX is right: this is the setting from now on, on all of them."""

    setting: Setting


Decision = Keep | Write | Adopt


def value_entry(switch: Switch) -> Entry:
    """Return the entry that the dialplan reads."""
    return Entry(family=FAMILIES[switch.kind], key=switch.name)


def act_entry(switch: Switch) -> Entry:
    """Return the entry that tells whose act the value is."""
    return Entry(family=FAMILIES[switch.kind] + ACT_SUFFIX, key=switch.name)


def value_of(kind: SwitchKind, meaning: Meaning) -> str:
    """Return what the dialplan is to read; "" when nothing is forced.

    Example:
        >>> value_of(SwitchKind.LINE, Meaning(Stand.CLOSED, datetime(2026, 11, 21, tzinfo=UTC)))
        'closed 1795219200'
    """
    if meaning.until is None:
        return ""
    until = str((meaning.until - _EPOCH) // timedelta(seconds=1))
    return until if kind is SwitchKind.NOTICE else f"{meaning.stand.value} {until}"


def act_of(setting: Setting) -> str:
    """Return whose act a value is, in characters that mean nothing to a dialplan."""
    until = "" if setting.until is None else str((setting.until - _EPOCH) // timedelta(seconds=1))
    who = _UNFIT.sub("_", setting.by.who)[:WHO_CHARACTERS_MAX]
    stand, origin = setting.stand.value, setting.by.origin.value
    return f"{setting.version}/{stand}/{until}/{origin}/{who}"


def entries_of(switch: Switch, setting: Setting, now: datetime) -> Write:
    """Return what a PBX is to hold of a switch."""
    return Write(value=value_of(switch.kind, setting.means(now)), act=act_of(setting))


def decide(
    switch: Switch, desired: Setting | None, held: Held, *, system: str, now: datetime
) -> Decision:
    """Return what is to be done about one switch on one PBX, by the rules of the header.

    Args:
        switch: Which one.
        desired: What we know of it; None when nothing was ever set.
        held: What the PBX has.
        system: The PBX's name, for whoever asks who wrote by hand.
        now: The present.
    """
    read = _read_value(switch.kind, held.value)
    present = NOTHING if read is None or read.until is None or read.until <= now else read
    act = _read_act(switch.kind, held.act)
    ours = NOTHING if desired is None else desired.means(now)
    if (held.value and read is None) or present == ours:
        return _settle(switch, desired, held, now=now, is_unreadable=read is None)
    if present == (NOTHING if act is None else act.means(now)):
        if act is None or (desired is not None and act.at <= desired.at):
            assert desired is not None, "without a setting, ours would be nothing too"
            return entries_of(switch, desired, now)
        return Adopt(setting=act)
    by_hand = Setting(
        stand=present.stand,
        until=present.until,
        reason=HAND_REASON,
        by=Actor(who=f"somebody on {system}", origin=Origin.HAND),
        at=stamp_after(desired, now),
    )
    return Adopt(setting=by_hand)


def _settle(
    switch: Switch, desired: Setting | None, held: Held, *, now: datetime, is_unreadable: bool
) -> Decision:
    """Return what brings a PBX, which means the same as we do, to say it in the same words."""
    if desired is None:
        wanted = Write(value="", act=held.act)
    else:
        wanted = entries_of(switch, desired, now)
    if wanted.value == held.value and wanted.act == held.act:
        return Keep()
    return Write(
        value=wanted.value, act=wanted.act, is_unreadable=is_unreadable and bool(held.value)
    )


def _read_value(kind: SwitchKind, value: str) -> Meaning | None:
    """Return what a value says; None when it cannot be read."""
    if not value:
        return NOTHING
    found = (_NOTICE_VALUE if kind is SwitchKind.NOTICE else _LINE_VALUE).fullmatch(value)
    if found is None:
        return None
    stand = Stand.ON if kind is SwitchKind.NOTICE else Stand(found["stand"])
    return Meaning(stand, _EPOCH + timedelta(seconds=int(found["until"])))


def _read_act(kind: SwitchKind, text: str) -> Setting | None:
    """Return the setting that an act entry tells of; None without one that can be read."""
    found = _ACT_VALUE.fullmatch(text)
    if found is None:
        return None
    try:
        stand, origin = Stand(found["stand"]), Origin(found["origin"])
        at = _EPOCH + int(found["at"]) * ONE_MS
    except (ValueError, OverflowError):
        return None
    until = _EPOCH + timedelta(seconds=int(found["until"])) if found["until"] else None
    if stand not in STANDS[kind] or (until is None) != (stand is Stand.FREE):
        return None
    return Setting(
        stand=stand, until=until, reason="", by=Actor(who=found["who"], origin=origin), at=at
    )
