"""Comparing two runs: only what was measured by the same yardstick, else the reason why not."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from services.api.desk import Desk
from services.api.problems import Problem
from services.api.schemas.comparison import Flip
from shared.db import comparison as database
from shared.db.comparison import Unit
from shared.db.pool import Connection
from shared.db.runs import Run
from shared.domain.errors import InvalidInput
from shared.domain.figures.comparison import (
    CategoryComparison,
    Change,
    Comparison,
    FleetComparison,
    NotCompared,
    Scores,
    compare_categories,
    compare_models,
)
from shared.domain.runs import RunKind

SHOWN_FLIPS = 200
SHOWN_MODELS = 10


class NotComparable(Problem):
    status, title = HTTPStatus.CONFLICT, "Not comparable"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two runs. `graders`: who graded a unit, where that is not the question's own scorer."""

    run: Run
    units: Mapping[str, Unit]
    scores: Mapping[str, Scores]
    graders: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Match:
    """A model of the baseline and the one of the candidate that it is compared with."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Pairing:
    """What is compared with what. Models of one run alone are named unless somebody chose the models."""

    matches: Sequence[Match]
    baseline_only: Sequence[str] = ()
    candidate_only: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """Models stand under the candidate's names; `pooled` is all of them together."""

    fleet: FleetComparison
    categories: Mapping[str, Sequence[CategoryComparison]]
    pooled: Comparison


async def compare_runs(
    desk: Desk, baseline: Run, candidate: Run, matches: Sequence[Match], margin: float
) -> tuple[Findings, list[Flip]]:
    """Compare two finished runs, model by model, and read what flipped.

    Raises:
        NotComparable: a run is still open, another judge graded other answers, or no question has a score in
            both.
    """
    _refuse_open(baseline, candidate)
    async with desk.connection() as connection:
        before = await _read_side(connection, baseline, [match.before for match in matches])
        after = await _read_side(connection, candidate, [match.after for match in matches])
    if not share_answers(baseline, candidate, matches):
        _refuse_another_grader(before, after)
    findings = await asyncio.to_thread(_compare, before, after, matches, margin)
    async with desk.connection() as connection:
        return findings, await _read_flips(connection, before, after, matches, findings.pooled)


def match_models(
    baseline: Run, candidate: Run, model: str | None, before: str | None, after: str | None
) -> Pairing:
    """Which model is compared with which: those named, else each one that both runs have.

    Raises:
        InvalidInput: a named model is not in its run, or only one of two is named.
        NotComparable: the runs have no model in common, and none is named.
    """
    if model is not None and (before or after):
        raise InvalidInput("model", "comes with another choice of models.", "Give one of the two.")
    if (before is None) != (after is None):
        missing = "candidate_model" if after is None else "baseline_model"
        raise InvalidInput(missing, "is missing.", "Name both models, or neither.")
    _refuse_absent("model" if model else "baseline_model", before or model, baseline)
    _refuse_absent("model" if model else "candidate_model", after or model, candidate)
    if before is not None and after is not None:
        return Pairing([Match(before, after)])
    if model is not None:
        return Pairing([Match(model, model)])
    shared = [name for name in baseline.models if name in candidate.models]
    if not shared:
        raise NotComparable(
            "The runs have no model in common. Name one of each: baseline_model and candidate_model."
        )
    return Pairing(
        [Match(name, name) for name in shared],
        baseline_only=[name for name in baseline.models if name not in shared],
        candidate_only=[name for name in candidate.models if name not in shared],
    )


def share_answers(baseline: Run, candidate: Run, matches: Sequence[Match]) -> bool:
    """Whether the two runs score the very same answers, so that what differs is the judge's doing."""
    origins = {run.rejudges or run.id for run in (baseline, candidate)}
    same_models = all(match.before == match.after for match in matches)
    return baseline.id != candidate.id and len(origins) == 1 and same_models


def _refuse_absent(field: str, model: str | None, run: Run) -> None:
    if model is not None and model not in run.models:
        problem = f"{model!r} is not in run {run.id}."
        raise InvalidInput(field, problem, f"It has {', '.join(run.models[:SHOWN_MODELS])}.")


def _refuse_open(*runs: Run) -> None:
    for run in runs:
        if not run.state.is_final:
            raise NotComparable(f"Run {run.id} is {run.state}. Wait until it is finished.")


async def _read_side(connection: Connection, run: Run, models: Sequence[str]) -> Side:
    units = await database.read_units(connection, run.suite_version_id)
    scores = await database.read_scores(connection, run.id, models)
    if run.kind is RunKind.IMPORTED:
        graders = await database.read_evaluators(connection, run.id, models)
    else:
        judge = f"{run.judge} v{run.judge_version}"
        graders = {name: judge for name, unit in units.items() if unit.asks_judge}
    return Side(run, units, scores, graders)


def _refuse_another_grader(before: Side, after: Side) -> None:
    """Refuse scores that a change of the grader may have moved.

    Two imported runs must name the same evaluator everywhere, for a question's own scorer was not at work in
    them; else it is the judged questions that count.
    """
    both_imported = before.run.kind is after.run.kind is RunKind.IMPORTED
    shared = _scored_units(before) & _scored_units(after)
    for name, unit in before.units.items():
        then, now = before.graders.get(name), after.graders.get(name)
        if name in shared and then != now and (both_imported or unit.asks_judge):
            raise NotComparable(
                f"Question {unit.key!r} was graded by {then or 'nobody known'} in the baseline and by"
                f" {now or 'nobody known'} in the candidate, so a difference may be the grader's."
                " Measure both again with one judge, and compare those runs."
            )


def _scored_units(side: Side) -> set[str]:
    return {unit for scores in side.scores.values() for unit in scores}


def _compare(before: Side, after: Side, matches: Sequence[Match], margin: float) -> Findings:
    baseline = {match.after: before.scores.get(match.before, {}) for match in matches}
    candidate = {match.after: after.scores.get(match.after, {}) for match in matches}
    units = {**before.units, **after.units}
    clusters = {name: unit.cluster for name, unit in units.items()}
    categories = {name: unit.category for name, unit in units.items()}
    repeats = max(before.run.repeats, after.run.repeats)
    fleet = compare_models(baseline, candidate, clusters=clusters, margin=margin, repeats=repeats)
    if isinstance(fleet.pooled, NotCompared):
        raise NotComparable(
            "No question has a score in both runs: a question is the same only with the same input, target,"
            " scorer and cluster. Compare runs of one suite, whose answers were scored."
        )
    by_category = {
        model: compare_categories(
            baseline[model], candidate[model], categories, clusters=clusters, margin=margin, repeats=repeats
        )
        for model in fleet.by_model
    }
    return Findings(fleet, by_category, fleet.pooled)


def _choose_flips(pooled: Comparison) -> list[Change]:
    """What is shown of the flips: both kinds get their half of the places, or what the other leaves of it."""
    broke, fixed = pooled.broke, pooled.fixed
    half = SHOWN_FLIPS // 2
    kept = broke[: max(half, SHOWN_FLIPS - len(fixed))]
    return [*kept, *fixed[: SHOWN_FLIPS - len(kept)]]


async def _read_flips(
    connection: Connection, before: Side, after: Side, matches: Sequence[Match], pooled: Comparison
) -> list[Flip]:
    chosen = _choose_flips(pooled)
    model_before = {match.after: match.before for match in matches}
    then = [(model_before[flip.model], before.units[flip.question].number) for flip in chosen]
    now = [(flip.model, after.units[flip.question].number) for flip in chosen]
    answers_then = await database.read_answers(connection, before.run.id, then)
    answers_now = await database.read_answers(connection, after.run.id, now)
    return [
        Flip(
            model=flip.model,
            question=after.units[flip.question].key,
            category=after.units[flip.question].category,
            score_before=flip.before,
            score_after=flip.after,
            answer_before=answers_then.get(asked_then),
            answer_after=answers_now.get(asked_now),
        )
        for flip, asked_then, asked_now in zip(chosen, then, now, strict=True)
    ]
