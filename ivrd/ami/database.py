"""Asterisk's own database over one connection: get, put and delete one value.

Here: the three actions and what their answers mean. Not here: what is kept there
(core/switch_entries.py) and when (ivrd/switches.py).

Source:
    main/db.c, 16 to 22: DBGet needs write class system or reporting, DBPut and DBDel need system;
    DBGet answers with a list of one event, and with an error when there is no entry. Setting the
    function DB() by Setvar, which our other rights would cover, is refused: it counts as dangerous
    (func_db.c registers it as escalating; seen on 22.10.1).
"""

from collections.abc import Awaitable, Callable

from ivrd.ami import actions
from ivrd.ami.replies import Reply, value
from ivrd.ami.requests import Request
from ivrd.errors import PeerRefused, RightMissing

NO_ENTRY = "Database entry not found"

NO_RIGHT = "Permission denied"


class AsteriskDatabase:
    """The database of the PBX at the other end of one connection; useless when that is gone."""

    def __init__(self, request: Request, *, user: str, within_s: float) -> None:
        """Take the connection.

        Args:
            request: Sends an action.
            user: Our AMI user and its PBX, to be told when a right is missing.
            within_s: Deadline of each action.
        """
        self._request = request
        self._user = user
        self._within_s = within_s

    async def get(self, family: str, key: str) -> str:
        """Return a value; "" when there is no entry.

        Raises:
            PeerRefused: Asterisk does not tell.
        """
        answer = await self._ask(actions.get_entry(family, key))
        if answer is None or not answer.items:
            return ""
        return value(answer.items[0], b"\r\nVal")

    async def put(self, family: str, key: str, text: str) -> None:
        """Write a value.

        Raises:
            PeerRefused: Asterisk does not take it.
        """
        await self._ask(actions.put_entry(family, key, text))

    async def delete(self, family: str, key: str) -> None:
        """Take an entry away; harmless when there is none.

        Raises:
            PeerRefused: Asterisk does not do it.
        """
        try:
            await self._ask(actions.delete_entry(family, key))
        except RightMissing:
            raise
        except PeerRefused:
            # 22.10.1 says "could not be deleted" also when there is none: so look whether it is.
            if await self.get(family, key):
                raise

    async def _ask(self, action: actions.AmiAction) -> Reply | None:
        """Return the answer; None when there is no entry."""
        answer = await self._request(action, within_s=self._within_s)
        if answer.is_success:
            return answer
        if NO_ENTRY.lower() in answer.message.lower():
            return None
        if NO_RIGHT.lower() in answer.message.lower():
            raise RightMissing(
                [f"{self._user} needs write=system in manager.conf, for {action.name}"]
            )
        raise PeerRefused(f"{action.name} was refused: {answer.message}")


KeepDatabase = Callable[[AsteriskDatabase], Awaitable[None]]
"""Works on the database for as long as the connection lasts; a `PeerError` ends the connection."""
