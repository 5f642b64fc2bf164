"""The chain of migrations has one end, whoever adds to it at the same time."""

from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from ivrd.db import migrate


def test_the_migrations_are_one_chain() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    assert len(ScriptDirectory.from_config(config).get_heads()) == 1
