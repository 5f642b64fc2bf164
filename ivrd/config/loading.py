"""The TOML loader: a file in, a checked configuration out, or every fault at once.

Here: the only reader of the configuration's files. Not here: the models, and what they mean.
"""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from ivrd.config import credentials
from ivrd.config.document import read_document
from ivrd.config.faults import readable
from ivrd.config.prompt_sheet import load_sheet
from ivrd.config.references import prompt_faults, reference_faults
from ivrd.config.whole import Config
from ivrd.errors import ConfigError


def load(path: Path, *, with_secrets: bool = True) -> Config:
    """Return the checked configuration of a TOML file.

    Args:
        path: The file. Relative paths inside it are relative to its directory.
        with_secrets: False leaves secrets empty, for commands that need none.

    Raises:
        ConfigError: With one line per fault: path, what is wrong, the nearest known name.
    """
    document = read_document(path)
    config = check(document)
    if config.prompt_sheet is not None:
        sheet = load_sheet(path.parent / config.prompt_sheet)
        config = config.model_copy(update={"sheet": sheet})
        faults = list(prompt_faults(config, sheet))
        if faults:
            raise ConfigError(faults)
    return credentials.with_secrets(config, path.parent) if with_secrets else config


def load_for_reports(path: Path) -> Config:
    """Return the checked configuration with the database's password alone.

    Whoever makes reports needs neither the PBX's secret nor the keys of callers' numbers.

    Raises:
        ConfigError: As `load`.
    """
    return credentials.with_database_secret(load(path, with_secrets=False), path.parent)


def check(document: Mapping[str, object]) -> Config:
    """Return the configuration of a parsed document, without what other files hold.

    Raises:
        ConfigError: With every fault found, not only the first.
    """
    faults = list(credentials.secret_faults(document))
    if "sheet" in document:
        faults.append("sheet: is not a key we know; did you mean prompt_sheet?")
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        raise ConfigError([*faults, *readable(error)]) from error
    faults.extend(reference_faults(config))
    if faults:
        raise ConfigError(faults)
    return config


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of the file, for editors."""
    return Config.model_json_schema()
