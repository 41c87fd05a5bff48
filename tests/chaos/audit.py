"""What must hold of runs when everything is over: nothing lost, nothing counted twice, the bill right."""

from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from math import isclose

from shared.db.aggregates import RunAggregate, compute_aggregates, read_aggregates
from shared.db.invariants import count_broken
from shared.db.pool import Connection
from shared.domain.runs import RunId

JUDGED_CALLS = 2  # an answer, and its judgement

_COUNTS = """
    SELECT r.state, count(p.*) AS stored, count(p.score) AS scored,
           r.spent_usd - coalesce(sum(p.cost_usd), 0) - coalesce(sum(p.judge_cost_usd), 0) AS difference_usd,
           bool_and(p.cost_usd > 0 AND p.judge_cost_usd > 0) AS is_priced
    FROM runs r LEFT JOIN pairs p ON p.run_id = r.id WHERE r.id = $1 GROUP BY r.id
"""
_COUNTED = "SELECT coalesce(sum(scored), 0) FROM run_aggregates WHERE run_id = $1 AND category = 'all'"


@dataclass(frozen=True, slots=True)
class Finding:
    """Pairs that have no score, pairs that count more than once, and in words what else is wrong."""

    lost: int
    doubled: int
    faults: tuple[str, ...]


async def audit_runs(connection: Connection, planned: dict[RunId, int]) -> Finding:
    """Look at every run, of which the number of pairs is known."""
    each = [await _audit_run(connection, run_id, pairs) for run_id, pairs in planned.items()]
    now = datetime.now(UTC)
    broken = await count_broken(
        connection, open_since=now - timedelta(days=1), finished_since=now - timedelta(days=1)
    )
    faults = [fault for finding in each for fault in finding.faults]
    faults += [f"invariant {name} is broken {times} times" for name, times in broken.items() if times]
    return Finding(sum(f.lost for f in each), sum(f.doubled for f in each), tuple(faults))


async def _audit_run(connection: Connection, run_id: RunId, pairs: int) -> Finding:
    row = await connection.fetchrow(_COUNTS, run_id)
    if row is None:
        return Finding(pairs, 0, (f"run {run_id} is gone",))
    faults: list[str] = []
    if row["state"] != "completed":
        faults.append(f"run {run_id} is {row['state']}")
    if row["difference_usd"] != 0:
        faults.append(f"run {run_id} spent {row['difference_usd']} USD more than its pairs cost")
    if not row["is_priced"]:
        faults.append(f"run {run_id} has pairs without a price")
    if row["stored"] != pairs:
        faults.append(f"run {run_id} has {row['stored']} pairs stored instead of {pairs}")
    stored, recomputed = (
        sorted(aggregates, key=lambda each: (each.model, each.category))
        for aggregates in (
            await read_aggregates(connection, run_id),
            await compute_aggregates(connection, run_id),
        )
    )
    if not all(map(_is_alike, stored, recomputed)) or len(stored) != len(recomputed):
        faults.append(f"run {run_id}: its stored aggregates are not those of its pairs")
    counted = int(await connection.fetchval(_COUNTED, run_id))
    return Finding(pairs - row["scored"], max(0, counted - row["scored"]), tuple(faults))


def _is_alike(one: RunAggregate, other: RunAggregate) -> bool:
    """Equal, but for the last digits of means, which depend on the order in which rows are added up."""
    return all(
        isclose(a, b, rel_tol=1e-12) if isinstance(a, float) and isinstance(b, float) else a == b
        for a, b in zip(astuple(one), astuple(other), strict=True)
    )


def extra_calls(calls: int, planned: dict[RunId, int]) -> int:
    """Calls beyond one answer and one judgement per pair."""
    return calls - JUDGED_CALLS * sum(planned.values())
