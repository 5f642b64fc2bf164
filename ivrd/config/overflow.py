"""Sections for overflow: when waiting callers are moved to another queue.

Here: the model and its own checks. Not here: what a rule does (core/overflow.py).
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationInfo, field_validator, model_validator

from ivrd.config.base import Name, PromptId, Section

HIGH_IS_BAD = ("waiting", "longest_wait_s", "waiting_per_free_agent", "expected_wait_s")
"""Conditions that begin at a high figure: `start_` is above `stop_`."""

LOW_IS_BAD = ("free_agents", "serving_agents", "service_level_percent")
"""Conditions that begin at a low figure: `start_` is below `stop_`."""

RESERVED_NAME = "by-hand"

Count = Annotated[int, Field(ge=0, le=10_000)]
Seconds = Annotated[int, Field(ge=0, le=86_400)]


class OverflowConfig(Section):
    """One rule that moves waiting callers."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,14}$")] = Field(
        description="At most 15 characters: it travels in queue_log."
    )
    from_queue: Name | None = Field(default=None, description="Whose callers are moved.")
    from_queues: tuple[Name, ...] = Field(
        default=(), description="Instead of from_queue: several, whose figures are taken together."
    )
    to_queue: Name | None = Field(default=None, description="Where they go.")
    to_queues: tuple[Name, ...] = Field(
        default=(), description="Instead of to_queue: the first of them that takes the caller."
    )
    mode: Literal["on", "off", "dry_run"] = Field(
        default="on", description="dry_run decides and tells, and moves nobody."
    )

    start_waiting: Count | None = Field(default=None, description="Begins when so many wait.")
    stop_waiting: Count | None = Field(default=None, description="Ends when so few wait.")
    start_longest_wait_s: Seconds | None = Field(
        default=None, description="Begins when somebody has waited so long, in any queue."
    )
    stop_longest_wait_s: Seconds | None = Field(default=None, description="Ends when nobody has.")
    start_waiting_per_free_agent: float | None = Field(
        default=None, ge=0, le=10_000, description="Begins at so many for each free agent."
    )
    stop_waiting_per_free_agent: float | None = Field(
        default=None, ge=0, le=10_000, description="Ends at so few. No agent free counts as one."
    )
    start_free_agents: Count | None = Field(
        default=None, description="Begins when so few agents are free."
    )
    stop_free_agents: Count | None = Field(default=None, description="Ends when so many are.")
    start_serving_agents: Count | None = Field(
        default=None, description="Begins when so few are logged in and not paused."
    )
    stop_serving_agents: Count | None = Field(default=None, description="Ends when so many are.")
    start_expected_wait_s: Seconds | None = Field(
        default=None, description="Begins when a newcomer would wait so long."
    )
    stop_expected_wait_s: Seconds | None = Field(
        default=None, description="Ends when it is so short."
    )
    start_service_level_percent: int | None = Field(
        default=None, ge=0, le=100, description="Begins at so low a service level so far today."
    )
    stop_service_level_percent: int | None = Field(
        default=None, ge=0, le=100, description="Ends at so high a one."
    )
    start_closes_in_s: Seconds | None = Field(
        default=None, description="Begins so long before closing; ends when it opens again."
    )
    closing_hours: Name | None = Field(
        default=None, description="Whose closing; none: that of the queues themselves."
    )
    needs: Literal["any", "all"] = Field(
        default="any", description="How many of the start_ conditions must hold."
    )
    start_after_s: Seconds = Field(default=0, description="They have held so long.")
    dwell_s: Seconds = Field(default=0, description="Neither ends nor begins again before so long.")

    first: Literal["longest_wait", "shortest_wait"] = Field(
        default="longest_wait", description="Who moves first."
    )
    leave_waiting: Count | None = Field(
        default=None, description="So many stay where they are; none: stop_waiting, or 0."
    )
    moves_at_once: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        default=None, description="Outstanding at most; none: no limit."
    )
    moves_per_call: int = Field(default=1, ge=1, le=5, description="A caller is moved so often.")
    urgent_lines: tuple[Name, ...] = Field(
        default=(), description="Their callers never move backward: neither in place nor in wait."
    )
    moves_waiting: bool = Field(default=True, description="Moves callers who wait.")
    diverts_at_entry: bool = Field(
        default=False, description="Sends callers on who come while it is in force."
    )
    returns_home: bool = Field(
        default=False, description="Who still waits goes back when it has ended and that is better."
    )
    notice_prompt: PromptId | None = Field(
        default=None, description="Heard by a moved caller before the other queue."
    )

    target_serving_agents_min: int = Field(
        default=1, ge=1, le=10_000, description="So many must serve where callers go."
    )
    target_free_agents_min: Count = Field(default=0, description="So many must be free there.")
    target_waiting_max: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        default=None, description="Nobody more goes where so many wait."
    )
    target_expected_wait_s_max: Seconds | None = Field(
        default=None, description="Nobody goes where a newcomer would wait longer."
    )
    longer_wait_s_max: Seconds | None = Field(
        default=None, description="By so much the wait there may be longer; 0 never worse."
    )

    @property
    def sources(self) -> tuple[str, ...]:
        """The queues that it moves from."""
        return self.from_queues if self.from_queue is None else (self.from_queue,)

    @property
    def targets(self) -> tuple[str, ...]:
        """The queues that it moves to, in order."""
        return self.to_queues if self.to_queue is None else (self.to_queue,)

    @field_validator("start_waiting_per_free_agent", "stop_waiting_per_free_agent", mode="before")
    @classmethod
    def _refuse_truth(cls, value: object, field: ValidationInfo) -> object:
        if isinstance(value, bool):
            raise ValueError("must be a number")
        return value

    @model_validator(mode="after")
    def _check(self) -> "OverflowConfig":
        for one, several in (("from_queue", "from_queues"), ("to_queue", "to_queues")):
            if (getattr(self, one) is None) == (not getattr(self, several)):
                raise ValueError(f"must have {one}, or {several} instead")
        if len({*self.sources, *self.targets}) < len(self.sources) + len(self.targets):
            raise ValueError("to_queue must differ from from_queue, and each be named once")
        if self.name == RESERVED_NAME:
            raise ValueError(f"name must not be {RESERVED_NAME}: moves by people are named so")
        for name in (*HIGH_IS_BAD, *LOW_IS_BAD):
            self._check_thresholds(name)
        if self.closing_hours is not None and self.start_closes_in_s is None:
            raise ValueError("closing_hours needs start_closes_in_s")
        if not (self.moves_waiting or self.diverts_at_entry):
            raise ValueError("moves_waiting or diverts_at_entry must be true; mode turns it off")
        if self.returns_home and not self.moves_waiting:
            raise ValueError("returns_home needs moves_waiting")
        return self

    def _check_thresholds(self, name: str) -> None:
        start, stop = getattr(self, f"start_{name}"), getattr(self, f"stop_{name}")
        if start is None and stop is None:
            return
        if start is None or stop is None:
            raise ValueError(f"start_{name} and stop_{name} go together")
        if name in HIGH_IS_BAD and stop >= start:
            raise ValueError(f"stop_{name} must be lower than start_{name}")
        if name in LOW_IS_BAD and stop <= start:
            raise ValueError(f"stop_{name} must be higher than start_{name}")
