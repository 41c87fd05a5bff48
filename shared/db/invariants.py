"""What must hold of every stored run, as questions that count where it does not. They change nothing."""

from datetime import datetime

from shared.db.pool import Connection

# An answer that another judge scores again was paid for in the run that it came from.
_BROKEN = """
    SELECT 'run_closes_in_time' AS invariant, count(*) AS broken
    FROM runs WHERE finished_at IS NULL AND created_at < $1
    UNION ALL
    SELECT 'run_costs_what_its_parts_cost', count(*) FROM runs r
    WHERE r.finished_at >= $2 AND r.spent_usd <>
          (SELECT coalesce(sum(p.judge_cost_usd), 0)
                  + CASE WHEN r.rejudges IS NULL THEN coalesce(sum(p.cost_usd), 0) ELSE 0 END
           FROM pairs p WHERE p.run_id = r.id)
          + (SELECT coalesce(sum(a.cost_usd), 0) FROM anchor_judgements a
             WHERE a.run_id = r.id AND a.is_booked)
    UNION ALL
    SELECT 'completed_run_has_aggregates', count(*) FROM runs r
    WHERE r.state = 'completed' AND r.finished_at >= $2
      AND NOT EXISTS (SELECT 1 FROM run_aggregates a WHERE a.run_id = r.id)
    UNION ALL
    SELECT 'closed_run_keeps_no_provider_keys', count(DISTINCT k.run_id)
    FROM run_provider_keys k JOIN runs r ON r.id = k.run_id AND r.finished_at IS NOT NULL
    UNION ALL
    SELECT 'completed_run_has_no_open_pair', count(*) FROM runs r
    WHERE r.state = 'completed'
      AND EXISTS (SELECT 1 FROM pairs p WHERE p.run_id = r.id AND p.state IN ('pending', 'answered'))
"""


async def count_broken(
    connection: Connection, *, open_since: datetime, finished_since: datetime
) -> dict[str, int]:
    """How many runs break each invariant, by its name; 0 where all is well.

    A run that was created at `open_since` or later may be open. Those that finished before `finished_since`
    are final, and are not added up again.
    """
    rows = await connection.fetch(_BROKEN, open_since, finished_since)
    return {row["invariant"]: row["broken"] for row in rows}
