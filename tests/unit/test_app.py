"""What the composition root must not mix up: each PBX lives by its own clock."""

import tomllib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from ivrd import config
from ivrd.app import App
from ivrd.config import Supervision
from ivrd.core.actors import Actor, Origin
from ivrd.core.case_record import LABELLED, CaseChanged, Change
from ivrd.core.events import CaseLabelled
from ivrd.core.ids import SystemName
from tests.unit.test_case_print import CASE

SAMPLE = Path(__file__).parents[2] / "config" / "ivrd.toml"


def an_app(directory: Path, *, systems: tuple[str, ...]) -> App:
    document = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))
    document["database"] = {"url": f"sqlite+aiosqlite:///{directory}/ivrd.sqlite"}
    document["state_directory"] = str(directory)
    document["pbx"] = [
        {**document["pbx"][0], "name": system, "queue_log_file": f"/var/log/{system}"}
        for system in systems
    ]
    return App(
        config.check(document),
        path=SAMPLE,
        supervision=Supervision(notify_socket=None, watchdog_s=None),
    )


def test_a_label_is_told_to_a_pbx_by_its_own_clock(tmp_path: Path) -> None:
    app = an_app(tmp_path, systems=("pbx1", "pbx2"))
    behind = app._clocks[SystemName("pbx2")]
    behind.observe_event(app._now() - timedelta(minutes=10), behind._monotonic())
    told: list[object] = []
    app._engine.submit = told.append  # type: ignore[method-assign]
    case = replace(CASE, system=SystemName("pbx2"))
    by = Actor(who="anna", origin=Origin.PAGE)
    change = Change(
        case_id=1, version=2, at=app._now(), by=by, what=LABELLED, before="{}", after="{}"
    )
    app._note_case(CaseChanged(case=case, change=change))
    [labelled] = told
    assert isinstance(labelled, CaseLabelled)
    assert abs(labelled.at - behind.now()) < timedelta(minutes=1)
    app._note_case(CaseChanged(case=replace(case, system=SystemName("gone")), change=change))
    assert len(told) == 1, "nobody is held at a PBX that is not configured any more"
