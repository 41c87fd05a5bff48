"""Keys to providers that came with a run, as sealed as they are stored. Closing the run deletes them."""

from collections.abc import Mapping

from shared.db.pool import Connection
from shared.domain.runs import RunId


async def store_provider_keys(connection: Connection, run_id: RunId, sealed: Mapping[str, bytes]) -> None:
    """Store keys by provider, in the transaction that stores their run. A run that has some keeps those."""
    await connection.executemany(
        "INSERT INTO run_provider_keys (run_id, provider, sealed)"
        " SELECT id, $2, $3 FROM runs WHERE id = $1 AND finished_at IS NULL FOR UPDATE"
        " ON CONFLICT DO NOTHING",
        [(run_id, provider, key) for provider, key in sealed.items()],
    )


async def read_provider_keys(connection: Connection, run_id: RunId) -> Mapping[str, bytes]:
    """The keys of an open run by provider; none of a closed one."""
    rows = await connection.fetch("SELECT provider, sealed FROM run_provider_keys WHERE run_id = $1", run_id)
    return {row["provider"]: row["sealed"] for row in rows}
