"""Takes the number out of what is to be stored, and puts its sealed form and its key there.

Here: which facts carry a caller, and what each may keep. Not here: the arithmetic (sealing.py), the
way to the disk (db/outbox.py) and the tables.

The rules
    1. A number in clear goes no further than here: journal and tables have no place for it.
    2. Without a key nothing of a number is kept. It is not an error; it is said once.
    3. A hidden number, and what is no number, leaves neither sealed text nor key.
    4. Of a caller whose identity is protected, by line or by number, nothing is left but the call
       as a figure, and the mark that says why.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol, TypeVar, cast

from ivrd.config import PrivacyConfig
from ivrd.core.effects import OpenCase, RecordCall, RecordContact
from ivrd.core.stored_calls import REPEAT_WITHIN
from ivrd.privacy.numbers import e164
from ivrd.privacy.sealing import SealBroken, Sealer, secrets_of

Fact = TypeVar("Fact")

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


class ProtectedList(Protocol):
    """Whose numbers are protected (ivrd/protected_file.py)."""

    def holds(self, hashes: Iterable[str]) -> bool:
        """Return whether one of a number's hashes stands in the list."""


class Callers:
    """Closes facts; fills what the database asks for (db/callers.py)."""

    def __init__(
        self,
        config: PrivacyConfig,
        *,
        sealer: Sealer | None,
        protected: ProtectedList | None = None,
    ) -> None:
        """Use these keys, or none.

        Args:
            config: Country code and protected lines.
            sealer: None keeps no number.
            protected: None protects no number; lines may be.
        """
        self._sealer = sealer
        self._country_code = config.country_code
        self._protected_lines = frozenset(config.protected_lines)
        self._protected = protected

    def closed(self, fact: Fact) -> Fact:
        """Return a fact without a number in clear; the same when it carries none."""
        match fact:
            case RecordCall():
                return cast(Fact, self._close_call(fact))
            case OpenCase() | RecordContact():
                return cast(Fact, self._close_case(fact))
            case _:
                return fact

    def sealed(
        self, number: str, call_id: str, at: datetime
    ) -> tuple[str | None, str | None, str | None]:
        """Return sealed number, caller key, and the key before; None where none may be kept."""
        plain = e164(number, country_code=self._country_code)
        if plain is None or self._sealer is None or self._is_protected(plain):
            return None, None, None
        return (
            self._sealer.seal(plain, bound_to=call_id),
            self._sealer.caller_key(plain, at),
            self._sealer.key_before(plain, at, within=REPEAT_WITHIN),
        )

    def opened(self, sealed: str, call_id: str) -> str | None:
        """Return the number in clear; None when it does not open."""
        if self._sealer is None:
            return None
        try:
            return self._sealer.unseal(sealed, bound_to=call_id)
        except SealBroken:
            return None

    def _close_call(self, call: RecordCall) -> RecordCall:
        is_protected = self._is_protected_call(call.line, call.caller_number)
        if call.caller_number is None:
            return replace(call, is_protected=True) if is_protected else call
        sealed, key, before = None, None, None
        if not is_protected:
            sealed, key, before = self.sealed(call.caller_number, call.call_id, call.arrived_at)
        return replace(
            call,
            caller_number=None,
            caller_sealed=sealed,
            caller_key=key,
            caller_key_before=before,
            is_protected=is_protected,
        )

    def _close_case(self, case: OpenCase | RecordContact) -> OpenCase | RecordContact:
        number, line = case.caller_number, case.line
        if self._is_protected_call(line, number):
            return replace(case, caller_number=None, is_protected=True)
        plain = None if number is None else e164(number, country_code=self._country_code)
        if plain is None or self._sealer is None:
            return case if number is None else replace(case, caller_number=None)
        return replace(
            case,
            caller_number=None,
            caller_key=self._sealer.caller_key(plain, case.at),
            earlier_keys=" ".join(self._sealer.earlier_keys(plain, case.at)),
        )

    def _is_protected_call(self, line: str | None, number: str | None) -> bool:
        if line in self._protected_lines:
            return True
        plain = None if number is None else e164(number, country_code=self._country_code)
        return plain is not None and self._is_protected(plain)

    def _is_protected(self, plain: str) -> bool:
        if self._sealer is None or self._protected is None:
            return False
        return self._protected.holds(self._sealer.list_hashes(plain))
