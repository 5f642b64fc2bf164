"""What is told of lines: open or closed now, why, until when, and which notices are heard.

Here: the shape of the answer. Not here: what decides (lines_now.py).
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class LineStatus(BaseModel):
    """One dialled number, as callers meet it now."""

    line: str
    number: str
    is_internal: bool = Field(description="The staff's own short number, counted apart.")
    state: Literal["open", "closed"]
    reason: str = Field(description="Which rule decides: week, public_holiday, forced, ...")
    text: str = Field(description="The rule's own words, such as Midsommarafton; may be empty.")
    until: datetime | None = Field(description="When that ends; null: not in sight.")
    notices: list[str] = Field(description="Notices that callers hear now.")
    goal_percent: int | None = Field(description="Of 100 callers so many are to be answered ...")
    goal_within_s: int | None = Field(description="... within so many seconds; null: no goal.")


class LineList(BaseModel):
    """Every line."""

    lines: list[LineStatus]


Lines = Callable[[], Sequence[LineStatus]]
"""Returns every line as it is now."""
