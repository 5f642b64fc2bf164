"""A small real SIP phone for scenarios: `from tests.lab.phone import Phone, Ring, Talk`."""

from tests.lab.phone.call import Call
from tests.lab.phone.phone import Phone
from tests.lab.phone.policy import (
    AnswerPolicy,
    Busy,
    ConsultAndReturn,
    HangUp,
    Hold,
    NoAnswer,
    Refuse,
    Ring,
    Talk,
    Then,
    TransferAttended,
    TransferBlind,
    TransferRinging,
    WaitForThem,
)
from tests.lab.phone.sdp import Direction
from tests.lab.phone.story import (
    CallOver,
    CallState,
    DeadlinePassed,
    End,
    EndedBy,
    Moment,
    PhoneError,
)

__all__ = [
    "AnswerPolicy",
    "Busy",
    "Call",
    "CallOver",
    "CallState",
    "ConsultAndReturn",
    "DeadlinePassed",
    "Direction",
    "End",
    "EndedBy",
    "HangUp",
    "Hold",
    "Moment",
    "NoAnswer",
    "Phone",
    "PhoneError",
    "Refuse",
    "Ring",
    "Talk",
    "Then",
    "TransferAttended",
    "TransferBlind",
    "TransferRinging",
    "WaitForThem",
]
