"""What models said of themselves: with their answers, when they were asked, and when that changed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.db.pool import Connection
from shared.domain.causes.identity import Identity, IdentityChange, IdentityKind, Reported
from shared.domain.runs import RunId


@dataclass(frozen=True, slots=True)
class Probe:
    """What a model said when it was asked who it is; `error` says why there is nothing."""

    model: str
    says_it_is: str | None
    served_model: str | None
    system_fingerprint: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class IdentityEvent:
    """A change of identity, first seen in the entry `run_id`."""

    id: int
    model: str
    run_id: RunId
    change: IdentityChange
    at: datetime


async def read_identities(
    connection: Connection, run_ids: Sequence[RunId]
) -> dict[RunId, dict[str, Identity]]:
    """What was said of each model in each of these runs; an entry for every run, and in it every model."""
    asked = await connection.fetch("SELECT id, models FROM runs WHERE id = ANY ($1)", run_ids)
    served = await _read_reported(connection, run_ids, "served_model")
    marked = await _read_reported(connection, run_ids, "system_fingerprint")
    said = {
        (row["run_id"], row["model"]): row["says_it_is"]
        for row in await connection.fetch(
            "SELECT run_id, model, says_it_is FROM identity_probes WHERE run_id = ANY ($1)", run_ids
        )
    }
    return {
        row["id"]: {
            model: Identity(
                tuple(served.get((row["id"], model), ())),
                tuple(marked.get((row["id"], model), ())),
                said.get((row["id"], model)),
            )
            for model in row["models"]
        }
        for row in asked
    }


async def _read_reported(
    connection: Connection, run_ids: Sequence[RunId], column: str
) -> Mapping[tuple[RunId, str], Sequence[Reported]]:
    rows = await connection.fetch(
        f"""
        SELECT run_id, model, {column}, count(*), min(answered_at), max(answered_at)
        FROM pairs WHERE run_id = ANY ($1) AND {column} IS NOT NULL AND answered_at IS NOT NULL
        GROUP BY run_id, model, {column} ORDER BY run_id, model, min(answered_at), {column}
        """,
        run_ids,
    )
    reported: dict[tuple[RunId, str], list[Reported]] = {}
    for run_id, model, *told in rows:
        reported.setdefault((run_id, model), []).append(Reported(*told))
    return reported


async def list_unprobed(connection: Connection, run_id: RunId) -> list[str]:
    """The models of a run that were not asked yet who they are, in the run's order."""
    rows = await connection.fetch(
        """
        SELECT model FROM runs r, unnest(r.models) WITH ORDINALITY AS m (model, place)
        WHERE r.id = $1
          AND NOT EXISTS (SELECT 1 FROM identity_probes p WHERE p.run_id = r.id AND p.model = m.model)
        ORDER BY place
        """,
        run_id,
    )
    return [row["model"] for row in rows]


async def store_probes(connection: Connection, run_id: RunId, probes: Iterable[Probe]) -> None:
    """Store what models said; what one said first in a run stays."""
    await connection.executemany(
        """
        INSERT INTO identity_probes (run_id, model, says_it_is, served_model, system_fingerprint, error)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
        """,
        [
            (run_id, each.model, each.says_it_is, each.served_model, each.system_fingerprint, each.error)
            for each in probes
        ],
    )


async def store_identity_events(
    connection: Connection,
    schedule_id: int,
    model: str,
    run_id: RunId,
    changes: Iterable[IdentityChange],
    at: datetime,
) -> None:
    """Store the changes that an entry brought; done twice, nothing is added."""
    await connection.executemany(
        """
        INSERT INTO identity_events (schedule_id, model, run_id, kind, before, after, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
        """,
        [(schedule_id, model, run_id, each.kind, each.before, each.after, at) for each in changes],
    )


async def list_identity_events(
    connection: Connection,
    schedule_id: int,
    *,
    model: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[IdentityEvent]:
    """List a schedule's changes of identity, newest first, from just after the event `before` on.

    Whether a change came in mid-run is not stored with it.
    """
    rows = await connection.fetch(
        """
        SELECT id, model, run_id, kind, before, after, at FROM identity_events
        WHERE schedule_id = $1 AND ($2::text IS NULL OR model = $2) AND ($3::bigint IS NULL OR id < $3)
        ORDER BY id DESC LIMIT $4
        """,
        schedule_id,
        model,
        before,
        limit,
    )
    return [
        IdentityEvent(
            row["id"],
            row["model"],
            row["run_id"],
            IdentityChange(IdentityKind(row["kind"]), row["before"], row["after"]),
            row["at"],
        )
        for row in rows
    ]
