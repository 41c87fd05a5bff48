"""Detections and the fold that made them: written again whenever the fold is."""

import io
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar

import numpy as np

from shared.db.pool import Connection
from shared.db.sequences import Place
from shared.domain.drift.continuous import Operations
from shared.domain.drift.detect import State
from shared.domain.drift.detections import Detection, Outcome, Subject
from shared.domain.drift.detector import Detector
from shared.domain.drift.evidence import Evidence
from shared.domain.drift.families import Amount, Counted
from shared.domain.drift.fold import METHOD, Decisions, Fold
from shared.domain.drift.nightly import Noise
from shared.domain.drift.pinned import Pinned
from shared.domain.questions.suites import fingerprint
from shared.domain.runs import RunId

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoredFold:
    """A fold after the first `entries` of a sequence; `fingerprint` tells which they were."""

    fingerprint: str
    fold: Fold


async def read_fold(connection: Connection, schedule_id: int) -> StoredFold | None:
    """The last fold of a schedule, if the present method made it."""
    row = await connection.fetchrow(
        "SELECT fingerprint, state FROM folds WHERE schedule_id = $1 AND method = $2", schedule_id, METHOD
    )
    return StoredFold(row["fingerprint"], unpack(row["state"])) if row else None


async def store_fold(connection: Connection, schedule_id: int, stored: StoredFold) -> None:
    await connection.execute(
        """
        INSERT INTO folds (schedule_id, method, fingerprint, entries, state) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (schedule_id) DO UPDATE SET method = excluded.method, fingerprint = excluded.fingerprint,
            entries = excluded.entries, state = excluded.state
        """,
        schedule_id, METHOD, stored.fingerprint, stored.fold.entries, pack(stored.fold),
    )  # fmt: skip


async def store_detections(
    connection: Connection, schedule_id: int, places: Sequence[Place], detections: Iterable[Detection]
) -> None:
    """Store detections of new entries."""
    rows = [_as_row(schedule_id, places, one) for one in detections]
    await connection.copy_records_to_table("detections", columns=_COLUMNS, records=rows, timeout=600)


@dataclass(frozen=True, slots=True)
class StreamReading:
    """What the fold says of a stream on one entry. The evidence and its thresholds are logarithms.

    `z_low`, `z_high` are None if the entry took no part, and infinite where they say nothing.
    """

    run_id: RunId
    outcome: Outcome
    z_low: float | None
    z_high: float | None
    overdispersion: float
    log_worse: float
    log_better: float
    log_watch: float
    log_alarm: float
    change_run: RunId | None
    change_earliest: RunId | None
    change_latest: RunId | None


async def read_stream(
    connection: Connection, schedule_id: int, subject: Subject, model: str, stream: str
) -> dict[RunId, StreamReading]:
    """All readings of one stream, by the entry's run."""
    rows = await connection.fetch(
        """
        SELECT run_id, outcome, z_low, z_high, overdispersion, log_worse, log_better, log_watch, log_alarm,
               change_run, change_earliest, change_latest
        FROM detections WHERE schedule_id = $1 AND subject = $2 AND model = $3 AND stream = $4
        """,
        schedule_id, subject, model, stream,
    )  # fmt: skip
    return {row["run_id"]: StreamReading(**{**row, "outcome": Outcome(row["outcome"])}) for row in rows}


async def list_streams(connection: Connection, schedule_id: int, subject: Subject, model: str) -> list[str]:
    """The streams that the fold has of a model or judge, by name."""
    rows = await connection.fetch(
        "SELECT DISTINCT stream FROM detections WHERE schedule_id = $1 AND subject = $2 AND model = $3"
        " ORDER BY stream",
        schedule_id, subject, model,
    )  # fmt: skip
    return [row["stream"] for row in rows]


async def drop_detections(
    connection: Connection, schedule_id: int, *, models: Sequence[str] | None = None
) -> None:
    """Make room for detections that are computed anew: of these models, or all of the schedule."""
    await connection.execute(
        "DELETE FROM detections WHERE schedule_id = $1"
        " AND ($2::text[] IS NULL OR (subject = 'model' AND model = ANY ($2)))",
        schedule_id,
        models,
    )


_COLUMNS = (
    "schedule_id", "run_id", "subject", "model", "stream", "sequence", "method", "outcome", "z_low", "z_high",
    "overdispersion", "log_worse", "log_better", "log_watch", "log_alarm",
    "change_run", "change_earliest", "change_latest",
)  # fmt: skip


def _as_row(schedule_id: int, places: Sequence[Place], one: Detection) -> tuple[object, ...]:
    def run(sequence: int) -> object:
        return places[sequence - 1].run_id

    dates = (
        (run(one.change.best), run(one.change.earliest), run(one.change.latest))
        if one.change is not None
        else (None, None, None)
    )
    return (
        schedule_id, run(one.sequence), one.subject, one.model, one.stream, one.sequence, METHOD, one.outcome,
        one.z_low, one.z_high, one.overdispersion, one.log_worse, one.log_better,
        one.log_watch, one.log_alarm, *dates,
    )  # fmt: skip


def fingerprint_of(
    places: Sequence[Place],
    decisions: Sequence[Decisions],
    epochs: Sequence[str],
    heard: Sequence[int],
    controls: Collection[str],
) -> str:
    """What a fold of these entries depends on besides the stored results, which never change.

    `heard`: how many anchors each entry's judge has scored; some may come in after the entry was seen.
    """
    return fingerprint(
        [
            sorted(controls),
            *(
                [str(place.run_id), str(place.scored_by), str(place.night), place.budget.models,
                 place.budget.nights_per_false_alarm, repr(_sorted(decision)), epoch, anchors]
                for place, decision, epoch, anchors in zip(places, decisions, epochs, heard, strict=True)
            ),
        ]
    )  # fmt: skip


def _sorted(decision: Decisions) -> tuple[list[str], ...]:
    return tuple(sorted(getattr(decision, name)) for name in Decisions.__slots__)


_PARTS = {
    part.__name__: part
    for part in (Fold, Counted, Amount, Pinned, State, Noise, Detector, Evidence, Operations)
}


def pack(fold: Fold) -> bytes:
    """A fold as bytes: its arrays as they are, the rest as JSON."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}

    def take(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            arrays[f"a{len(arrays)}"] = value
            return {"array": f"a{len(arrays) - 1}"}
        if is_dataclass(value) and not isinstance(value, type):
            return {
                "part": type(value).__name__,
                **{f.name: take(getattr(value, f.name)) for f in fields(value)},
            }
        return [take(one) for one in value] if isinstance(value, tuple) else value

    skeleton = json.dumps(take(fold)).encode()
    stored = io.BytesIO()
    np.savez_compressed(stored, skeleton=np.frombuffer(skeleton, dtype=np.uint8), **arrays)  # type: ignore[arg-type]
    return stored.getvalue()


def unpack(stored: bytes) -> Fold:
    """The fold that `pack` was given, to the last bit."""
    with np.load(io.BytesIO(stored), allow_pickle=False) as arrays:

        def put(value: Any) -> Any:
            if isinstance(value, dict) and "array" in value:
                return arrays[value["array"]]
            if isinstance(value, dict):
                part = _PARTS[value.pop("part")]
                return part(**{name: put(one) for name, one in value.items()})
            return tuple(put(one) for one in value) if isinstance(value, list) else value

        fold: Fold = put(json.loads(bytes(arrays["skeleton"])))
        return fold
