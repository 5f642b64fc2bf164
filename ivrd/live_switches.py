"""Puts the parts of live switching together, for the composition root.

Here: which parts, what can be switched by a configuration, and what is shown of them. Not here: any
rule.

    live = live_switches.wire(config, record=outbox.put_nowait, now=..., reload=...)
    AmiClient(pbx, ..., keep_database=live.keeper(system))
    live.register_metrics(metrics); tasks: live.control.serve(); faults: live.troubles()
    live.orders.observe sees every effect; live.orders.keep_rules() is a task
    after a reload: live.board.names = live_switches.names_of(config)
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

from ivrd.audit import Audit
from ivrd.config import Config
from ivrd.control import ControlServer
from ivrd.core.events import Event
from ivrd.core.ids import SystemName
from ivrd.core.switches import Names, RecordAct
from ivrd.overflow_orders import Calls, OverflowOrders
from ivrd.switch_file import SwitchFile
from ivrd.switches import Database, Reload, SwitchBoard

Counts = Mapping[tuple[str, ...], float]


class Metrics(Protocol):
    """Where figures are shown (metrics.Metrics)."""

    def register_gauge_source(
        self, name: str, help_text: str, labels: tuple[str, ...], read: Callable[[], Counts], /
    ) -> None: ...

    def register_counter_source(
        self, name: str, help_text: str, labels: tuple[str, ...], read: Callable[[], Counts], /
    ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSwitches:
    """The parts: the board that everybody acts through, and the socket of the command line."""

    board: SwitchBoard
    control: ControlServer
    orders: OverflowOrders

    def keeper(self, system: SystemName) -> Callable[[Database], Awaitable[None]]:
        """Return what works on a PBX's own database for as long as a connection lasts."""
        return partial(self.board.keep, system)

    def troubles(self) -> list[str]:
        """Return a sentence for each thing that keeps people from switching."""
        fault = self.control.fault
        return [*self.board.troubles(), *([] if fault is None else [fault])]

    def in_force(self) -> Counts:
        """Return 1 for each switch that is set, by kind, name and stand."""
        board = self.board
        return {
            (switch.kind.value, switch.name, setting.stand.value): 1
            for switch, setting in board.state.in_force(board.now()).items()
        }

    def waiting(self) -> Counts:
        """Return how many switches each PBX has still to get."""
        return {(system,): count for system, count in self.board.waiting().items()}

    def register_metrics(self, metrics: Metrics) -> None:
        """Show what is switched, who acted, and what went wrong."""
        board, control = self.board, self.control
        metrics.register_gauge_source(
            "ivrd_switch_in_force",
            "1 for each notice that is on, line that is forced, and rule that is switched.",
            ("kind", "name", "stand"),
            self.in_force,
        )
        metrics.register_gauge_source(
            "ivrd_switches_waiting",
            "Live switches that a PBX has not got yet.",
            ("system",),
            self.waiting,
        )
        metrics.register_counter_source(
            "ivrd_acts_total",
            "Acts of people, by what came of them.",
            ("act", "origin", "outcome"),
            lambda: board.audit.acts,
        )
        metrics.register_counter_source(
            "ivrd_switch_refusals_total",
            "Times that a PBX began to refuse live switches.",
            ("system",),
            lambda: board.faults,
        )
        metrics.register_counter_source(
            "ivrd_switch_file_faults_total",
            "Times that switches.json could not be read or written.",
            (),
            lambda: {(): board.file_failures},
        )
        metrics.register_counter_source(
            "ivrd_control_questions_total",
            "Questions on the control socket, by how they ended.",
            ("end",),
            lambda: control.questions,
        )


def names_of(config: Config) -> Names:
    """Return what can be switched."""
    return Names(
        notices=frozenset(each.name for each in config.notices),
        lines=frozenset(each.name for each in config.lines),
        rules=frozenset(each.name for each in config.overflow),
    )


def wire(
    config: Config,
    *,
    record: Callable[[RecordAct], None],
    now: Callable[[], datetime],
    reload: Reload,
    calls: Mapping[SystemName, Calls],
    clocks: Mapping[SystemName, Callable[[], datetime]],
    submit: Callable[[Event], None],
) -> LiveSwitches:
    """Build the parts; nothing is connected or listened on yet.

    Args:
        config: The names, the PBXs, and the state directory.
        record: Takes the audit's rows (`StoreOutbox.put_nowait`).
        now: The PBXs' time.
        reload: Takes the configuration anew.
        calls: Who knows each PBX's calls.
        clocks: Each PBX's time.
        submit: The engine's way in, for orders about overflow.
    """
    board = SwitchBoard(
        names=names_of(config),
        systems=[SystemName(pbx.name) for pbx in config.pbx],
        file=SwitchFile(config.state_directory),
        now=now,
        audit=Audit(record=record, now=now),
        reload=reload,
    )
    orders = OverflowOrders(board=board, calls=calls, clocks=clocks, submit=submit)
    control = ControlServer(config.state_directory, board, orders)
    return LiveSwitches(board=board, control=control, orders=orders)
