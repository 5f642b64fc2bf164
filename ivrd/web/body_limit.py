"""A bound on what a client may send.

Here: a layer below the routes that counts bytes. Not here: the bound on headers (server.py).
"""

import contextlib
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ivrd.web.problems import problem

BODY_BYTES_MAX = 64 * 1024
"""Any act is some hundred bytes; a note on a case some thousand."""


class _TooLong(Exception):
    """More came than may."""


class BodyLimit:
    """Answers 413 when a body is too long, said beforehand or found out."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, counting what comes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        taken = 0
        is_answered = is_too_long = False

        async def count() -> Message:
            nonlocal taken, is_too_long
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > BODY_BYTES_MAX:
                is_too_long = True
                raise _TooLong
            return message

        async def note(message: Message) -> None:
            nonlocal is_answered
            # FastAPI answers 400 to whatever ends its reading of a form: ours says what is wrong.
            if is_answered or not is_too_long:
                is_answered = True
                await send(message)

        said = dict(scope["headers"]).get(b"content-length", b"0")
        if said.isdigit() and int(said[:18]) > BODY_BYTES_MAX:
            is_too_long = True
        else:
            with contextlib.suppress(_TooLong):
                await self._app(scope, count, note)
        if is_too_long and not is_answered:
            told = f"the body is longer than {BODY_BYTES_MAX} bytes"
            answer = problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, told)
            await answer(scope, receive, send)
