"""Our pages: a few files each, sent as they are.

Here: routes. Not here: what the pages show (cases.py, stream.py) and how (../board/).
"""

from collections.abc import Mapping
from http import HTTPStatus
from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from ivrd.access import Deed, Person
from ivrd.web.guard import person_with

POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
"""Nothing from elsewhere, nothing written into the page itself, and in nobody's frame."""

PAGES: Mapping[str, Deed] = {"board": Deed.SEE_FLOOR, "guide": Deed.OWN_CASES}
"""Each page, and what somebody must be allowed to see it."""

MODULES: Mapping[str, tuple[str, ...]] = {
    "board": (
        "board",
        *(f"board_{name}" for name in ("words", "floor", "rows", "acts", "dialog", "curve")),
    ),
    "guide": ("guide", "guide_words"),
}
"""Each page's scripts: the first is named by the page, and takes in the others."""


def page_routes() -> APIRouter:
    """Return the routes of every page, and of the front door, which leads to the board."""
    router = APIRouter(include_in_schema=False)
    for name, deed in PAGES.items():
        _add(router, name, deed)

    @router.get("/")
    async def front() -> Response:
        return RedirectResponse("/board", HTTPStatus.SEE_OTHER)

    return router


def _add(router: APIRouter, name: str, deed: Deed) -> None:
    html, css = (_file(f"{name}.{kind}") for kind in ("html", "css"))

    @router.get(f"/{name}")
    async def page(_person: Annotated[Person, person_with(deed)]) -> Response:
        return HTMLResponse(html, headers={"content-security-policy": POLICY})

    @router.get(f"/{name}.css")
    async def style() -> Response:
        return Response(css, media_type="text/css")

    for module in MODULES[name]:
        _add_script(router, module)


def _add_script(router: APIRouter, module: str) -> None:
    text = _file(f"{module}.js")

    @router.get(f"/{module}.js")
    async def script() -> Response:
        return Response(text, media_type="text/javascript")


def _file(name: str) -> str:
    return files("ivrd.board").joinpath(name).read_text(encoding="utf-8")
