"""The weekly digest, written down once for every channel that wants it."""

from datetime import datetime

from shared.db import weeks
from shared.db.channels import list_active_channels
from shared.db.deliveries import store_delivery
from shared.db.pool import Pool
from shared.domain.telling.digest import last_due, narrow


async def write_digests(pool: Pool, now: datetime) -> int:
    """Write down the digest that came due last, where that was not done; return for how many channels.

    A channel that began to want it after that gets the next one.
    """
    week, due = last_due(now)
    async with pool.acquire() as connection, connection.transaction():
        wanting = [
            channel
            for channel in await list_active_channels(connection)
            if channel.weekly_since is not None and channel.weekly_since < due
        ]
        owed = await weeks.list_owed(connection, wanting, week)
        if not owed:
            return 0
        told = await weeks.read_week(connection, week, due)
        return sum(
            [
                await store_delivery(
                    connection, "weekly", narrow(told, channel.routing), now, channel_id=channel.id, week=week
                )
                is not None
                for channel in owed
            ]
        )
