"""A TOML file as a document.

Here: reading it, with every way in which that can fail in words. Not here: what may stand in it.
"""

import tomllib
from pathlib import Path

from ivrd.errors import ConfigError


def read_document(path: Path) -> dict[str, object]:
    """Return what a TOML file holds.

    Raises:
        ConfigError: It cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not UTF-8 text (byte {error.start})"]) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError([f"{path}: is not TOML: {error}"]) from error
