"""The file with the secrets for callers' numbers: its form, its place and its mode.

Here: reading and refusing. Not here: what is made of a secret (ivrd/privacy/sealing.py).

One secret a line, "ID BASE64URL", the newest first; a line that begins with # is for people. Older
ones stay below until every number sealed with them is purged.
"""

import base64
import binascii
import os
import re
import stat
from pathlib import Path

from pydantic import SecretStr

from ivrd.errors import ConfigError

PLACE = "privacy.key_file"

SECRET_BYTES = 32

_LINE = re.compile(r"([a-z0-9-]{1,16}) ([A-Za-z0-9_-]{43}=?)")

WAY_OUT = "`ivrd key new` prints a line for it"


def read_keys(file: Path, base: Path) -> tuple[SecretStr, ...]:
    """Return the lines of the key file, the newest first.

    From systemd's credentials, which only we can read, or from beside the configuration; there
    nobody but its owner may.

    Raises:
        ConfigError: With the way out; no text of the file is quoted.
    """
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    places = [Path(credentials) / file] if credentials else []
    beside = base / file
    for path in (*places, beside):
        try:
            text = path.read_text(encoding="ascii")
            mode = stat.S_IMODE(path.stat().st_mode)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise ConfigError([f"{PLACE}: {path} cannot be read: {type(error).__name__}"]) from None
        if path == beside and mode & 0o077:
            raise ConfigError([f"{PLACE}: {path} has mode {mode:04o}; chmod 600 it"])
        return _lines_of(text, path)
    looked = " or ".join(str(path) for path in (*places, beside))
    raise ConfigError([f"{PLACE}: there is no {looked}; {WAY_OUT}, mode 0600"])


def _lines_of(text: str, path: Path) -> tuple[SecretStr, ...]:
    found: dict[str, SecretStr] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        parts = _LINE.fullmatch(line)
        if parts is None or not _is_secret(parts[2]):
            raise ConfigError([f"{PLACE}: {path}, line {number}: is no key; {WAY_OUT}"])
        if parts[1] in found:
            raise ConfigError([f"{PLACE}: {path}, line {number}: {parts[1]} stands there twice"])
        found[parts[1]] = SecretStr(f"{parts[1]} {parts[2].rstrip('=')}=")
    if not found:
        raise ConfigError([f"{PLACE}: {path} holds no key; {WAY_OUT}"])
    return tuple(found.values())


def _is_secret(text: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(text.rstrip("=") + "=")) == SECRET_BYTES
    except (binascii.Error, ValueError):
        return False
