"""Takes the number out of what is to be stored, and puts its sealed form and its key there.

Here: which facts carry a caller, and what each may keep. Not here: the arithmetic (sealing.py), the
way to the disk (db/outbox.py) and the tables.

The rules
    1. A number in clear goes no further than here: journal and tables have no place for it.
    2. Without a key nothing of a number is kept. It is not an error; it is said once.
    3. A hidden number, and what is no number, leaves neither sealed text nor key.
"""

from datetime import timedelta

from ivrd.config import PrivacyConfig
from ivrd.privacy.sealing import Sealer, secrets_of

NO_KEY = (
    "privacy.key_file: there is none, so callers' numbers are not kept and repeat calls are not "
    "found; `ivrd key new` makes one"
)


def sealer_of(config: PrivacyConfig) -> Sealer | None:
    """Return the keys that the configuration brings; None when it brings none."""
    if not config.keys:
        return None
    return Sealer(
        secrets_of(key.get_secret_value() for key in config.keys),
        period=timedelta(days=config.key_period_days),
    )
