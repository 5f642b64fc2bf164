"""Secrets, from the files that the configuration names.

Here: reading them, and refusing those that stand in the configuration itself. Not here: their use.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import SecretStr

from ivrd.config.access import AccessConfig
from ivrd.config.handover import HandoverConfig, signing_fault
from ivrd.config.key_file import read_keys
from ivrd.config.whole import Config
from ivrd.errors import ConfigError


def secret_faults(document: Mapping[str, object]) -> Iterator[str]:
    """Yield a fault for each secret written into the file itself."""
    pbxes = document.get("pbx")
    for number, pbx in enumerate(pbxes if isinstance(pbxes, list) else []):
        if isinstance(pbx, dict) and "secret" in pbx:
            yield f"pbx[{number}].secret: secrets do not belong here; name a file in secret_file"
    handover = document.get("handover")
    for number, one in enumerate(handover if isinstance(handover, list) else []):
        for key in ("secrets", "status_secrets", "client_secret"):
            if isinstance(one, dict) and key in one:
                told = "secrets do not belong here; name a file in"
                yield f"handover[{number}].{key}: {told} {key.removesuffix('s')}_file"
    for section in ("database", "mqtt"):
        table = document.get(section)
        if isinstance(table, dict) and "password" in table:
            yield f"{section}.password: secrets do not belong here; name a file in password_file"
    privacy = document.get("privacy")
    if isinstance(privacy, dict) and "keys" in privacy:
        yield "privacy.keys: secrets do not belong here; name a file in key_file"
    access = document.get("access")
    oidc = access.get("oidc") if isinstance(access, dict) else None
    if isinstance(oidc, dict) and "client_secret" in oidc:
        told = "secrets do not belong here; name a file in client_secret_file"
        yield f"access.oidc.client_secret: {told}"


def with_secrets(config: Config, base: Path) -> Config:
    """Return the configuration with every secret read.

    Raises:
        ConfigError: A file is not there, cannot be read, or holds no secret.
    """
    pbxes = tuple(
        pbx.model_copy(
            update={"secret": _read_secret(pbx.secret_file, base, f"pbx[{number}].secret_file")}
        )
        for number, pbx in enumerate(config.pbx)
    )
    config = with_database_secret(config, base)
    mqtt = config.mqtt
    if mqtt is not None and mqtt.password_file is not None:
        secret = _read_secret(mqtt.password_file, base, "mqtt.password_file")
        mqtt = mqtt.model_copy(update={"password": secret})
    privacy = config.privacy
    if privacy.key_file is not None:
        privacy = privacy.model_copy(update={"keys": read_keys(privacy.key_file, base)})
    access = _with_oidc_secret(config.access, base)
    handover = tuple(
        _with_handover_secrets(one, base, f"handover[{number}]")
        for number, one in enumerate(config.handover)
    )
    sections = {"pbx": pbxes, "mqtt": mqtt, "privacy": privacy, "access": access}
    return config.model_copy(update=sections | {"handover": handover})


def _with_oidc_secret(access: AccessConfig, base: Path) -> AccessConfig:
    if access.oidc is None:
        return access
    file, place = access.oidc.client_secret_file, "access.oidc.client_secret_file"
    oidc = access.oidc.model_copy(update={"client_secret": _read_secret(file, base, place)})
    return access.model_copy(update={"oidc": oidc})


def with_database_secret(config: Config, base: Path) -> Config:
    """Return the configuration with the database's password, and no other secret.

    Raises:
        ConfigError: As `with_secrets`.
    """
    database = config.database
    if database.password_file is None:
        return config
    secret = _read_secret(database.password_file, base, "database.password_file")
    return config.model_copy(update={"database": database.model_copy(update={"password": secret})})


def _with_handover_secrets(one: HandoverConfig, base: Path, place: str) -> HandoverConfig:
    """Return a case system with its secrets, each of the form that signatures need."""
    found: dict[str, object] = {}
    for key in ("secret", "status_secret"):
        files = getattr(one, f"{key}_files", ())
        named = [(file, f"{place}.{key}_files[{number}]") for number, file in enumerate(files)]
        secrets = tuple(_read_secret(file, base, where) for file, where in named)
        faults = [
            f"{where}: {file} {fault}"
            for (file, where), secret in zip(named, secrets, strict=True)
            if (fault := signing_fault(secret.get_secret_value())) is not None
        ]
        if faults:
            raise ConfigError(faults)
        if files:
            found[f"{key}s"] = secrets
    client_secret_file = getattr(one, "client_secret_file", None)
    if client_secret_file is not None:
        where = f"{place}.client_secret_file"
        found["client_secret"] = _read_secret(client_secret_file, base, where)
    return one.model_copy(update=found)


def _read_secret(file: Path, base: Path, place: str) -> SecretStr:
    """Return a secret from systemd's credentials directory, or from beside the configuration.

    Source:
        systemd.exec(5), LoadCredential=: CREDENTIALS_DIRECTORY names a directory only we can read.
    """
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    candidates = [Path(credentials) / file] if credentials else []
    candidates.append(base / file)
    for candidate in candidates:
        try:
            text = candidate.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise ConfigError([f"{place}: {candidate} cannot be read: {error}"]) from error
        if not text or not text.isprintable():
            raise ConfigError([f"{place}: {candidate} must hold one printable line"])
        return SecretStr(text)
    looked = " or ".join(str(candidate) for candidate in candidates)
    raise ConfigError([f"{place}: there is no {looked}; create it, readable by ivrd only"])
