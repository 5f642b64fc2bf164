"""Towns that live as long as a module of scenarios, and the option that renews recordings."""

import pytest

pytest.register_assert_rewrite("tests.e2e.scene", "tests.e2e.replaying")

from tests.e2e import shelf  # noqa: E402 - the rewrite comes first.


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --record."""
    parser.addoption(
        "--record", action="store_true", help="Renew the recordings under tests/replay/logs."
    )


def pytest_configure(config: pytest.Config) -> None:
    """Tell the shelf."""
    shelf.is_recording = bool(config.getoption("--record", default=False))
