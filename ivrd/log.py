"""Logging: structlog set-up, and the masking of numbers and secrets.

Here: how a line looks, and what must never be in it. Not here: what is worth logging.

Masking is by default and by content, not by good behaviour of whoever logs: digits that may be a
telephone number are cut to their last two wherever they stand, except under keys that are known to
hold ids and stamps.
"""

import functools
import logging
import re
import sys
from collections.abc import Mapping
from typing import TextIO

import structlog
from structlog.types import EventDict, Processor

from ivrd.config import LogConfig

SAFE_KEYS = frozenset(
    {
        "asterisk",
        "queue",
        "call_id",
        "linked_id",
        "channel_id",
        "agent_leg",
        "message_key",
        "at",
        "timestamp",
        "level",
    }
)
"""Keys whose text is ours or Asterisk's own: ids with an epoch in them, which look like numbers."""

NUMBER_WORDS = ("number", "caller", "exten", "callerid", "connected")
"""A key with such a word holds a number: also short ones, and numbers with blanks, are masked."""

SECRET_WORDS = ("secret", "password", "token", "authorization", "cookie")
"""A key with such a word never has its value shown."""

COUNT_MAX = 99
"""A whole number up to this is no telephone number, such as the number of an entry in its call."""

NESTING_MAX = 4
"""Values nested deeper are shown as masked text; our own lines are flat."""

HIDDEN = "<hidden>"

KEYS_KNOWN_MAX = 1_000
"""Keys of our own lines are some hundred; a library's may hold anything."""

_UNIQUEID = r"(?<![\d+])1\d{9}\.\d+"
"""Asterisk's ids, epoch.counter (channel_internal_api.c): ten digits that are no number."""

_TEXT_NUMBER = re.compile(
    rf"({_UNIQUEID})|\+?\d{{6,}}|(?<!\d)(?:\+46|0)[ -]?\d(?:[ /-]{{0,2}}\d){{4,}}"
)
"""Six digits in a row, or the way a Swedish number is written with blanks and hyphens."""

_ANY_NUMBER = re.compile(r"\+?\d(?:[ ()/.-]*\d){2,}")
"""Three digits or more, however spaced; for values of which we know that they are numbers."""

_URL_PASSWORD = re.compile(r"(://[^/\s:@]*):[^/\s@]+@")


def configure(config: LogConfig, *, stream: TextIO = sys.stderr) -> None:
    """Set up structlog and the standard library's logging alike; may be called again.

    Lines of libraries go through the same masking and the same form.
    """
    level = logging.getLevelNamesMapping()[config.level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        mask,
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(config),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[*shared[:2], *shared[3:], *_renderers(config)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


def mask(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Mask numbers and hide secrets in one line, whatever its keys."""
    for key, value in event.items():
        if key not in SAFE_KEYS and not key.startswith("_"):
            event[key] = _masked(key, value, depth=0)
    return event


def mask_text(text: str) -> str:
    """Return free text with everything that may be a telephone number cut to its last two digits.

    >>> mask_text("call from +46701740612 on 1732212345.17")
    'call from ***12 on 1732212345.17'
    """
    hidden = _URL_PASSWORD.sub(rf"\1:{HIDDEN}@", text)
    return _TEXT_NUMBER.sub(lambda found: found[1] or _cut(found[0]), hidden)


def _masked(key: str, value: object, *, depth: int) -> object:
    is_secret, is_number = _kind_of(key)
    if is_secret:
        return None if value is None else HIDDEN
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, str) and value.isalpha():
        return value  # Most values of our own lines; letters alone hide neither number nor URL.
    if isinstance(value, int):
        return _cut(str(value)) if is_number and abs(value) > COUNT_MAX else value
    if depth < NESTING_MAX and isinstance(value, Mapping):
        return {k: _masked(f"{key}.{k}", v, depth=depth + 1) for k, v in value.items()}
    if depth < NESTING_MAX and isinstance(value, list | tuple | set | frozenset):
        return [_masked(key, item, depth=depth + 1) for item in value]
    text = value if isinstance(value, str) else repr(value)
    return _ANY_NUMBER.sub(lambda found: _cut(found[0]), text) if is_number else mask_text(text)


@functools.lru_cache(maxsize=KEYS_KNOWN_MAX)
def _kind_of(key: str) -> tuple[bool, bool]:
    """Return whether a key names a secret, and whether it names a number."""
    lowered = key.lower()
    return (
        any(word in lowered for word in SECRET_WORDS),
        any(word in lowered for word in NUMBER_WORDS),
    )


def _cut(number: str) -> str:
    return f"***{number[-2:]}"


def _escape_controls(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Keep one event on one line: text from the wire must not forge another.

    A traceback keeps its lines, which the console shows indented by its own text.
    """
    for key, value in event.items():
        if isinstance(value, str) and key != "exception" and not value.isprintable():
            event[key] = value.encode("unicode_escape").decode("ascii")
    return event


def _renderers(config: LogConfig) -> list[Processor]:
    if config.form == "json":
        return [structlog.processors.JSONRenderer(ensure_ascii=True)]
    console = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    return [_escape_controls, console]
