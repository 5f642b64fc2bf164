"""The options --from and --to: what they mean.

Here: a period from what was typed. Not here: whose calls are in it.
"""

from datetime import UTC, datetime, time, timedelta, tzinfo

from ivrd.errors import ConfigError


def period(
    since: str | None, until: str | None, *, zone: tzinfo, now: datetime
) -> tuple[datetime, datetime]:
    """Return the two ends of a period, in UTC; by default the whole of yesterday.

    Args:
        since: ISO date or time; a date is its midnight. None: the day before `until`.
        until: The same, not included. None: the day after `since`.
        zone: For times that name none, and for what a day is.
        now: The present.

    Raises:
        ConfigError: A time is none, or the ends are in the wrong order.
    """
    first = None if since is None else _when(since, "--from", zone)
    last = None if until is None else _when(until, "--to", zone)
    if last is None:
        last = _midnight(now, zone) if first is None else _midnight(first, zone, days=1)
    if first is None:
        first = _midnight(last - timedelta(microseconds=1), zone)
    if first >= last:
        raise ConfigError([f"--from {first.isoformat()} is not before --to {last.isoformat()}"])
    return first.astimezone(UTC), last.astimezone(UTC)


def _when(text: str, option: str, zone: tzinfo) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            [f"{option}: {text!r} is no time such as 2026-03-02 or 2026-03-02T08:00"]
        ) from error
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment


def _midnight(moment: datetime, zone: tzinfo, *, days: int = 0) -> datetime:
    """Return the beginning of a day, by the clock on the wall: it may be 23 or 25 hours long."""
    day = moment.astimezone(zone).date() + timedelta(days=days)
    return datetime.combine(day, time(), tzinfo=zone)
