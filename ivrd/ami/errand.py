"""One short connection to Asterisk: log in, ask some things, and go.

For the command line, which asks beside the running daemon, with the same AMI user. Here: the
connection. Not here: what is asked.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

from ivrd.ami import actions
from ivrd.ami.protocol import AmiCounters, AmiProtocol
from ivrd.ami.replies import Reply
from ivrd.ami.requests import Request
from ivrd.ami.surroundings import Deadlines, PbxSettings
from ivrd.errors import CredentialsRefused, PeerTimedOut, PeerUnreachable


@contextlib.asynccontextmanager
async def errand(
    settings: PbxSettings, *, deadlines: Deadlines | None = None
) -> AsyncIterator[Request]:
    """Lend the way to ask, until the body ends.

    Raises:
        PeerError: There is no connection, or Asterisk does not let us in.
    """
    deadlines = deadlines or Deadlines()
    protocol = await _connected(settings, deadlines)
    numbers = itertools.count(1)

    async def request(action: actions.AmiAction, *, within_s: float) -> Reply:
        action_id = f"errand-{next(numbers)}"
        headers = {header.name: header.value for header in action.headers}
        sent = {"Action": action.name, "ActionID": action_id, **headers}
        try:
            async with asyncio.timeout(within_s):
                return await protocol.send(sent, as_list=action.is_list)
        except TimeoutError as error:
            raise PeerTimedOut(f"{action.name}: no answer within {within_s:g} s") from error
        finally:
            protocol.forget(action_id)

    try:
        await _log_in(settings, protocol, request, deadlines)
        yield request
        with contextlib.suppress(PeerTimedOut, PeerUnreachable):
            await request(actions.LOGOFF, within_s=deadlines.action_s)
    finally:
        protocol.abort()


async def _connected(settings: PbxSettings, deadlines: Deadlines) -> AmiProtocol:
    place = f"{settings.host}:{settings.port}"
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(deadlines.connect_s):
            _, protocol = await loop.create_connection(
                lambda: AmiProtocol(counters=AmiCounters()), settings.host, settings.port
            )
    except TimeoutError as error:
        told = f"no connection to {place} within {deadlines.connect_s:g} s"
        raise PeerTimedOut(told) from error
    except OSError as error:
        raise PeerUnreachable(f"no connection to {place}: {error.strerror}") from error
    return protocol


async def _log_in(
    settings: PbxSettings, protocol: AmiProtocol, request: Request, deadlines: Deadlines
) -> None:
    try:
        async with asyncio.timeout(deadlines.banner_s):
            await asyncio.shield(protocol.banner)
    except TimeoutError as error:
        raise PeerTimedOut(f"AMI's greeting: not within {deadlines.banner_s:g} s") from error
    secret = settings.secret.get_secret_value()
    answer = await request(
        actions.login(settings.username, secret, events="off"), within_s=deadlines.login_s
    )
    if not answer.is_success:
        raise CredentialsRefused(
            f"AMI user {settings.username!r} of {settings.name} was refused: {answer.message}; "
            "check secret, permit and deny in manager.conf against the secret file"
        )
