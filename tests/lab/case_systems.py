"""Case systems of other makers, as far as ivrd hands cases over to them.

Here: what each of them keeps and answers. Not here: the wire (http_server.py). Signatures are
checked by code of our own, written from the standard and not from ivrd's.
"""

import base64
import hashlib
import hmac
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from tests.lab.http_server import Reply, Request

Json = dict[str, Any]

Mood = Callable[[int], Reply | None]
"""Returns how the n-th request (from 1) is answered; None: as it should be."""


def content(_: int) -> Reply | None:
    """Answer each request as it should be."""
    return None


@dataclass
class Receiver:
    """Takes signed CloudEvents, and knows a repeat by its key."""

    secrets: list[str]
    mood: Mood = content
    carries_out: Callable[[Reply], bool] = lambda reply: reply.status < 300
    """Whether a request that is answered by mood is carried out all the same."""
    kept: list[Json] = field(default_factory=list)
    """Each event once, as it first came."""
    arrivals: Counter[str] = field(default_factory=Counter)
    """How often each key came and was carried out."""
    refused: list[str] = field(default_factory=list)
    count: int = 0

    async def __call__(self, request: Request) -> Reply:
        """Answer one request."""
        self.count += 1
        fault = self._fault(request)
        if fault is not None:
            self.refused.append(fault)
            return Reply(status=401, body={"title": fault})
        reply = self.mood(self.count) or Reply()
        if reply.status == 200 and reply.body is None:
            reply = replace(reply, body={"external_id": self._id_of(request)})
        if self.carries_out(reply):
            self._keep(json.loads(request.body))
        return reply

    @property
    def keys(self) -> list[str]:
        """Each event's key, in the order of the first arrivals."""
        return [event["id"] for event in self.kept]

    def order(self, case_key: str) -> list[str]:
        """Return the sequence of one case's events as they came."""
        return [event["sequence"] for event in self.kept if event["subject"] == case_key]

    def _keep(self, event: Json) -> None:
        self.arrivals[event["id"]] += 1
        if self.arrivals[event["id"]] == 1:
            self.kept.append(event)

    def _id_of(self, request: Request) -> str:
        return f"K-{json.loads(request.body)['data']['case']['case_id']}"

    def _fault(self, request: Request) -> str | None:
        headers = request.headers
        if headers["webhook-id"] != headers["idempotency-key"]:
            return "two different keys"
        if not headers["content-type"].startswith("application/cloudevents+json"):
            return "no CloudEvent"
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
        wanted = {
            "v1," + base64.b64encode(_mac(secret, signed)).decode() for secret in self.secrets
        }
        return None if wanted & set(headers["webhook-signature"].split()) else "wrong signature"


def _mac(secret: str, signed: bytes) -> bytes:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return hmac.new(key, signed, hashlib.sha256).digest()


ERRAND_FIELDS = {
    "title": str,
    "priority": str,
    "stakeholders": list,
    "externalTags": list,
    "classification": dict,
    "status": str,
    "description": str,
    "channel": str,
    "reporterUserId": str,
}
"""Of its OpenAPI document, those that ivrd writes."""

NEEDED = ("title", "priority", "status", "reporterUserId", "classification")


@dataclass
class SupportManagementLab:
    """One namespace of Sundsvall's SupportManagement behind a gateway with tokens.

    Answers as version 15.0 does, as far as ivrd asks: Location, pages of errands, problems.
    """

    place: str = "/2281/CONTACTCENTER/errands"
    statuses: tuple[str, ...] = ("NEW", "ONGOING", "SOLVED")
    client: tuple[str, str] = ("ivrd", "hush")
    needs_token: bool = True
    mood: Mood = content
    errands: dict[str, Json] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    """Each that was given out; the last is the one that is good."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    posts: int = 0
    patches: int = 0
    count: int = 0

    async def __call__(self, request: Request) -> Reply:
        """Answer one request."""
        if request.path == "/token":
            return self._token(request)
        if self.needs_token and not self._is_authorised(request):
            return Reply(status=401, body={"title": "Unauthorized"})
        self.count += 1
        reply = self.mood(self.count)
        if reply is not None and reply.status >= 300:
            return reply
        real = self._real(request)
        return real if reply is None else Reply(**{**vars(real), "manner": reply.manner})

    def errand_of(self, case_key: str) -> Json:
        """Return the one errand of a case."""
        [errand] = [
            one
            for one in self.errands.values()
            if {"key": "ivrd-case", "value": case_key} in one["externalTags"]
        ]
        return errand

    def keep(self, errand: Json) -> str:
        """Keep a new errand, and return its id."""
        errand_id, at = str(uuid4()), self.now().isoformat()
        self.errands[errand_id] = errand | {"id": errand_id, "created": at, "modified": at}
        return errand_id

    def touch(self, errand_id: str, **fields: str) -> None:
        """Do what an official does."""
        self.errands[errand_id] |= {**fields, "modified": self.now().isoformat()}

    def _is_authorised(self, request: Request) -> bool:
        given = request.headers.get("authorization")
        return bool(self.tokens) and given == f"Bearer {self.tokens[-1]}"

    def _token(self, request: Request) -> Reply:
        wanted = base64.b64encode(":".join(self.client).encode()).decode()
        is_right = request.headers.get("authorization") == f"Basic {wanted}"
        if not is_right or b"grant_type=client_credentials" not in request.body:
            return Reply(status=401, body={"error": "invalid_client"})
        self.tokens.append(uuid4().hex)
        body = {"access_token": self.tokens[-1], "token_type": "bearer", "expires_in": 3600}
        return Reply(body=body)

    def _real(self, request: Request) -> Reply:
        errand_id = request.path.removeprefix(self.place).strip("/")
        match request.method:
            case "GET":
                return self._page(request)
            case "POST":
                return self._create(json.loads(request.body))
            case "PATCH" if errand_id in self.errands:
                return self._update(errand_id, json.loads(request.body))
        return Reply(status=404, body={"title": "Not Found", "detail": "no such errand"})

    def _create(self, errand: Json) -> Reply:
        self.posts += 1
        fault = self._fault(errand, needed=NEEDED)
        if fault is not None:
            return fault
        return Reply(status=201, headers={"location": f"{self.place}/{self.keep(errand)}"})

    def _update(self, errand_id: str, changes: Json) -> Reply:
        self.patches += 1
        fault = self._fault(changes, needed=())
        if fault is not None:
            return fault
        self.touch(errand_id, **changes)
        return Reply(body=self.errands[errand_id])

    def _page(self, request: Request) -> Reply:
        wanted = request.query.get("filter", "")
        key, value = (_quoted(wanted, f"externalTags.{name}:") for name in ("key", "value"))
        after = _quoted(wanted, "modified>")
        since = None if after is None else datetime.fromisoformat(after)
        found = [
            errand
            for errand in self.errands.values()
            if any(
                tag["key"] == key and value in (None, tag["value"])
                for tag in errand["externalTags"]
            )
            and (since is None or datetime.fromisoformat(errand["modified"]) > since)
        ]
        sort, _, _ = request.query["sort"].partition(",")
        found.sort(key=lambda errand: str(errand[sort]))
        size, page = int(request.query.get("size", "20")), int(request.query.get("page", "0"))
        here = found[page * size : (page + 1) * size]
        return Reply(body={"content": here, "last": (page + 1) * size >= len(found)})

    def _fault(self, errand: Json, *, needed: tuple[str, ...]) -> Reply | None:
        violations = [
            {"field": name, "message": "must not be blank"}
            for name in needed
            if not errand.get(name)
        ]
        violations += [
            {"field": name, "message": "is unknown or of another type"}
            for name, given in errand.items()
            if name not in ERRAND_FIELDS or not isinstance(given, ERRAND_FIELDS[name])
        ]
        if errand.get("status", "NEW") not in self.statuses:
            violations.append({"field": "status", "message": "is not a known status"})
        if not violations:
            return None
        body = {"title": "Constraint Violation", "status": 400, "violations": violations}
        return Reply(status=400, body=body)


def _quoted(text: str, before: str) -> str | None:
    found = re.search(re.escape(before) + r"'([^']*)'", text)
    return None if found is None else found[1]
