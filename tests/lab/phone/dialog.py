"""The names and numbers that tie the messages of one call together.

Source: RFC 3261 section 12. There is no route set: the PBX is the only hop.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from tests.lab.phone.message import (
    Headers,
    Message,
    Request,
    Response,
    address_uri,
    cseq,
    parameter,
    quoted,
    response_to,
)
from tests.lab.phone.transport import Address

ALLOWED = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, NOTIFY"
"""UPDATE and PRACK are left out on purpose: a re-INVITE does the same with fewer cases."""
MAX_FORWARDS = "70"


def new_tag() -> str:
    """Return a tag that no other dialog has."""
    return secrets.token_hex(8)


@dataclass(slots=True, kw_only=True)
class Dialog:
    """One side's view of a dialog."""

    call_id: str
    local: str
    """Our address without its tag, as From or To shows it."""
    remote: str
    """Their address without its tag."""
    local_tag: str
    remote_tag: str | None
    target: str
    """The URI that requests inside the dialog go to: their Contact."""
    peer: Address
    contact: str
    cseq: int = 0

    @classmethod
    def to_number(
        cls, number: str, *, proxy: Address, own: Address, caller: str, caller_name: str
    ) -> Dialog:
        """Start a dialog of our own, not yet known to the other side."""
        host, port = proxy
        own_host, own_port = own
        name = f"{quoted(caller_name)} " if caller_name else ""
        return cls(
            call_id=f"{secrets.token_hex(12)}@{own_host}",
            local=f"{name}<sip:{caller}@{own_host}:{own_port}>",
            remote=f"<sip:{number}@{host}:{port}>",
            local_tag=new_tag(),
            remote_tag=None,
            target=f"sip:{number}@{host}:{port}",
            peer=proxy,
            contact=f"<sip:{caller}@{own_host}:{own_port}>",
        )

    @classmethod
    def from_invite(cls, invite: Request, *, peer: Address, own: Address, name: str) -> Dialog:
        """Join the dialog that an INVITE of theirs opens."""
        headers = invite.headers
        sender = headers.require("From")
        return cls(
            call_id=headers.require("Call-ID"),
            local=headers.require("To"),
            remote=sender.rpartition(";tag=")[0] or sender,
            local_tag=new_tag(),
            remote_tag=parameter(sender, "tag"),
            target=address_uri(headers.get("Contact") or sender),
            peer=peer,
            contact=f"<sip:{name}@{own[0]}:{own[1]}>",
        )

    def learn(self, message: Message) -> None:
        """Take tag and target from an answer, or a moved target from a re-INVITE."""
        if isinstance(message, Response):
            self.remote_tag = parameter(message.headers.require("To"), "tag") or self.remote_tag
        contact = message.headers.get("Contact")
        if contact is not None:
            self.target = address_uri(contact)

    def request(
        self,
        method: str,
        *,
        own: Address,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        number: int | None = None,
    ) -> Request:
        """Build the next request inside the dialog; an ACK names the number of its INVITE."""
        if number is None:
            self.cseq += 1
            number = self.cseq
        to = self.remote if self.remote_tag is None else f"{self.remote};tag={self.remote_tag}"
        branch = f"z9hG4bK{secrets.token_hex(10)}"
        fields = {
            "Via": f"SIP/2.0/UDP {own[0]}:{own[1]};rport;branch={branch}",
            "Max-Forwards": MAX_FORWARDS,
            "From": f"{self.local};tag={self.local_tag}",
            "To": to,
            "Call-ID": self.call_id,
            "CSeq": f"{number} {method}",
            "Contact": self.contact,
            "Allow": ALLOWED,
            "User-Agent": "ivrd lab phone",
        }
        return Request(
            method=method, uri=self.target, headers=Headers.of(fields, headers or {}), body=body
        )

    def answer(
        self,
        request: Request,
        status: int,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Response:
        """Build the response to a request of theirs inside the dialog."""
        extra = {"Contact": self.contact, "Allow": ALLOWED, **(headers or {})}
        return response_to(request, status, to_tag=self.local_tag, headers=extra, body=body)

    def replaces(self) -> str:
        """Return what Replaces says of this dialog to the other side, RFC 3891 section 3.

        Its `to-tag` is the tag of whoever receives the header, hence the other side's.
        """
        if self.remote_tag is None:
            raise ValueError("the other side has not answered yet, so the dialog has no name")
        return f"{self.call_id};to-tag={self.remote_tag};from-tag={self.local_tag}"


def cancel_of(invite: Request) -> Request:
    """Build the CANCEL of an INVITE: same branch, same number (RFC 3261 section 9.1)."""
    number, _ = cseq(invite.headers)
    copied = {name: invite.headers.require(name) for name in ("Via", "From", "To", "Call-ID")}
    fields = Headers.of(copied, {"Max-Forwards": MAX_FORWARDS, "CSeq": f"{number} CANCEL"})
    return Request(method="CANCEL", uri=invite.uri, headers=fields)
