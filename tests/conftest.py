"""For every test: what Hypothesis is asked, how ivrd and the PBX run, and which tests come first.

What Hypothesis tries is about what holds, not about how fast a busy machine is. That is on top of
the profile in force: Hypothesis has one of its own for CI, with fixed seeds.
"""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.lab.pbx import let_pbx_go_first
from tests.lab.warm import keep_warm

settings.register_profile(
    "any_machine",
    parent=settings.default,
    deadline=None,
    suppress_health_check={*settings.default.suppress_health_check, HealthCheck.too_slow},
)
settings.load_profile("any_machine")

keep_warm()
let_pbx_go_first()

SLOW_FIRST = ("e2e", "integration")
"""Directories whose files take half a minute each: begun last, one would keep the others waiting
for it; the unit tests fill what is left."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put files that take long first, in the order in which they stand otherwise."""
    tests = config.rootpath / "tests"
    items.sort(key=lambda item: _rank(item.path, tests))


def _rank(path: Path, tests: Path) -> int:
    part = path.relative_to(tests).parts[0] if path.is_relative_to(tests) else ""
    return SLOW_FIRST.index(part) if part in SLOW_FIRST else len(SLOW_FIRST)
