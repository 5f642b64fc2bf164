"""Why an act on a case was not done; nothing was changed.

Here: types only. Whoever answers people turns each into their words or status.
"""

from ivrd.core.case_record import Case, RefusalCode
from ivrd.errors import IvrdError


class CaseError(IvrdError):
    """An act on a case, or a search, was not done."""


class CaseUnknown(CaseError):
    """There is no such case, or it is none of theirs."""


class CaseRefused(CaseError):
    """The act does not fit the case as it is; the text says why.

    Attributes:
        code: The same for programs; None for what is no act, such as a search.
    """

    def __init__(self, because: str, code: RefusalCode | None = None) -> None:
        self.code = code
        super().__init__(because)


class CaseConflict(CaseError):
    """Somebody else changed the case meanwhile.

    Attributes:
        case: How it is now.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        super().__init__(
            f"case {case.case_id} was changed at {case.updated_at.isoformat()}; look again"
        )
