"""Signing in on the page by token, and out again.

Here: the page, its form and the cookie. Not here: OpenID Connect (oidc.py), whose link stands on
the page when it is configured.
"""

from html import escape
from http import HTTPStatus
from urllib.parse import parse_qs, quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from ivrd.access.sessions import Session, TokenSession
from ivrd.access.tokens import TOKEN_CHARACTERS_MAX, fingerprint
from ivrd.web.guard import COOKIE, HOUR_S, Guard, guard_of
from ivrd.web.problems import LOGIN_PATH, told

HOME = "/"

FORM_TYPE = "application/x-www-form-urlencoded"

PAGE = """<!doctype html>
<html lang="sv">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Logga in · ivrd</title>
<link rel="stylesheet" href="/login.css">
</head>
<body>
<main>
<h1>Logga in <span lang="en">Sign in</span></h1>
{fault}
<form method="post" action="/login">
<input type="hidden" name="next" value="{next}">
<label for="token">Nyckel <span lang="en">Token</span></label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Logga in <span lang="en">Sign in</span></button>
</form>
{oidc}
</main>
</body>
</html>
"""

ALERT = """<p role="alert">{sv} <span lang="en">{en}</span></p>
"""

WRONG = ("Nyckeln stämmer inte.", "This token is not known.")
NOT_CONFIGURED = ("Kommunens inloggning används inte här.", "There is no such sign-in here.")
TOO_LATE = ("Inloggningen tog för lång tid. Försök igen.", "That took too long. Try again.")
REFUSED = ("Inloggningen avbröts.", "The sign-in was refused.")
NO_ROLE = ("Kontot har ingen roll här.", "This account has no role here.")
AWAY = (
    "Kommunens inloggning svarar inte som den ska. Försök igen om en stund.",
    "The municipality's sign-in does not answer as it should. Try again in a while.",
)
"""What a page says, in Swedish and English."""

OIDC = """<p><a href="/login/oidc?next={next}">Logga in med kommunens konto
<span lang="en">Sign in with the municipality's account</span></a></p>
"""

STYLE = """:root { color-scheme: light dark; font: 1.125rem/1.5 system-ui, sans-serif; }
body { margin: 0; display: grid; place-items: center; min-height: 100vh; }
main { width: min(24rem, 90vw); }
h1 { font-size: 1.6rem; }
span[lang] { display: block; font-size: 0.8em; font-weight: normal; }
input, button { font: inherit; width: 100%; box-sizing: border-box; padding: 0.6rem; }
button { margin-top: 1rem; }
[role="alert"] { border-left: 0.4rem solid #c00; padding-left: 0.8rem; }
"""

router = APIRouter(tags=["sign-in"])


@router.get(LOGIN_PATH, response_class=HTMLResponse, include_in_schema=False)
async def login_page(request: Request, next: str = HOME) -> Response:
    """Return the page to sign in on."""
    return sign_in_page(guard_of(request), own_path(next), None, HTTPStatus.OK)


@router.get("/login.css", include_in_schema=False)
async def login_style() -> Response:
    """Return how that page looks."""
    return Response(STYLE, media_type="text/css")


@router.post(
    LOGIN_PATH,
    status_code=HTTPStatus.SEE_OTHER,
    responses={
        HTTPStatus.SEE_OTHER: {"description": "Signed in: the cookie is set."},
        HTTPStatus.UNAUTHORIZED: {"description": "The page again.", "content": {"text/html": {}}},
        **told(HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                FORM_TYPE: {
                    "schema": {
                        "type": "object",
                        "required": ["token"],
                        "properties": {"token": {"type": "string"}, "next": {"type": "string"}},
                    }
                }
            },
        }
    },
)
async def login(request: Request) -> Response:
    """Sign in with a token: sets the cookie that pages use."""
    guard = guard_of(request)
    guard.check_site(request)
    guard.count_request(request)
    form = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=10)
    token = form.get("token", [""])[0].strip()[: TOKEN_CHARACTERS_MAX + 1]
    where = own_path(form.get("next", [HOME])[0])
    if guard.book.by_token(token) is None:
        guard.count_wrong(request)
        return sign_in_page(guard, where, WRONG, HTTPStatus.UNAUTHORIZED)
    return signed_in(guard, TokenSession(sha256=fingerprint(token)), where)


@router.post(
    "/logout",
    status_code=HTTPStatus.SEE_OTHER,
    responses={
        HTTPStatus.SEE_OTHER: {"description": "Signed out."},
        **told(HTTPStatus.FORBIDDEN),
    },
)
async def logout(request: Request) -> Response:
    """Sign out: takes the cookie away."""
    guard_of(request).check_site(request)
    answer = RedirectResponse(LOGIN_PATH, HTTPStatus.SEE_OTHER)
    answer.delete_cookie(COOKIE, path="/")
    return answer


def signed_in(guard: Guard, session: Session, where: str) -> Response:
    """Return the answer that sets the cookie and sends the browser on."""
    answer = RedirectResponse(where, HTTPStatus.SEE_OTHER)
    config = guard.book.config
    answer.set_cookie(
        COOKIE,
        guard.sessions.cookie(session),
        max_age=config.session_hours * HOUR_S,
        path="/",
        secure=is_secure(guard),
        httponly=True,
        # Not "strict": after the provider's page has sent the browser back, it would be left out.
        samesite="lax",
    )
    return answer


def is_secure(guard: Guard) -> bool:
    """Return whether browsers reach us by https, so that cookies may travel no other way."""
    return (guard.book.config.public_url or "").startswith("https://")


def own_path(text: str) -> str:
    """Return a path of our own, whatever a link has said.

    Example:
        >>> own_path("/board?wall=1"), own_path("//elsewhere.example"), own_path("https://x.example")
        ('/board?wall=1', '/', '/')
    """
    is_ours = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if is_ours and len(text) <= 500 else HOME


def sign_in_page(
    guard: Guard, where: str, fault: tuple[str, str] | None, status: HTTPStatus
) -> Response:
    """Return the page to sign in on, with what went wrong."""
    alert = "" if fault is None else ALERT.format(sv=fault[0], en=fault[1])
    oidc = "" if guard.book.config.oidc is None else OIDC.format(next=quote(where, safe="/"))
    return HTMLResponse(PAGE.format(next=escape(where), fault=alert, oidc=oidc), status)
