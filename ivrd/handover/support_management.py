"""A destination that is Sundsvall's SupportManagement: an errand for each case.

Here: its API. Not here: HTTP itself (http_client.py), the gateway's tokens (gateway.py).

The API has no idempotency key. So each errand carries our case's key as an external tag, and none
is made before we have looked for one with that tag. A request that may have been carried out is
not repeated before SETTLE, because an errand that is just being made is not found yet. Should there
be two all the same, the older is used, and a person is told.

A change of a case becomes a PATCH of what it changed and of nothing else, because the department
works with the errand too; a repeated PATCH changes nothing more.

Source:
    github.com/Sundsvallskommun/api-service-support-management, version 15.0 (commit e4894c8,
    2026-08-21): src/test/resources/api/openapi.yaml; the filter's language is spring-filter.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import structlog

from ivrd.config.handover import SupportManagementConfig
from ivrd.core.case_messages import Accepted, CaseMessage, Delivery, NotNow, Refused
from ivrd.handover.cloud_event import CaseFields, payload_of
from ivrd.handover.gateway import Gateway
from ivrd.handover.http_client import (
    HttpAnswer,
    HttpTrouble,
    delivery_of,
)

TAG = "ivrd-case"
"""Our external tag's key; an errand has at most one value of a key (its database's constraint)."""

TITLE_CHARACTERS_MAX = 255
"""Of a column of its database without another length."""

DESCRIPTION_CHARACTERS_MAX = 30_000

SETTLE = timedelta(minutes=2)
"""By then a request that hung is carried out, or given up by all that is between us and it."""

FOUND_BYTES_MAX = 1_000_000
"""Errands come whole, with all that the department has written."""

ERRAND_ID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")

SAFE_KEY = re.compile(r"[A-Za-z0-9._:/-]+")
"""What a filter's quotes may hold without a second thought."""

TitleOf = Callable[[CaseFields], str]
"""Returns what a case is about, in words of a person's."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What we read of an errand."""

    errand_id: str
    status: str
    case_key: str | None
    """Of our tag; None when it has none."""
    modified: str
    """ISO 8601, as it came."""

    @property
    def changed_at(self) -> datetime | None:
        """Return the same as a moment; None when it is none."""
        try:
            moment = datetime.fromisoformat(self.modified)
        except ValueError:
            return None
        return None if moment.tzinfo is None else moment.astimezone(UTC)


class SupportManagement:
    """One namespace of one municipality."""

    def __init__(
        self, gateway: Gateway, config: SupportManagementConfig, *, title_of: TitleOf
    ) -> None:
        """Make errands as configured."""
        self._gateway = gateway
        self._config = config
        self._title_of = title_of
        place = f"{config.municipality_id}/{config.namespace}/errands"
        self._errands = f"{config.url.rstrip('/')}/{place}"

    async def send(self, message: CaseMessage, *, caller_number: str | None) -> Delivery:
        """Make the case's errand, or bring it up to the change."""
        payload = payload_of(message)
        case = payload["case"]
        try:
            errand_id = message.external_id or await self._find(str(case["key"]))
            if errand_id is None:
                return await self._create(case, caller_number)
            return await self._update(errand_id, message, case, _names(payload["change"]))
        except HttpTrouble as trouble:
            after = SETTLE if trouble.is_maybe_done else None
            return NotNow(reason=str(trouble), after=after, is_peer_away=True)
        except _Unexpected as unexpected:
            return unexpected.delivery

    async def close(self) -> None:
        """Close connections."""
        await self._gateway.close()

    async def changed_since(
        self, moment: str, *, page: int, size: int
    ) -> tuple[list[Errand], bool]:
        """Return errands of ours that were changed since then, oldest first, and whether it is all.

        Args:
            moment: ISO 8601 with its offset.
            page: From 0.
            size: Errands on a page.

        Raises:
            HttpTrouble: They could not be read.
        """
        condition = f"externalTags.key:'{TAG}' and modified>'{moment}'"
        # By id as well: those of one stamp would else come in any order, another on each page.
        order = ["modified,asc", "id,asc"]
        query = {"filter": condition, "sort": order, "page": page, "size": size}
        answer = await self._get(query)
        found = answer.json()
        if not answer.is_success or not isinstance(found, dict):
            raise HttpTrouble(
                f"HTTP {answer.status} to a question for errands", is_maybe_done=False
            )
        content = found.get("content")
        errands = [_errand(one) for one in content] if isinstance(content, list) else []
        return [one for one in errands if one is not None], bool(found.get("last", True))

    async def _find(self, case_key: str) -> str | None:
        """Return the id of a case's errand; None when it has none.

        Raises:
            HttpTrouble: Nobody can say.
            _Unexpected: The answer is none that tells.
        """
        if SAFE_KEY.fullmatch(case_key) is None:
            raise _Unexpected(Refused(reason="the case's key cannot be looked for"))
        condition = f"externalTags.key:'{TAG}' and externalTags.value:'{case_key}'"
        answer = await self._get({"filter": condition, "sort": "created,asc", "size": 10})
        if not answer.is_success:
            raise _Unexpected(delivery_of(answer))
        found = answer.json()
        content = found.get("content") if isinstance(found, dict) else None
        if not isinstance(content, list):
            raise _Unexpected(NotNow(reason="its list of errands is none", is_peer_away=True))
        errands = [one for one in map(_errand, content) if one and one.case_key == case_key]
        if len(errands) > 1:
            log.error("errand_doubled", errands=[one.errand_id for one in errands])
        return errands[0].errand_id if errands else None

    async def _create(self, case: CaseFields, caller_number: str | None) -> Delivery:
        errand = {
            "title": self._title_of(case)[:TITLE_CHARACTERS_MAX],
            "priority": self._config.priority,
            "classification": self._classification(case),
            "status": self._config.status_new,
            "channel": self._config.channel,
            "reporterUserId": self._config.reporter,
            "description": _description(case),
            "externalTags": [{"key": TAG, "value": str(case["key"])}],
        }
        if caller_number is not None:
            channel = {"type": "Phone", "value": caller_number}
            errand["stakeholders"] = [{"role": "CONTACT", "contactChannels": [channel]}]
        answer = await self._gateway.request("POST", self._errands, body=_json(errand))
        place = answer.headers.get("location", "").rstrip("/").rpartition("/")[2]
        errand_id = place if ERRAND_ID.fullmatch(place) else None
        delivery = delivery_of(answer, external_id=errand_id)
        if isinstance(delivery, NotNow):
            # A gateway may say 504 of what is being done behind it.
            after = max(delivery.after or SETTLE, SETTLE)
            return NotNow(
                reason=delivery.reason,
                after=after,
                is_peer_away=delivery.is_peer_away,
                needs_person=delivery.needs_person,
            )
        return delivery

    async def _update(
        self, errand_id: str, message: CaseMessage, case: CaseFields, names: frozenset[str]
    ) -> Delivery:
        changes: dict[str, object] = {}
        if names & {"label", "department"}:
            changes["classification"] = self._classification(case)
            changes["title"] = self._title_of(case)[:TITLE_CHARACTERS_MAX]
        if names & {"note", "deadline", "feedback_text"}:
            changes["description"] = _description(case)
        if message.kind == "closed" and self._config.status_closed is not None:
            changes["status"] = self._config.status_closed
        if not changes:
            return Accepted(external_id=errand_id)
        answer = await self._gateway.request(
            "PATCH", f"{self._errands}/{errand_id}", body=_json(changes)
        )
        return delivery_of(answer, external_id=errand_id)

    async def _get(self, query: Mapping[str, object]) -> HttpAnswer:
        url = f"{self._errands}?{urlencode(query, doseq=True)}"
        return await self._gateway.request("GET", url, bytes_max=FOUND_BYTES_MAX)

    def _classification(self, case: CaseFields) -> Mapping[str, str]:
        known = self._config.classifications
        for name in (case.get("label"), case.get("department")):
            if isinstance(name, str) and name in known:
                return known[name].model_dump()
        return self._config.classification.model_dump()


class _Unexpected(Exception):
    """An answer that ends a delivery before its end."""

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        super().__init__(str(delivery))


def _errand(found: object) -> Errand | None:
    """Return what we need of an errand; None when it is not of the known form."""
    if not isinstance(found, dict):
        return None
    errand_id, status, modified = found.get("id"), found.get("status"), found.get("modified")
    if not isinstance(errand_id, str) or ERRAND_ID.fullmatch(errand_id) is None:
        return None
    if not isinstance(status, str):
        return None
    tags = found.get("externalTags")
    values = [
        tag.get("value")
        for tag in (tags if isinstance(tags, list) else [])
        if isinstance(tag, dict) and tag.get("key") == TAG
    ]
    case_key = values[0] if values and isinstance(values[0], str) else None
    return Errand(
        errand_id=errand_id,
        status=status,
        case_key=case_key,
        modified=modified if isinstance(modified, str) else "",
    )


def _description(case: CaseFields) -> str:
    """Return what the department reads first: the note, then from where it comes."""
    lines = [str(case[key]) for key in ("note", "feedback_text") if case.get(key)]
    if case.get("deadline"):
        lines.append(f"Återuppringning utlovad senast {case['deadline']}.")
    lines.append(f"Kontaktcenter, ärende {case['case_id']}, samtal besvarat {case['answered_at']}.")
    return "\n\n".join(lines)[:DESCRIPTION_CHARACTERS_MAX]


def _names(change: CaseFields) -> frozenset[str]:
    fields = change.get("fields")
    return frozenset(str(name) for name in fields) if isinstance(fields, list) else frozenset()


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8")
