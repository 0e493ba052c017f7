"""Monthly partitions of the event log."""

from datetime import date, datetime

from shared.database import PlainConnection


async def ensure_partitions(connection: PlainConnection, now: datetime) -> None:
    """Make the partitions that may be written to: from the oldest waiting event to next month."""
    oldest = await connection.fetchval("SELECT min(recorded_at) FROM outbox") or now
    month = min(oldest, now).date().replace(day=1)
    while month <= following_month(now.date()):
        await connection.execute(create_partition(month))
        month = following_month(month)


def following_month(day: date) -> date:
    """First day of the month after that of `day`."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def create_partition(month: date) -> str:
    """SQL that makes the partition of one month unless it is there."""
    end = following_month(month)
    return (
        f"CREATE TABLE IF NOT EXISTS event_log_{month:%Y_%m} PARTITION OF event_log"
        f" FOR VALUES FROM ('{month:%Y-%m-%d}T00:00:00Z') TO ('{end:%Y-%m-%d}T00:00:00Z')"
    )
