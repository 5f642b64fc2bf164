"""A plain AMI user with all rights, for what scenarios do to the PBX behind ivrd's back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from tests.lab.pbx import Pbx
from tests.lab.ports import LOOPBACK

ANSWER_S_MAX = 30.0


class LabAmi:
    """One connection without events: one action, one answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Wrap a connection; use `connect`."""
        self._reader = reader
        self._writer = writer

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, pbx: Pbx) -> "AsyncIterator[LabAmi]":
        """Log in as the lab's user until the body ends."""
        reader, writer = await asyncio.open_connection(LOOPBACK, pbx.ami_port)
        try:
            await asyncio.wait_for(reader.readline(), ANSWER_S_MAX)
            ami = cls(reader, writer)
            secret = pbx.lab_secret
            assert (await ami.ask("Login", Username=pbx.lab_user, Secret=secret, Events="off"))[
                "Response"
            ] == "Success"
            yield ami
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def ask(self, action: str, **headers: str) -> dict[str, str]:
        """Return the headers of the answer."""
        lines = [f"Action: {action}", *(f"{key}: {text}" for key, text in headers.items())]
        self._writer.write("\r\n".join([*lines, "", ""]).encode())
        while True:
            raw = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), ANSWER_S_MAX)
            answer = dict(line.split(": ", 1) for line in raw.decode().splitlines() if ": " in line)
            if "Response" in answer:
                return answer
