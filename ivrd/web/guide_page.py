"""The guide's page: three files, sent as they are.

Here: routes. Not here: what the page shows (cases.py) and how (../board/guide.html, .css, .js).
"""

from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from ivrd.access import Deed, Person
from ivrd.web.guard import person_with

POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
"""Nothing from elsewhere, nothing written into the page itself, and in nobody's frame."""

router = APIRouter(include_in_schema=False)


def _file(name: str) -> str:
    return files("ivrd.board").joinpath(name).read_text(encoding="utf-8")


PAGE, STYLE, SCRIPT = _file("guide.html"), _file("guide.css"), _file("guide.js")


@router.get("/guide")
async def page(_person: Annotated[Person, person_with(Deed.OWN_CASES)]) -> Response:
    """Return the page."""
    return HTMLResponse(PAGE, headers={"content-security-policy": POLICY})


@router.get("/guide.css")
async def style() -> Response:
    """Return how it looks."""
    return Response(STYLE, media_type="text/css")


@router.get("/guide.js")
async def script() -> Response:
    """Return what it does."""
    return Response(SCRIPT, media_type="text/javascript")
