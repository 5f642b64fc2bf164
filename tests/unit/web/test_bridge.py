"""A message is carried out once, however often it comes, unless it was not carried out at all."""

import json

import pytest
from fastapi import FastAPI, HTTPException

from ivrd.web.bridge import Bridge

TOKEN = "made-up"


def a_command() -> bytes:
    return json.dumps({"id": "7", "token": TOKEN, "do": "lines/kommunen/close"}).encode()


class Desk:
    """Answers each act with the next status."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.app = FastAPI()
        self.app.post("/api/lines/{line}/close")(self.close)

    async def close(self, line: str) -> dict[str, str]:
        status = self.statuses.pop(0)
        if status != 200:
            raise HTTPException(status, detail="not now")
        return {"text": line}


async def answers(bridge: Bridge, count: int) -> list[int]:
    told = [await bridge.take(a_command()) for _ in range(count)]
    return [json.loads(answer)["status"] for _, answer in filter(None, told)]


@pytest.mark.parametrize("status", [429, 503])
async def test_what_was_not_done_may_be_asked_again(status: int) -> None:
    bridge = Bridge(Desk(status, 200).app)
    assert await answers(bridge, 3) == [status, 200, 200]


@pytest.mark.parametrize("status", [200, 403, 409, 422, 500])
async def test_any_other_answer_is_given_again(status: int) -> None:
    bridge = Bridge(Desk(status).app)
    assert await answers(bridge, 2) == [status, status]
