"""The leaderboard: who ranks where, as far as the intervals tell, and what has to be said beside it."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from services.api.problems import Problem
from services.api.schemas.models import Standing
from shared.db.measurements import Measurement
from shared.domain.aggregation import Accuracy, IntervalMethod, Rank, rank
from shared.domain.runs import RunKind


class RunUnfinished(Problem):
    status, title = HTTPStatus.CONFLICT, "Run not completed"


def rank_models(measured: Sequence[Measurement]) -> list[Standing]:
    """Models with an accuracy first, best on top; then, without a rank, those that were not measured."""
    places = rank({each.model: _accuracy(each) for each in measured})
    newest = max(measured, key=lambda each: (each.finished_at, each.run_id), default=None)
    ordered = sorted(measured, key=lambda each: (each.accuracy is None, -(each.accuracy or 0), each.model))
    return [
        _stand(each, _place(each, measured), places.get(each.model), _explain(each, newest or each))
        for each in ordered
    ]


def _accuracy(each: Measurement) -> Accuracy | None:
    if each.accuracy is None:
        return None
    assert each.accuracy_lower is not None
    assert each.accuracy_upper is not None
    assert each.interval_method is not None
    method = IntervalMethod(each.interval_method)
    return Accuracy(each.accuracy, each.accuracy_lower, each.accuracy_upper, each.questions, method)


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
    return "; ".join(notes) or None


def _name_grader(each: Measurement) -> str:
    if each.kind is RunKind.IMPORTED:
        return "imported scores"
    return f"judge {each.judge} v{each.judge_version}" if each.judge else "no judge"


def _tally(errors: Mapping[str, int]) -> str:
    """Reasons with their counts, the most frequent first: `50 × timeout, 2 × truncated`."""
    ordered = sorted(errors.items(), key=lambda entry: (-entry[1], entry[0]))
    return ", ".join(f"{count} × {kind.replace('_', ' ')}" for kind, count in ordered)
