"""Acts that come another way than HTTP, carried out by the very routes of HTTP.

Here: one message in, one request to our own application, its answer out. Not here: the way itself
(mqtt.py), and what may be done: each route asks that, by the token in the message.

    {"id": "4711", "token": "ivrd_...", "do": "lines/kommunen/close", "body": {...}}

is `POST /api/lines/kommunen/close` with that body and that token, and its answer is

    {"id": "4711", "status": 200, "body": {...}}

The same id with the same token a second time is answered as the first, and done once: a broker may
deliver a message twice. An act that came too often or too early was not done, and may be asked for
again. What cannot be read has no id to answer to; it is counted.
"""

import asyncio
import hashlib
import json
import re
from collections import Counter, OrderedDict
from collections.abc import Mapping, MutableMapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from ivrd.web.guard import BRIDGE

MESSAGE_BYTES_MAX = 16_384

ANSWERS_KEPT = 1_000

_PATH = re.compile(r"[A-Za-z0-9_.~%-]+(/[A-Za-z0-9_.~%-]+){0,5}")

_NOT_DONE = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Command(BaseModel):
    """One message."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Made up by whoever asks.")
    token: str = Field(min_length=1, max_length=200)
    do: str = Field(max_length=400, description="A route of POST, without /api/.")
    body: dict[str, Any] = Field(default_factory=dict)


class Reply(BaseModel):
    """What came of one message."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(description="As it was asked.")
    status: int = Field(description="Of HTTP: 200, 401, 403, 404, 409, 422, ...")
    body: JsonValue = Field(description="What the route answers; null when it answers nothing.")


class Bridge:
    """Takes messages.

    Attributes:
        taken: How many, by the status of the answer; "unread" for what is no message.
    """

    def __init__(self, app: FastAPI) -> None:
        """Ask an application."""
        self.taken: Counter[tuple[str, ...]] = Counter()
        self._app = app
        self._answers: OrderedDict[tuple[str, str], str] = OrderedDict()

    async def take(self, payload: bytes) -> tuple[str, str] | None:
        """Do what a message asks; return its id and the answer. None: it could not be read."""
        try:
            if len(payload) > MESSAGE_BYTES_MAX:
                raise ValueError(f"longer than {MESSAGE_BYTES_MAX} bytes")
            command = Command.model_validate_json(payload)
        except (ValidationError, ValueError) as error:
            self.taken[("unread",)] += 1
            log.warning("command_unread", reason=_reason(error))
            return None
        key = (hashlib.sha256(command.token.encode()).hexdigest(), command.id)
        if (known := self._answers.get(key)) is not None:
            return command.id, known
        status, body = await self._ask(command)
        self.taken[(str(status),)] += 1
        answer = Reply(id=command.id, status=status, body=body).model_dump_json()
        if status in _NOT_DONE:
            return command.id, answer
        self._answers[key] = answer
        if len(self._answers) > ANSWERS_KEPT:
            self._answers.popitem(last=False)
        return command.id, answer

    async def _ask(self, command: Command) -> tuple[int, JsonValue]:
        """Return the status and the document that a route answers with."""
        if not _PATH.fullmatch(command.do) or ".." in command.do:
            told = "do: a route such as lines/kommunen/close; see /openapi.json"
            return int(HTTPStatus.NOT_FOUND), {"detail": told}
        sent = json.dumps(command.body).encode()
        status, chunks = int(HTTPStatus.INTERNAL_SERVER_ERROR), bytearray()

        async def receive() -> Mapping[str, object]:
            return {"type": "http.request", "body": sent, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            elif message["type"] == "http.response.body":
                chunks.extend(message.get("body", b""))

        # Starlette answers 500 to a fault of ours, and raises it all the same for a server to log.
        [fault] = await asyncio.gather(
            self._app(_scope(command, len(sent)), receive, send),  # type: ignore[arg-type]
            return_exceptions=True,
        )
        if fault is not None:
            log.error("command_failed", do=command.do, exc_info=fault)
        try:
            return status, json.loads(chunks) if chunks else None
        except ValueError:
            return status, None


def _scope(command: Command, length: int) -> dict[str, Any]:
    path = f"/api/{command.do}"
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"ivrd"),
            (b"content-type", b"application/json"),
            (b"content-length", str(length).encode()),
            (b"authorization", f"Bearer {command.token}".encode("utf-8", "replace")),
        ],
        "client": (BRIDGE, 0),
        "server": ("ivrd", 0),
    }


def _reason(error: Exception) -> str:
    """Return what is wrong, without what was sent: a token may be in it."""
    if isinstance(error, ValidationError):
        return "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['type']}" for each in error.errors()
        )
    return str(error)
