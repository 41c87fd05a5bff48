"""What the page of a run shows: how far it is, or what it came to, and every answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from services.api.dashboard import numbers
from services.api.dashboard.views.answers import Answers, read_answers
from services.api.dashboard.views.lede import Fact
from services.api.dashboard.views.progress import Progress, describe_progress
from services.api.dashboard.views.run_kinds import (
    KINDS,
    Pointer,
    mark_run,
    name_judge,
    name_prompt,
    name_run,
    point_to_origin,
    tell_state,
)
from services.api.dashboard.views.run_result import tell_result
from services.api.dashboard.views.run_totals import RunTotals, describe_totals, list_reasons
from services.api.events import tell_progress
from services.api.schemas.runs import RunProgress
from shared.db import aggregates, pairs, related_runs
from shared.db.aggregates import RunAggregate
from shared.db.pool import Connection
from shared.db.related_runs import RelatedRun
from shared.db.results import ResultFilter
from shared.db.runs import Run
from shared.domain.runs import RunKind, RunState

SHOWN_MODELS = 20


@dataclass(frozen=True, slots=True)
class RunView:
    """`progress` is there while the run is open, `totals` and `facts` once it is finished.

    `warning`: why its numbers are no measurement. `rejudge`: the command that has its answers judged again.
    """

    id: str
    mark: str
    state: str
    kick: tuple[str, ...]
    headline: str
    story: str
    warning: str
    origin: tuple[Pointer, ...]
    related: tuple[Pointer, ...]
    compare: Pointer | None
    rejudge: str
    can_stop: bool
    came_too_late: bool
    progress: Progress | None
    facts: tuple[Fact, ...]
    totals: RunTotals | None
    answers: Answers
    about: tuple[Pointer, ...]


async def read_run(
    connection: Connection, run: Run, wanted: ResultFilter, page: int, now: datetime, *, too_late: bool
) -> RunView:
    is_over = run.state.is_final
    found = await aggregates.read_aggregates(connection, run.id) if is_over else []
    progress = None if is_over else tell_progress(run, await pairs.count_states(connection, run.id))
    related = await related_runs.list_related_runs(connection, run)
    totals = describe_totals(run, found, wanted.model) if found else None
    return RunView(
        id=str(run.id),
        mark=mark_run(run),
        state=tell_state(run).capitalize(),
        kick=tuple(_write_kick(run)),
        headline=name_run(run),
        story=_write_story(run, totals.models if totals else (), progress),
        warning=_warn(run),
        origin=point_to_origin(run),
        related=tuple(_point_to(one) for one in related),
        compare=await _choose_comparison(connection, run, related),
        rejudge=_write_rejudge(run),
        can_stop=not is_over and run.stop_reason is None,
        came_too_late=too_late and is_over,
        progress=describe_progress(run, progress, now) if progress else None,
        facts=tell_result(run, totals.models) if totals else (),
        totals=totals,
        answers=await read_answers(connection, run, wanted, page),
        about=tuple(_describe(run)),
    )


def _write_kick(run: Run) -> Iterator[str]:
    yield KINDS[run.kind].capitalize()
    verb = "measured" if run.kind is RunKind.IMPORTED else "started"
    yield f"{verb} {numbers.moment(run.created_at)} UTC"
    if run.prompt:
        yield f"prompt {name_prompt(run)}"
    if run.judge:
        yield f"judge {name_judge(run)}"
    if run.git_commit:
        yield f"commit {run.git_commit[:12]}"


def _write_story(run: Run, models: Sequence[RunAggregate], progress: RunProgress | None) -> str:
    if progress is not None:
        if run.stop_reason:
            return "What was not asked yet is skipped; answers under way are still taken, then it closes."
        if progress.planned_pairs is None:
            return "Its pairs are being planned. Numbers come with the first answers."
        return (
            "Scores are told when it is complete: what answers fast comes first, so a mean so far would"
            " mislead."
        )
    if not models:
        return ""
    scored, planned = sum(one.scored for one in models), sum(one.planned for one in models)
    if scored == planned:
        return f"All {numbers.many(planned, 'pair')} have a score."
    told = f"{numbers.count(scored)} of {numbers.many(planned, 'pair')} have a score."
    return f"{told} The others are not counted as wrong: {numbers.tally(list_reasons(models))}."


def _warn(run: Run) -> str:
    match run.state:
        case RunState.CANCELLED:
            return "It was cancelled. What was measured stays, but no trend or baseline counts it."
        case RunState.STOPPED_BY_BUDGET:
            return (
                f"It was stopped when its answers had cost what was allowed, {numbers.usd(run.max_cost_usd)}"
                " USD. What was measured stays, but no trend or baseline counts it."
            )
        case RunState.FAILED:
            return f"It failed: {run.error or 'no reason was stored'}"
        case _:
            return ""


def _point_to(one: RelatedRun) -> Pointer:
    match one.kind:
        case RunKind.RERUN:
            told, text = "judged again by", f"{one.judge} v{one.judge_version}"
        case RunKind.CONFIRMATION:
            told, text = "asked again in", f"confirmation {one.attempt}"
        case _:
            told, text = "confirms", "the nightly run"
    state = "" if one.state is RunState.COMPLETED else f", {one.state.replace('_', ' ')}"
    return Pointer(told, text + state, f"/runs/{one.id}")


async def _choose_comparison(
    connection: Connection, run: Run, related: Sequence[RelatedRun]
) -> Pointer | None:
    """With the run it scores again or confirms, else with the one of its kind before it."""
    if not run.state.is_final or run.state is RunState.FAILED:
        return None
    if run.rejudges is not None:
        return _compare("Compare the two judges", run.rejudges, run)
    nightly = next((one for one in related if one.kind is RunKind.NIGHTLY), None)
    if run.kind is RunKind.CONFIRMATION and nightly is not None:
        return _compare("Compare with the nightly run", nightly.id, run)
    before = await related_runs.find_previous_run(connection, run)
    return _compare(f"Compare with the {KINDS[run.kind]} run before", before, run) if before else None


def _compare(text: str, baseline: object, run: Run) -> Pointer:
    return Pointer("", text, f"/compare?baseline={baseline}&candidate={run.id}")


def _write_rejudge(run: Run) -> str:
    """Empty where no judge could: only a completed run of our own whose questions ask one."""
    is_judged = run.judge_id is not None and run.kind is not RunKind.IMPORTED
    is_complete = run.state is RunState.COMPLETED
    return f"driftwarden rejudge {run.id} --judge JUDGE" if is_judged and is_complete else ""


def _describe(run: Run) -> Iterator[Pointer]:
    """Everything that was settled when it was submitted."""
    more = len(run.models) - SHOWN_MODELS
    others = f" and {numbers.count(more)} more" if more > 0 else ""
    yield Pointer("Run", str(run.id), "")
    yield Pointer("Suite", f"{run.suite} v{run.suite_version}", f"/suites/{run.suite}")
    yield Pointer("Models", ", ".join(run.models[:SHOWN_MODELS]) + others, "")
    if run.prompt:
        yield Pointer("Prompt", name_prompt(run), "/prompts")
    yield Pointer("Judge", name_judge(run), "")
    yield Pointer("Repeats", numbers.count(run.repeats), "")
    if run.sample:
        yield Pointer("Sample", numbers.many(run.sample, "question"), "")
    if run.parameters:
        yield Pointer("Parameters", orjson.dumps(run.parameters, option=orjson.OPT_SORT_KEYS).decode(), "")
    if run.labels:
        told = ", ".join(f"{name}={value}" for name, value in sorted(run.labels.items()))
        yield Pointer("Labels", told, "")
    if run.git_commit:
        yield Pointer("Commit", run.git_commit, "")
    if run.client_versions:
        told = ", ".join(f"{name} {one}" for name, one in sorted(run.client_versions.items()))
        yield Pointer("Made with", told, "")
    if run.finished_at and run.kind is not RunKind.IMPORTED:
        yield Pointer("Finished", f"{numbers.moment(run.finished_at)} UTC", "")
