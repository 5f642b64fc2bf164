"""Errors as JSON problems (RFC 9457), for every route alike.

Here: the shape, the handlers, and what OpenAPI says of them. Not here: which errors there are.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as StarletteHTTPException

from ivrd.errors import PeerError

PROBLEM_TYPE = "application/problem+json"

LOGIN_PATH = "/login"


class Problem(BaseModel):
    """An error as RFC 9457 has it."""

    type: str = Field(description="about:blank: the title says it all.")
    title: str
    status: int
    detail: str = Field(description="What is wrong, and the way out.")
    code: str | None = Field(
        default=None, description="Why an act on a case is refused: stable, for programs."
    )


class ProblemResponse(JSONResponse):
    """An error as RFC 9457 has it."""

    media_type = PROBLEM_TYPE


def told(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of the errors that a route may answer with."""
    return {int(status): {"description": status.phrase, "model": Problem} for status in statuses}


def add_problems(app: FastAPI) -> None:
    """Let an application answer every error as a problem."""
    app.add_exception_handler(StarletteHTTPException, _http_problem)
    app.add_exception_handler(RequestValidationError, _validation_problem)
    app.add_exception_handler(PeerError, _peer_problem)
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            as_problems(describe())
        return describe()

    # FastAPI's own way to change its document.
    app.openapi = openapi  # type: ignore[method-assign]


def as_problems(document: dict[str, Any]) -> None:
    """Let an OpenAPI document say that each error is a problem, also those of FastAPI itself."""
    schema = {"$ref": "#/components/schemas/Problem"}
    for path in document["paths"].values():
        for route in path.values():
            for status, answer in route["responses"].items():
                told_as = answer.get("content", {}).get("application/json", {}).get("schema", {})
                if told_as.get("$ref", "").endswith(("/Problem", "/HTTPValidationError")):
                    answer["description"] = HTTPStatus(int(status)).phrase
                    answer["content"] = {PROBLEM_TYPE: {"schema": schema}}


def problem(
    status: int, detail: str, headers: Mapping[str, str] | None = None, **more: object
) -> Response:
    """Return an error.

    Args:
        status: Of HTTP.
        detail: What is wrong, and the way out.
        headers: More headers.
        more: Further members of the document.
    """
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": int(status), "detail": detail, **more}
    return ProblemResponse(body, status_code=status, headers=headers)


async def _http_problem(request: Request, error: Exception) -> Response:
    if not isinstance(error, StarletteHTTPException):
        raise error
    if error.status_code == HTTPStatus.UNAUTHORIZED and _is_page(request):
        url = request.url
        here = f"{url.path}?{url.query}" if url.query else url.path
        return RedirectResponse(f"{LOGIN_PATH}?next={quote(here)}", HTTPStatus.SEE_OTHER)
    return problem(error.status_code, str(error.detail), error.headers)


async def _peer_problem(_request: Request, error: Exception) -> Response:
    """Say that somebody else does not answer: the database, a PBX."""
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), {"Retry-After": "10"})


def _is_page(request: Request) -> bool:
    """Return whether a person with a browser asks, who can be sent to sign in."""
    return request.method == "GET" and "text/html" in request.headers.get("accept", "")


async def _validation_problem(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    faults = "; ".join(
        f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
        for fault in error.errors()
    )
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, faults)
