"""A small OpenID Connect provider over real HTTP on loopback, which can be told to misbehave.

It signs with a key of its own, checks redirect address, client and PKCE as a real one does, and
signs in whoever comes, with the claims that the test has set.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse, StreamingResponse
from joserfc import jwt
from joserfc.jwk import RSAKey

from ivrd.config import WebConfig
from ivrd.web.server import serve

CLIENT, SECRET = "ivrd", "s3cret/+ %"


class Provider:
    """What the provider knows, and how it misbehaves."""

    def __init__(self) -> None:
        self.issuer = ""
        self.key = RSAKey.generate_key(2048, {"kid": "one"})
        self.published = self.key
        self.claims: dict[str, Any] = {"preferred_username": "bo", "roles": ["kc-ledare"]}
        self.overrides: dict[str, Any] = {}
        self.algorithm = "RS256"
        self.codes: dict[str, dict[str, str]] = {}
        self.blanks = b""
        """What its discovery document comes behind, part by part; JSON may begin so."""
        self.parts = 0
        self.part_s = 0.0
        self.parts_sent = 0
        self.app = self._build()

    async def _discovery(self) -> AsyncIterator[bytes]:
        self.parts_sent = 0
        while self.parts_sent < self.parts:
            yield self.blanks
            self.parts_sent += 1
            await asyncio.sleep(self.part_s)
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }
        yield json.dumps(document).encode()

    def _build(self) -> FastAPI:
        app = FastAPI()

        @app.get("/.well-known/openid-configuration")
        async def discovery() -> StreamingResponse:
            return StreamingResponse(self._discovery(), media_type="application/json")

        @app.get("/keys")
        async def keys() -> dict[str, Any]:
            return {"keys": [self.published.as_dict(private=False)]}

        @app.get("/authorize")
        async def authorize(request: Request) -> Response:
            asked = dict(request.query_params)
            assert asked["response_type"] == "code"
            assert asked["client_id"] == CLIENT
            assert asked["code_challenge_method"] == "S256"
            assert "openid" in asked["scope"].split()
            code = secrets.token_urlsafe(8)
            self.codes[code] = asked
            query = urlencode({"code": code, "state": asked["state"]})
            return RedirectResponse(f"{asked['redirect_uri']}?{query}", 303)

        @app.post("/token")
        async def token(request: Request) -> Response:
            form = {
                name: values[0]
                for name, values in parse_qs((await request.body()).decode()).items()
            }
            asked = self.codes.pop(form["code"], None)
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            basic = base64.b64encode(b"ivrd:s3cret%2F%2B%20%25").decode()
            is_right = (
                asked is not None
                and asked["code_challenge"] == challenge
                and asked["redirect_uri"] == form["redirect_uri"]
                and request.headers["authorization"] == f"Basic {basic}"
            )
            if asked is None or not is_right:
                return JSONResponse({"error": "invalid_grant"}, 400)
            now = int(time.time())
            claims = {
                "iss": self.issuer,
                "sub": "4711",
                "aud": CLIENT,
                "exp": now + 300,
                "iat": now,
                "nonce": asked["nonce"],
                **self.claims,
                **self.overrides,
            }
            header = {"alg": self.algorithm, "kid": self.key.kid}
            signed = jwt.encode(header, claims, self.key, algorithms=[self.algorithm])
            return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": signed})

        return app


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[Provider]:
    """Serve one until the body ends."""
    provider = Provider()
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        serve(
            provider.app,
            WebConfig(port=0),
            on_listening=lambda _host, port: listening.set_result(port),
        )
    )
    try:
        async with asyncio.timeout(60):
            provider.issuer = f"http://127.0.0.1:{await listening}"
        yield provider
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
