"""The dialplan that Asterisk runs: what is in it, and reading its files anew.

Here: questions and answers over one connection. Not here: the connection (errand.py), and what the
answers should be (ivrd/dialplan/reading.py).

Source:
    Seen on 22.10.1 and 16.28.0, by which write class Asterisk answers: Reload by system or config,
    ModuleCheck by system, ShowDialPlan by reporting or config, Getvar by call or reporting. Reload
    of pbx_config answers when it is done: "Success" also when it left out lines that it could not
    read, an error when a file that is included is missing, and then the dialplan is the one of
    before. ShowDialPlan gives arguments as they are written in the file.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ivrd.ami import actions
from ivrd.ami.replies import command_names, value
from ivrd.ami.requests import Request
from ivrd.errors import PeerRefused, RightMissing

RELOAD_S_MAX = 60.0
"""Measured 20 ms; a site with a hundred thousand extensions, on a busy machine."""

ASK_S_MAX = 10.0
"""Measured 1 ms; a reload by somebody else holds the dialplan's lock meanwhile."""

RIGHTS: Mapping[str, str] = {
    "Reload": "system",
    "ModuleCheck": "system",
    "ShowDialPlan": "reporting",
    "Getvar": "call or reporting",
}
"""What is asked here, and by which write class of manager.conf it is allowed."""

MODULES = (
    "app_playback",
    "app_queue",
    "app_stack",
    "app_userevent",
    "func_callerid",
    "func_channel",
    "func_cut",
    "func_db",
    "func_dialplan",
    "func_global",
    "func_logic",
    "func_strings",
    "func_timeout",
    "pbx_config",
    "res_agi",
)
"""Where the applications and functions of a rendered dialplan live; the others are built in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningStep:
    """One priority, as Asterisk tells it."""

    application: str
    arguments: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningContext:
    """One context, as Asterisk tells it."""

    extensions: Mapping[str, tuple[RunningStep, ...]]
    includes: tuple[str, ...]


class RunningDialplan:
    """What can be asked on one connection."""

    def __init__(self, request: Request, *, user: str) -> None:
        """Take the connection.

        Args:
            request: Sends an action.
            user: Our AMI user and its PBX, to be told when a right is missing.
        """
        self._request = request
        self._user = user

    async def check_rights(self) -> None:
        """See that our user may do all that is done here.

        Raises:
            RightMissing: It may not.
        """
        allowed = command_names(await self._request(actions.LIST_COMMANDS, within_s=ASK_S_MAX))
        missing = [name for name in RIGHTS if name not in allowed]
        if missing:
            raise RightMissing(
                f"{self._user} needs write={RIGHTS[name]} in manager.conf, for {name}"
                for name in missing
            )

    async def missing_modules(self, more: Iterable[str] = ()) -> list[str]:
        """Return the modules that the dialplan needs, and more, that are not loaded."""
        missing = []
        for module in (*MODULES, *more):
            answer = await self._request(actions.check_module(module), within_s=ASK_S_MAX)
            if not answer.is_success:
                missing.append(module)
        return missing

    async def evaluate(self, expression: str) -> str:
        """Return what a dialplan function gives."""
        answer = await self._request(actions.evaluate(expression), within_s=ASK_S_MAX)
        return value(answer.raw, b"\r\nValue")

    async def reload(self) -> None:
        """Let Asterisk read its dialplan anew.

        Raises:
            PeerRefused: It could not, and goes on with what it had.
        """
        answer = await self._request(actions.RELOAD_DIALPLAN, within_s=RELOAD_S_MAX)
        if not answer.is_success:
            raise PeerRefused(
                f"Asterisk does not take its dialplan ({answer.message}); its log says why"
            )

    async def contexts(self, names: Iterable[str]) -> dict[str, RunningContext]:
        """Return those of the contexts that are there, by name."""
        found = {}
        for name in names:
            context = await self.context(name)
            if context is not None:
                found[name] = context
        return found

    async def context(self, name: str) -> RunningContext | None:
        """Return one context; None when there is none of that name."""
        answer = await self._request(actions.show_context(name), within_s=ASK_S_MAX)
        if not answer.is_success:
            return None
        steps = defaultdict[str, dict[int, RunningStep]](dict)
        includes = []
        for item in answer.items:
            if included := value(item, b"\r\nIncludeContext"):
                includes.append(included)
            if priority := value(item, b"\r\nPriority"):
                steps[value(item, b"\r\nExtension")][int(priority)] = RunningStep(
                    application=value(item, b"\r\nApplication"),
                    arguments=value(item, b"\r\nAppData"),
                    label=value(item, b"\r\nExtensionLabel"),
                )
        return RunningContext(
            extensions={
                number: tuple(each[priority] for priority in sorted(each))
                for number, each in steps.items()
            },
            includes=tuple(includes),
        )
