"""A schedule's sequence as the fold takes it: its entries in order, read from the stored results."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import asyncpg
import numpy as np
from numpy.typing import NDArray

from shared.db.pool import Connection
from shared.domain.drift.budget import Budget
from shared.domain.drift.fold import Decisions
from shared.domain.drift.sequence import Anchoring, Asked, Entry, Measured
from shared.domain.runs import RunId

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Place:
    """An entry's place in its sequence; `scored_by` is the run whose scores count: its own, or a later one
    that had another judge score its answers again.
    """

    sequence: int
    run_id: RunId
    scored_by: RunId
    night: date
    attempt: int
    budget: Budget


@dataclass(frozen=True, slots=True)
class ActRow:
    """One decision about an entry, with who and when."""

    model: str
    kind: str
    run_id: RunId
    at: datetime
    by: str
    note: str


async def list_places(connection: Connection, schedule_id: int) -> list[Place]:
    """The sequence of a schedule, first entry first."""
    rows = await connection.fetch(
        "SELECT sequence, run_id, scored_by_run, night, attempt, watched_models, nights_per_false_alarm"
        " FROM sequence_entries WHERE schedule_id = $1 ORDER BY sequence",
        schedule_id,
    )
    return [
        Place(
            row["sequence"], row["run_id"], row["scored_by_run"], row["night"], row["attempt"],
            Budget(row["watched_models"], row["nights_per_false_alarm"]),
        )
        for row in rows
    ]  # fmt: skip


async def read_entries(
    connection: Connection,
    places: Sequence[Place],
    epochs: Mapping[RunId, str],
    *,
    models: Sequence[str] | None = None,
    without: Collection[str] = (),
    anchors: Mapping[RunId, Anchoring] | None = None,
) -> list[Entry]:
    """Read what these entries measured, of these models or of all, controls (`without`) left out.

    `epochs` and `anchors` are by the run whose scores count.
    """
    scored_by = [place.scored_by for place in places]
    rows = await connection.fetch(_MEASURED, scored_by, models, list(without))
    questions = await _read_questions(connection, scored_by)
    asked = await _read_asked(connection, scored_by, without) if models is not None else {}
    by_run: dict[RunId, list[asyncpg.Record]] = {run_id: [] for run_id in scored_by}
    for row in rows:
        by_run[row["run_id"]].append(row)
    return [
        _as_entry(
            place,
            by_run[place.scored_by],
            asked.get(place.scored_by),
            questions[place.scored_by],
            epochs.get(place.scored_by),
            (anchors or {}).get(place.scored_by),
        )
        for place in places
    ]


async def list_asked(connection: Connection, run_ids: Sequence[RunId]) -> dict[RunId, tuple[str, ...]]:
    """The models that each of these runs asked."""
    rows = await connection.fetch("SELECT id, models FROM runs WHERE id = ANY ($1)", run_ids)
    return {row["id"]: tuple(row["models"]) for row in rows}


async def list_acts(connection: Connection, schedule_id: int) -> list[ActRow]:
    rows = await connection.fetch(
        "SELECT model, kind, run_id, at, by, note FROM acts WHERE schedule_id = $1 ORDER BY id", schedule_id
    )
    return [ActRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Pin:
    """The nights that a person named as a model's baseline."""

    model: str
    first_night: date
    last_night: date


async def list_pins(connection: Connection, schedule_id: int) -> list[Pin]:
    rows = await connection.fetch(
        "SELECT model, first_night, last_night FROM baselines WHERE schedule_id = $1 ORDER BY model",
        schedule_id,
    )
    return [Pin(*row) for row in rows]


async def store_act(
    connection: Connection, schedule_id: int, model: str, kind: str, run_id: RunId, by: str, note: str
) -> None:
    """Store a decision; the same one a second time changes nothing."""
    await connection.execute(
        "INSERT INTO acts (schedule_id, model, kind, run_id, by, note) VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT DO NOTHING",
        schedule_id, model, kind, run_id, by, note,
    )  # fmt: skip


async def withdraw_act(
    connection: Connection, schedule_id: int, model: str, kind: str, run_id: RunId
) -> None:
    """Take a decision back; the audit log remembers it."""
    await connection.execute(
        "DELETE FROM acts WHERE schedule_id = $1 AND model = $2 AND kind = $3 AND run_id = $4",
        schedule_id, model, kind, run_id,
    )  # fmt: skip


def decide(places: Sequence[Place], acts: Sequence[ActRow], pins: Sequence[Pin]) -> list[Decisions]:
    """What was decided about each entry of a sequence."""
    by_run: dict[tuple[RunId, str], set[str]] = {}
    for act in acts:
        by_run.setdefault((act.run_id, act.kind), set()).add(act.model)
    return [
        Decisions(
            frozenset(by_run.get((place.run_id, "quarantine"), ())),
            frozenset(by_run.get((place.run_id, "accept_baseline"), ())),
            frozenset(pin.model for pin in pins if not pin.first_night <= place.night <= pin.last_night),
        )
        for place in places
    ]


async def _read_asked(
    connection: Connection, run_ids: Sequence[RunId], without: Collection[str]
) -> Mapping[RunId, Sequence[int]]:
    """The questions that each run asked of any model, in order: an entry has them all, whoever is read.

    A planned run asks every model the same; an import holds whatever its file does.
    """
    rows = await connection.fetch(
        """
        SELECT p.run_id, array_agg(DISTINCT p.question_id ORDER BY p.question_id) AS questions
        FROM runs r JOIN pairs p ON p.run_id = r.id
        WHERE r.id = ANY ($1) AND p.model <> ALL ($2::text[])
          AND (r.kind = 'imported' OR p.model = (SELECT min(m) FROM unnest(r.models) m WHERE m <> ALL ($2)))
        GROUP BY p.run_id
        """,
        run_ids, list(without),
    )  # fmt: skip
    return {row["run_id"]: row["questions"] for row in rows}


async def _read_questions(
    connection: Connection, run_ids: Sequence[RunId]
) -> Mapping[RunId, Mapping[int, Asked]]:
    """The questions of each run's suite version, by number and in suite order."""
    versions = {
        row["id"]: row["suite_version_id"]
        for row in await connection.fetch(
            "SELECT id, suite_version_id FROM runs WHERE id = ANY ($1)", run_ids
        )
    }
    rows = await connection.fetch(
        """
        SELECT suite_version_id, id, unit, key, category, cluster,
               scorer->>'name' = 'llm-rubric' OR scorer->'assert' @> '[{"type": "llm-rubric"}]' AS asks_judge
        FROM questions WHERE suite_version_id = ANY ($1) ORDER BY suite_version_id, id
        """,
        list(set(versions.values())),
    )
    asked: dict[int, dict[int, Asked]] = {}
    for row in rows:
        asked.setdefault(row["suite_version_id"], {})[row["id"]] = Asked(
            row["unit"], row["key"], row["category"], row["cluster"], bool(row["asks_judge"])
        )
    return {run_id: asked[version] for run_id, version in versions.items()}


_ARRAYS = (
    "score", "answered", "scored", "accepted", "well_formed", "seconds", "output_tokens", "cost_usd",
)  # fmt: skip

# Means over repeats are taken in their order: floating-point sums depend on it.
_MEASURED = f"""
    SELECT run_id, model, array_agg(question_id) AS questions, min(coverage) AS coverage,
           {", ".join(f"array_agg(coalesce({name}, 'NaN')) AS {name}" for name in _ARRAYS)}
    FROM (
        SELECT p.run_id, p.model, p.question_id, a.coverage,
               avg(p.score ORDER BY p.repeat) AS score,
               avg(CASE p.state WHEN 'failed' THEN 0.0 WHEN 'skipped' THEN NULL ELSE 1.0 END::float8
                   ORDER BY p.repeat) AS answered,
               avg(CASE p.state WHEN 'scored' THEN 1.0 WHEN 'unscored' THEN 0.0 END::float8
                   ORDER BY p.repeat) AS scored,
               avg((NOT p.refused)::int::float8 ORDER BY p.repeat) AS accepted,
               avg((NOT p.format_failed)::int::float8 ORDER BY p.repeat) AS well_formed,
               avg(p.latency_seconds ORDER BY p.repeat) AS seconds,
               avg(p.output_tokens::float8 ORDER BY p.repeat) AS output_tokens,
               avg(p.cost_usd::float8 ORDER BY p.repeat) AS cost_usd
        FROM pairs p
        JOIN run_aggregates a ON a.run_id = p.run_id AND a.model = p.model AND a.category = 'all'
        WHERE p.run_id = ANY ($1) AND ($2::text[] IS NULL OR p.model = ANY ($2))
          AND p.model <> ALL ($3::text[])
        GROUP BY p.run_id, p.model, p.question_id, a.coverage
        ORDER BY p.run_id, p.model, p.question_id
    ) questions
    GROUP BY run_id, model ORDER BY run_id, model
"""


def _as_entry(
    place: Place,
    rows: Sequence[asyncpg.Record],
    asked: Sequence[int] | None,
    questions: Mapping[int, Asked],
    epoch: str | None,
    anchors: Anchoring | None,
) -> Entry:
    numbers = asked or sorted({number for row in rows for number in row["questions"]})
    arrays = {name: np.full((len(rows), len(numbers)), np.nan) for name in _ARRAYS}
    column = {number: at for at, number in enumerate(numbers)}
    for index, row in enumerate(rows):
        at: Any = slice(None)
        if row["questions"] != numbers:
            at = [column[number] for number in row["questions"]]
        for name, array in arrays.items():
            array[index, at] = row[name]
    coverage = np.array([row["coverage"] for row in rows], dtype=float)
    return Entry(
        place.run_id,
        place.night,
        epoch,
        place.budget,
        tuple(row["model"] for row in rows),
        tuple(questions[number] for number in numbers),
        Measured(**arrays, coverage=coverage),
        anchors,
    )
