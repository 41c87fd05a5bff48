"""What Compare shows of two runs: a verdict, what it stands on, and what would decide an open one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never
from urllib.parse import urlencode

from services.api.dashboard import numbers
from services.api.dashboard.views.flip_cards import FlipCard, describe_flip
from services.api.dashboard.views.run_choice import RunChoice, name_run
from services.api.dashboard.views.verdict import (
    choose_stamp,
    name_judge,
    tell_finding,
    tell_settling,
    write_headline,
)
from services.api.problems import Problem
from services.api.schemas.comparison import ComparedRun, Paired, PairedModel, RunComparison
from shared.db import aggregates
from shared.db import comparison as database
from shared.db.pool import Connection
from shared.db.runs import Run
from shared.domain.errors import InvalidInput
from shared.domain.figures.aggregation import ALL_CATEGORIES
from shared.domain.figures.comparison import GateVerdict
from shared.domain.runs import RunId

FLIPS_SHOWN = 10
NARROWEST = 0.05  # of an axis of differences, to either side


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why two runs are not subtracted, in the API's own words."""

    told: str
    runs: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """A model or a category. `finding` is the word of its mark, `alone` the address that tells it alone."""

    name: str
    mark: str
    finding: str
    paired: Paired
    alone: str = ""


@dataclass(frozen=True, slots=True)
class ModelRows:
    whole: Row
    categories: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """The axes of differences go from minus their reach to plus it."""

    stamp: str
    stamp_kind: str
    story: tuple[str, ...]
    settling: tuple[str, ...]
    comparison: RunComparison
    runs: tuple[str, str]
    names: tuple[str, str]
    reach: float
    model_reach: float
    category_reach: float
    models: tuple[ModelRows, ...]
    flips: tuple[FlipCard, ...]
    flips_in_all: int
    flips_listed: int
    page: int
    pages: int
    address: str


@dataclass(frozen=True, slots=True)
class TwoRuns:
    """Both are None until two runs are chosen."""

    headline: str
    choice: RunChoice
    found: Found | None = None
    refusal: Refusal | None = None


def ask_for_runs(choice: RunChoice) -> TwoRuns:
    return TwoRuns("Which two runs?", choice)


def refuse_comparison(
    baseline: Run, candidate: Run, choice: RunChoice, error: Problem | InvalidInput
) -> TwoRuns:
    told = error.detail if isinstance(error, Problem) else f"{error.field}: {error.problem} {error.remedy}"
    refusal = Refusal(told, (name_run(baseline), name_run(candidate)))
    return TwoRuns("These two runs can't be compared", choice, refusal=refusal)


async def read_two_runs(
    connection: Connection, told: RunComparison, choice: RunChoice, address: str, page: int
) -> TwoRuns:
    """Put into words what was found; `address` is that of the comparison, for its further pages."""
    items = told.flips.items
    pages = max(1, -(-len(items) // FLIPS_SHOWN))
    page = min(page, pages)
    shown = items[(page - 1) * FLIPS_SHOWN : page * FLIPS_SHOWN]
    asked = await database.read_questions_asked(
        connection, RunId(told.candidate.id), [one.question for one in shown]
    )
    costs = [await _cost_of_pair(connection, run) for run in (told.baseline, told.candidate)]
    categories = [part for model in told.models for part in model.categories]
    stamp, kind = choose_stamp(told)
    found = Found(
        stamp=stamp,
        stamp_kind=kind,
        story=tuple(tell_finding(told)),
        settling=tuple(tell_settling(told, costs)),
        comparison=told,
        runs=(_name(told.baseline), _name(told.candidate)),
        names=("Baseline", "Candidate")
        if not told.same_answers
        else (name_judge(told.baseline), name_judge(told.candidate)),
        reach=_reach([told.pooled]),
        model_reach=_reach(told.models),
        category_reach=_reach(categories),
        models=tuple(_list_models(told)),
        flips=tuple(describe_flip(one, *asked.get(one.question, ("", ""))) for one in shown),
        flips_in_all=told.flips.broke + told.flips.fixed,
        flips_listed=len(items),
        page=page,
        pages=pages,
        address=address,
    )
    return TwoRuns(write_headline(told), choice, found)


def _reach(paired: Sequence[Paired]) -> float:
    return min(1.0, max([NARROWEST, *(max(-one.lower, one.upper) for one in paired)]))


async def _cost_of_pair(connection: Connection, run: ComparedRun) -> float | None:
    """What a pair of this run has cost, its judging included, in US dollars; None if a price is not known."""
    wholes = [
        one
        for one in await aggregates.read_aggregates(connection, RunId(run.id))
        if one.category == ALL_CATEGORIES
    ]
    answered = sum(one.answered for one in wholes)
    total = 0.0
    for one in wholes:
        if one.cost_usd is None or one.judge_cost_usd is None:
            return None
        total += float(one.cost_usd + one.judge_cost_usd)
    return total / answered if answered else None


def _list_models(told: RunComparison) -> list[ModelRows]:
    rows = []
    for model in told.models:
        name = model.candidate_model
        if model.baseline_model != name:
            name = f"{model.baseline_model} → {name}"
        categories = tuple(
            Row(one.category, *_find_of_category(one.is_worse, told.same_answers), one)
            for one in model.categories
        )
        whole = Row(name, *_find(model, told.same_answers), model, _address_alone(told, model))
        rows.append(ModelRows(whole, categories))
    return rows


def _address_alone(told: RunComparison, model: PairedModel) -> str:
    """Where this model alone is told; empty where it is alone already."""
    if len(told.models) == 1:
        return ""
    chosen = {
        "baseline": told.baseline.id, "candidate": told.candidate.id, "margin": f"{100 * told.margin:g}",
        "baseline_model": model.baseline_model, "candidate_model": model.candidate_model,
    }  # fmt: skip
    return f"/compare?{urlencode(chosen)}"


def _find(paired: Paired, is_judges: bool) -> tuple[str, str]:
    match paired.verdict:
        case GateVerdict.PASS:
            return "steady", "not stricter" if is_judges else "not worse"
        case GateVerdict.FAIL:
            return ("judge", "stricter") if is_judges else ("drifting", "worse")
        case GateVerdict.INCONCLUSIVE:
            return "unmeasured", "open"
        case never:
            assert_never(never)


def _find_of_category(is_worse: bool, is_judges: bool) -> tuple[str, str]:
    if is_worse:
        return ("judge", "stricter") if is_judges else ("drifting", "worse")
    return "steady", "no change found"


def _name(run: ComparedRun) -> str:
    return (
        f"{run.suite} v{run.suite_version}, {run.kind}, {numbers.moment(run.finished_at)}, {str(run.id)[:8]}"
    )
