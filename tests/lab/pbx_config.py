"""Renders the private configuration directory of one PBX instance.

Only text is made here: which modules are loaded, on which ports it listens, who may call. Running
it is the part of `pbx.py`. What the dialplan and the queues say comes from the caller.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

LAB_USER = "lab"
"""The AMI user with all rights that tests may use; the daemon under test gets one of its own."""

AGENT_CONTEXT = "from-agents"
CITIZEN_CONTEXT = "from-citizens"

REQUIRED_MODULES = (
    "app_dial",
    "app_playback",
    "app_playtones",
    "app_queue",
    "app_read",
    "app_stack",
    "app_userevent",
    "app_verbose",
    "bridge_builtin_features",
    "bridge_holding",
    "bridge_native_rtp",
    "bridge_simple",
    "bridge_softmix",
    "chan_bridge_media",
    "chan_pjsip",
    "codec_alaw",
    "codec_gsm",
    "codec_resample",
    "codec_ulaw",
    "format_gsm",
    "format_pcm",
    "format_sln",
    "format_wav",
    "func_callerid",
    "func_channel",
    "func_cut",
    "func_devstate",
    "func_dialplan",
    "func_extstate",
    "func_global",
    "func_hangupcause",
    "func_lock",
    "func_logic",
    "func_math",
    "func_module",
    "func_rand",
    "func_strings",
    "func_timeout",
    "func_uri",
    "pbx_config",
    "res_agi",
    "res_musiconhold",
    "res_pjproject",
    "res_pjsip",
    "res_pjsip_authenticator_digest",
    "res_pjsip_caller_id",
    "res_pjsip_diversion",
    "res_pjsip_dtmf_info",
    "res_pjsip_endpoint_identifier_anonymous",
    "res_pjsip_endpoint_identifier_user",
    "res_pjsip_header_funcs",
    "res_pjsip_logger",
    "res_pjsip_pubsub",
    "res_pjsip_refer",
    "res_pjsip_rfc3326",
    "res_pjsip_sdp_rtp",
    "res_pjsip_session",
    "res_rtp_asterisk",
    "res_sorcery_astdb",
    "res_sorcery_config",
    "res_sorcery_memory",
    "res_speech",
    "res_timing_timerfd",
)
"""No more than these: fewer start faster and keep the AMI stream free of what nobody reads."""

OPTIONAL_MODULES = (
    "app_attended_transfer",
    "app_blind_transfer",
    "app_controlplayback",
    "app_db",
    "app_echo",
    "app_if",
    "app_originate",
    "app_senddtmf",
    "app_softhangup",
    "app_transfer",
    "app_waituntil",
    "app_while",
    "func_base64",
    "func_db",
    "func_json",
    "func_pjsip_aor",
    "func_pjsip_contact",
    "func_pjsip_endpoint",
    "func_sprintf",
    "func_version",
    "res_clioriginate",
    "res_manager_devicestate",
)
"""Loaded where they exist; not in every supported version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A SIP phone of an agent, reached as `PJSIP/name`."""

    name: str
    sip_port: int
    """Where the phone listens on loopback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PbxPlan:
    """What the caller decides about a PBX."""

    system_name: str = "pbx1"
    manager_text: str = ""
    """More sections of manager.conf, such as the daemon's own user."""
    dialplan: Mapping[str, str] = field(default_factory=dict)
    """File name to text; included in this order by extensions.conf."""
    queues_text: str = ""
    """All of queues.conf."""
    agents: tuple[Agent, ...] = ()
    more_files: Mapping[str, str] = field(default_factory=dict)
    """File name to text, instead of what the lab would write."""
    language: str = "sv"
    """Of all channels; sounds that lack it are taken from English."""
    log_verbose: bool = False
    """Each dialplan step in the log too: for looking into one failing scenario."""
    rtp_port_count: int = 1000
    """Two for each channel with media."""
    starts_at: datetime | None = None
    """What its wall clock says when it starts, with a time zone and not in the past; then it runs
    on as usual. None for the machine's time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Directories:
    """The directories of one instance, as Asterisk sees them."""

    base: Path
    modules: Path

    @property
    def etc(self) -> Path:
        """Its configuration."""
        return self.base / "etc"

    @property
    def log(self) -> Path:
        """Its log and its queue_log."""
        return self.base / "log"

    @property
    def run(self) -> Path:
        """Its control socket."""
        return self.base / "run"

    @property
    def data(self) -> Path:
        """Its sounds, and links to what comes with Asterisk."""
        return self.base / "data"

    @property
    def var(self) -> Path:
        """Its database, spool, cache and keys."""
        return self.base / "var"

    @property
    def all(self) -> tuple[Path, ...]:
        """Every directory that must exist before the start."""
        kept = tuple(self.var / name for name in ("lib", "db", "spool", "cache", "keys"))
        return (self.etc, self.log, self.run, self.data / "sounds", self.data / "moh", *kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """The ports of one instance and the secret of its lab user."""

    ami_port: int
    sip_port: int
    rtp_ports: range
    lab_secret: str


def render(
    plan: PbxPlan, wiring: Wiring, directories: Directories, *, modules: frozenset[str]
) -> dict[str, str]:
    """Return every file of the configuration directory, by name."""
    files = {
        "asterisk.conf": _asterisk_conf(plan, directories),
        "modules.conf": _modules_conf(modules),
        "logger.conf": _logger_conf(plan),
        "manager.conf": _manager_conf(plan, wiring),
        "pjsip.conf": _pjsip_conf(plan, wiring),
        "rtp.conf": _rtp_conf(wiring),
        "queues.conf": plan.queues_text,
        "extensions.conf": "".join(f'#include "{name}"\n' for name in plan.dialplan),
        "musiconhold.conf": f"[default]\nmode = files\ndirectory = {directories.data / 'moh'}\n",
        "indications.conf": _INDICATIONS_CONF,
        "features.conf": "[general]\n[featuremap]\n",
        "cdr.conf": "[general]\nenable = no\n",
        "cel.conf": "[general]\nenable = no\n",
        "http.conf": "[general]\nenabled = no\n",
        "pjproject.conf": "",
        "queuerules.conf": "",
        "cli.conf": "",
        "cli_permissions.conf": "",
        "acl.conf": "",
        "ccss.conf": "",
        "codecs.conf": "",
        "dnsmgr.conf": "",
        "stasis.conf": "",
        "udptl.conf": "",
        "sorcery.conf": "",
    }
    return files | dict(plan.dialplan) | dict(plan.more_files)


def _asterisk_conf(plan: PbxPlan, directories: Directories) -> str:
    var = directories.var
    return f"""[directories]
astetcdir = {directories.etc}
astmoddir = {directories.modules}
astvarlibdir = {var / "lib"}
astdbdir = {var / "db"}
astkeydir = {var / "keys"}
astcachedir = {var / "cache"}
astspooldir = {var / "spool"}
astdatadir = {directories.data}
astagidir = {directories.data / "agi-bin"}
astrundir = {directories.run}
astlogdir = {directories.log}

[options]
systemname = {plan.system_name}
nocolor = yes
debug = 0
verbose = {3 if plan.log_verbose else 0}
documentation_language = en_US
"""


def _modules_conf(modules: frozenset[str]) -> str:
    """Return the list of modules; Asterisk refuses to start without a required one."""
    optional = (name for name in OPTIONAL_MODULES if f"{name}.so" in modules)
    lines = [*(f"require = {name}.so\n" for name in REQUIRED_MODULES)]
    lines += [f"load = {name}.so\n" for name in optional]
    return "[modules]\nautoload = no\n" + "".join(lines)


def _logger_conf(plan: PbxPlan) -> str:
    levels = "notice,warning,error" + (",verbose(3)" if plan.log_verbose else "")
    return f"""[general]
dateformat = %F %T.%3q
queue_log = yes
queue_log_to_file = yes
use_callids = yes

[logfiles]
console =
messages = {levels}
"""


def _manager_conf(plan: PbxPlan, wiring: Wiring) -> str:
    return f"""[general]
enabled = yes
webenabled = no
bindaddr = 127.0.0.1
port = {wiring.ami_port}
timestampevents = yes
displayconnects = no

[{LAB_USER}]
secret = {wiring.lab_secret}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/255.255.255.255
read = all
write = all
writetimeout = 5000

{plan.manager_text}
"""


def _pjsip_conf(plan: PbxPlan, wiring: Wiring) -> str:
    """Return the SIP side: one endpoint for each agent, and one for every citizen.

    All of them call from loopback, so an agent is known by the user of its From header and
    everybody else is a citizen, whose From user is the caller's number.
    """
    head = f"""[global]
type = global
user_agent = ivrd-lab
endpoint_identifier_order = username,anonymous
keep_alive_interval = 0

[system]
type = system

[udp]
type = transport
protocol = udp
bind = 127.0.0.1:{wiring.sip_port}

[phone](!)
type = endpoint
transport = udp
disallow = all
allow = ulaw,alaw
direct_media = no
dtmf_mode = auto_info
media_address = 127.0.0.1
bind_rtp_to_media_address = yes
language = {plan.language}

[anonymous](phone)
context = {CITIZEN_CONTEXT}

"""
    return head + "\n".join(_agent_sections(agent) for agent in plan.agents)


def _agent_sections(agent: Agent) -> str:
    return f"""[{agent.name}](phone)
aors = {agent.name}
context = {AGENT_CONTEXT}
callerid = {agent.name} <{agent.name}>
device_state_busy_at = 1
allow_transfer = yes

[{agent.name}]
type = aor
contact = sip:{agent.name}@127.0.0.1:{agent.sip_port}
qualify_frequency = 0
"""


def _rtp_conf(wiring: Wiring) -> str:
    return f"""[general]
rtpstart = {wiring.rtp_ports[0]}
rtpend = {wiring.rtp_ports[-1]}
icesupport = no
"""


_INDICATIONS_CONF = """[general]
country = se

[se]
description = Sweden
ringcadence = 1000,5000
dial = 425
busy = 425/250,0/250
ring = 425/1000,0/5000
congestion = 425/250,0/750
callwaiting = 425/200,0/500,425/200,0/9100
dialrecall = 425/320,0/20
record = 1400/500,0/15000
info = !950/332,!0/24,!1400/332,!0/24,!1800/332,!0/2024
stutter = 425/320,0/20
"""
