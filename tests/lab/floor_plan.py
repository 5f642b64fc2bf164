"""What a municipality of the lab looks like, as values: desks, departments, and its configuration.

Here: plain values and the texts made of them. Not here: running anything (municipality.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tests.lab.phone import AnswerPolicy, Ring, Talk

LINE_NUMBER = "0846500400"
"""The municipality's number, from the series reserved for fiction."""

PATIENT_NUMBER = "0846500498"
"""Of the line whose menu waits long for a key; see FloorPlan.patient_s."""

PATIENT_S = 5
"""Enough to press a key also on a machine that stands still for a second or two."""

GUIDES = "kc"
SWITCHBOARD = "vaxel"

QUEUE_EXTENSIONS = {"7001": SWITCHBOARD, "7002": GUIDES}
"""Where an agent transfers a caller to have them wait in a queue of ours."""


SHEET = """
languages = ["sv"]
[prompts.huvudmeny]
sv = "Tryck ett för växeln, eller vänta kvar."
[prompts.fel-knapp]
sv = "Den knappen finns inte."
[prompts.otillganglig]
sv = "Just nu kan ingen svara. Välkommen att ringa igen senare."
"""
"""What the menus of an ordinary lab say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One agent's phone, and what the agent does."""

    name: str
    queue: str
    answer: AnswerPolicy = field(default_factory=Ring)
    talk: Talk | None = None
    """None stays until the scenario, or the caller, ends the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Department:
    """One official's phone outside the queues, where agents hand callers on to."""

    number: str
    answer: AnswerPolicy = field(default_factory=Ring)
    talk: Talk | None = None
    ring_s: int = 20
    otherwise: str = "Hangup()"
    """What the site's dialplan does with a caller whom the official did not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorPlan:
    """Everything a scenario decides about its municipality."""

    desks: tuple[Desk, ...] = ()
    departments: tuple[Department, ...] = ()
    stay_after_s: int = 1
    patient_s: int | None = None
    """The same for one more line with the same menu, where citizens ring who press a key, or who
    must be in the menu for a while: on a machine that stands still a second passes unseen. None
    for no such line."""
    tries: int = 2
    start_waiting: int | None = None
    """Callers in the switchboard queue from which they are moved; None for no overflow rule."""
    stop_waiting: int = 1
    queue_settings: Mapping[str, str] = field(default_factory=dict)
    """More lines for a queue's section of queues.conf, by queue."""
    switchboard_timeout_s: int = 0
    switchboard_fallback: str | None = GUIDES
    switchboard_goal_s: int = 25
    short_abandon_s: int = 5
    """A caller who gives up at the switchboard before that long is neither hit nor miss."""
    database_url: str | None = None
    """None for SQLite in the lab's own directory."""
    database_password_file: Path | None = None
    mqtt_port: int | None = None
    has_wire: bool = False
    """Whether AMI goes over a wire that can be cut."""
    is_verbose: bool = False
    """Whether each dialplan step goes into the log of the PBX."""
    sheet: str = SHEET
    """The prompt sheet."""
    prompts: bool = False
    """Whether the menus speak; without, Asterisk goes on at once."""
    features: str = ""
    """More of features.conf, in its section [featuremap]."""
    more_dialplan: str = ""
    """More of the site's own extensions.conf."""
    rtp_port_count: int = 1000
    """Two for each channel with media; few where many municipalities run at once."""
    starts_at: datetime | None = None
    """What the wall clock of the PBX says when it starts; None for the machine's time."""
    local_members: Mapping[str, str] = field(default_factory=dict)
    """Desks that the queue reaches through a Local channel, as on a mobile: name to "n" or ""."""
    labels: str = ""
    """Departments and their subjects, as TOML; "" for none."""
    way_in: str = ""
    """Lines, menus, notices and hours of its own, as TOML; "" for one line with one menu."""
    more_ways_in: str = ""
    """The same, beside that one line with one menu."""
    queue_keys: Mapping[str, str] = field(default_factory=dict)
    """More of a queue's section of ivrd.toml, by queue; a new name is one more queue."""
    access: str = 'anonymous_role = "viewer"'
    """ivrd.toml's section [access]; tests look at the API without a token."""
    templated: frozenset[str] = frozenset()
    """Queues that take ivrd's template for queues.conf."""

    @property
    def queues(self) -> tuple[str, ...]:
        """Every queue."""
        return tuple(dict.fromkeys((SWITCHBOARD, GUIDES, *self.queue_keys)))


def queues_conf(plan: FloorPlan) -> str:
    """Return queues.conf: every queue, with the desks as members; ivrd's templates stand before."""
    parts = ["[general]\npersistentmembers = no\n"]
    for queue in plan.queues:
        members = "".join(
            f"member => {_interface(plan, desk)},0,{desk.name}\n"
            for desk in plan.desks
            if desk.queue == queue
        )
        more = plan.queue_settings.get(queue, "")
        own = "autofill = yes\nringinuse = no\ntimeout = 8\nretry = 1\nannounce-frequency = 0"
        head = f"[{queue}](ivrd-{queue})" if queue in plan.templated else f"[{queue}]\n{own}"
        parts.append(f"{head}\nstrategy = rrmemory\nwrapuptime = 0\n{more}\n{members}")
    return "\n".join(parts)


def site_dialplan(plan: FloorPlan) -> str:
    """Return what the site itself has in extensions.conf: ways in, and the departments."""
    departments = "".join(
        f"exten => {department.number},1,"
        f"Dial(PJSIP/department-{department.number},{department.ring_s})\n"
        f" same => n,{department.otherwise}\n"
        for department in plan.departments
    )
    queues = "".join(
        f"exten => {number},1,Goto(ivrd-queue-{queue},s,1)\n"
        for number, queue in QUEUE_EXTENSIONS.items()
    )
    return (
        "[from-citizens]\ninclude => ivrd-lines\n\n"
        f"[from-agents]\ninclude => ivrd-lines\n{departments}{queues}\n"
        "[mobiles]\nexten => _X!,1,Hangup()\nexten => _[a-z].,1,Dial(PJSIP/${EXTEN})\n\n"
        f"{plan.more_dialplan}"
    )


def features_conf(plan: FloorPlan) -> str:
    """Return features.conf: no feature code unless the plan has one; ivrd's own come after."""
    return (
        f"[general]\nfeaturedigittimeout = 2000\n[featuremap]\n{plan.features}\n"
        "[applicationmap]\n#include ivrd-features.conf\n"
    )


def _interface(plan: FloorPlan, desk: Desk) -> str:
    options = plan.local_members.get(desk.name)
    if options is None:
        return f"PJSIP/{desk.name}"
    return f"Local/{desk.name}@mobiles" + (f"/{options}" if options else "")


def ivrd_toml(plan: FloorPlan, *, ami_port: int, agi_port: int, web_port: int, sqlite: str) -> str:
    """Return the daemon's configuration."""
    url = plan.database_url or f"sqlite+aiosqlite:///{sqlite}"
    fallback = f'fallback = "{plan.switchboard_fallback}"' if plan.switchboard_fallback else ""
    overflow = (
        f"""
[[overflow]]
name = "vaxel-hog-last"
from_queue = "{SWITCHBOARD}"
to_queue = "{GUIDES}"
start_waiting = {plan.start_waiting}
stop_waiting = {plan.stop_waiting}
"""
        if plan.start_waiting is not None
        else ""
    )
    password_file = plan.database_password_file
    password = f'password_file = "{password_file}"' if password_file else ""
    mqtt = f"[mqtt]\nport = {plan.mqtt_port}\n" if plan.mqtt_port is not None else ""
    more_queues = "".join(
        f'\n[[queues]]\nname = "{name}"\n{keys}\n'
        for name, keys in plan.queue_keys.items()
        if name not in (SWITCHBOARD, GUIDES)
    )
    return f"""prompt_sheet = "prompts.toml"

[[pbx]]
name = "pbx1"
port = {ami_port}
secret_file = "ami-secret"

[agi]
port = {agi_port}

[web]
port = {web_port}

[access]
{plan.access}

[database]
url = "{url}"
{password}

[journal]
directory = "{Path(sqlite).parent / "journal"}"

{mqtt}
[[queues]]
name = "{SWITCHBOARD}"
role = "switchboard"
title_sv = "Växel"
title_en = "Switchboard"
service_level_threshold_s = {plan.switchboard_goal_s}
short_abandon_s = {plan.short_abandon_s}
timeout_s = {plan.switchboard_timeout_s}
{fallback}
{plan.queue_keys.get(SWITCHBOARD, "")}

[[queues]]
name = "{GUIDES}"
role = "guide"
title_sv = "Kontaktcenter"
title_en = "Contact centre"
service_level_threshold_s = 60
{plan.queue_keys.get(GUIDES, "")}
{more_queues}
{plan.way_in or _usual_way_in(plan)}
{plan.more_ways_in}
{overflow}
{plan.labels}
"""


def _usual_way_in(plan: FloorPlan) -> str:
    usual = way_in("huvudmeny", "kommunen", LINE_NUMBER, plan.stay_after_s, tries=plan.tries)
    if plan.patient_s is None:
        return usual
    patient = way_in("talmodig", "talmodig", PATIENT_NUMBER, plan.patient_s, tries=plan.tries)
    return f"{usual}\n{patient}"


def way_in(menu: str, line: str, number: str, stay_after_s: int, *, tries: int) -> str:
    """Return a menu and the line that leads to it; the line comes last, for more of its keys."""
    return f"""[[menus]]
name = "{menu}"
prompt = "huvudmeny"
invalid_prompt = "fel-knapp"
choices = {{ 1 = "{SWITCHBOARD}" }}
stay_choice = "{GUIDES}"
stay_after_s = {stay_after_s}
tries = {tries}

[[lines]]
name = "{line}"
number = "{number}"
menu = "{menu}"
"""
