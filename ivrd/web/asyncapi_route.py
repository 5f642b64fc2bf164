"""The description of what goes over MQTT, beside that of HTTP.

Here: the route. Not here: the document (asyncapi.py). Open as /openapi.json is: it tells nothing of
calls or people.
"""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter


def asyncapi_router(document: Callable[[], dict[str, Any]]) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["documents"])

    @router.get("/asyncapi.json")
    async def asyncapi() -> dict[str, Any]:
        """Return the AsyncAPI document of topics, messages and commands."""
        return document()

    return router
