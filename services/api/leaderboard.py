"""The leaderboard: who ranks where, as far as the same questions tell, and what has to be said beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

from services.api.desk import Desk
from services.api.lookup import find_run, find_suite
from services.api.problems import Problem
from services.api.rankings import RankingShelf
from services.api.schemas.models import Standing
from shared.db import measurements
from shared.db.measurements import Measurement
from shared.db.pool import Connection
from shared.domain.errors import InvalidInput
from shared.domain.figures.ranking import Rank, Ranking
from shared.domain.runs import RunKind, RunState


class RunUnfinished(Problem):
    status, title = HTTPStatus.CONFLICT, "Run not completed"


@dataclass(frozen=True, slots=True)
class Board:
    """Models side by side: what each came to, and how any two of them compare. No suite: no run as yet."""

    suite: str | None
    category: str
    measured: Sequence[Measurement]
    ranking: Ranking


async def read_board(
    connection: Connection,
    desk: Desk,
    shelf: RankingShelf,
    suite: str | None,
    category: str,
    run: UUID | None = None,
) -> Board:
    """Read each model's newest completed run of a suite (None: of the newest run's), or one run alone.

    A control has no place on it: its scores say nothing.

    Raises:
        NotFound: there is no such suite or run.
        InvalidInput: the run is of another suite.
        RunUnfinished
    """
    if run is not None:
        suite, measured = await _read_run(connection, run, suite, category)
    else:
        suite, measured = await _read_newest(connection, suite, category)
    measured = [each for each in measured if not desk.catalogue.is_control(each.model)]
    facts = [(each.run_id, each.model) for each in measured]
    rankings = await shelf.read(connection, facts, [category])
    return Board(suite, category, measured, rankings[category])


async def _read_run(
    connection: Connection, run_id: UUID, suite: str | None, category: str
) -> tuple[str, list[Measurement]]:
    run = await find_run(connection, run_id)
    if suite not in (None, run.suite):
        raise InvalidInput("suite", f"is not that of the run, which is {run.suite!r}.", "Leave it out.")
    if run.state is not RunState.COMPLETED:
        raise RunUnfinished(f"The run is {run.state}; only completed runs are ranked. See /runs/{run.id}.")
    return run.suite, await measurements.read_run(connection, run.id, category)


async def _read_newest(
    connection: Connection, suite: str | None, category: str
) -> tuple[str | None, list[Measurement]]:
    if suite is None:
        suite = await measurements.find_newest_suite(connection)
    else:
        await find_suite(connection, suite, None)
    return suite, [] if suite is None else await measurements.read_newest(connection, suite, category)


def list_standings(board: Board) -> list[Standing]:
    """Models with an accuracy first, best on top; then, without a rank, those that were not measured."""
    measured, places = board.measured, board.ranking.places()
    newest = max(measured, key=lambda each: (each.finished_at, each.run_id), default=None)
    ordered = sorted(measured, key=lambda each: (each.accuracy is None, -(each.accuracy or 0), each.model))
    return [
        _stand(each, _place(each, measured), places.get(each.model), _explain(each, newest or each))
        for each in ordered
    ]


def _place(each: Measurement, measured: Sequence[Measurement]) -> int | None:
    if each.accuracy is None:
        return None
    return 1 + sum(other.accuracy is not None and other.accuracy > each.accuracy for other in measured)


def _stand(each: Measurement, place: int | None, possible: Rank | None, note: str | None) -> Standing:
    return Standing(
        rank=place,
        rank_best=possible.best if possible else None,
        rank_worst=possible.worst if possible else None,
        tied=possible is not None and possible.best < possible.worst,
        model=each.model,
        accuracy=each.accuracy,
        accuracy_lower=each.accuracy_lower,
        accuracy_upper=each.accuracy_upper,
        n=each.questions,
        coverage=each.coverage,
        pass_rate=each.pass_rate,
        latency_mean_seconds=each.latency_mean_seconds,
        latency_p50_seconds=each.latency_p50_seconds,
        latency_p95_seconds=each.latency_p95_seconds,
        cost_usd=each.cost_usd,
        run_id=each.run_id,
        finished_at=each.finished_at,
        note=note,
    )


def _explain(each: Measurement, newest: Measurement) -> str | None:
    """What a reader must know beside the numbers: no score, missing scores, or another yardstick."""
    notes = []
    if each.accuracy is None:
        notes.append(f"{'no score' if each.answered else 'no answer'}: {_tally(each.errors)}")
    elif each.errors:
        notes.append(_tally(each.errors))
    if each.suite_version != newest.suite_version:
        notes.append(f"suite version {each.suite_version}")
    if (each.judge, each.judge_version) != (newest.judge, newest.judge_version):
        notes.append(_name_grader(each))
    if (each.prompt, each.prompt_version) != (newest.prompt, newest.prompt_version):
        notes.append(f"prompt {each.prompt} v{each.prompt_version}" if each.prompt else "no prompt")
    return "; ".join(notes) or None


def _name_grader(each: Measurement) -> str:
    if each.kind is RunKind.IMPORTED:
        return "imported scores"
    return f"judge {each.judge} v{each.judge_version}" if each.judge else "no judge"


def _tally(errors: Mapping[str, int]) -> str:
    """Reasons with their counts, the most frequent first: `50 × timeout, 2 × truncated`."""
    ordered = sorted(errors.items(), key=lambda entry: (-entry[1], entry[0]))
    return ", ".join(f"{count} × {kind.replace('_', ' ')}" for kind, count in ordered)
