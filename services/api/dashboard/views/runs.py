"""What the list of runs shows: each run in a row, with its progress or its result."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from services.api.dashboard import numbers
from services.api.dashboard.views.choices import Option
from services.api.dashboard.views.run_kinds import (
    KINDS,
    STATES,
    Pointer,
    mark_run,
    name_models,
    point_to_origin,
    tell_state,
)
from services.api.paging import BY_TIME
from shared.db import aggregates, pairs, runs, suites
from shared.db.aggregates import RunResult
from shared.db.pool import Connection
from shared.db.runs import Run
from shared.domain.runs import RunId, RunKind, RunState

SHOWN = 50


@dataclass(frozen=True, slots=True)
class RunRow:
    """`done`: percent of an open run's pairs, None before they are planned or once it is finished."""

    id: str
    started: str
    kind: str
    origin: tuple[Pointer, ...]
    mark: str
    state: str
    done: int | None
    suite: str
    models: str
    result: RunResult | None
    reason: str
    spent: str
    took: str


@dataclass(frozen=True, slots=True)
class RunList:
    """`first` and `next` are addresses of pages; `known`: models to choose among."""

    rows: tuple[RunRow, ...]
    kinds: tuple[Option, ...]
    states: tuple[Option, ...]
    suites: tuple[Option, ...]
    model: str
    known: tuple[str, ...]
    is_narrowed: bool
    first: str
    next: str


@dataclass(frozen=True, slots=True)
class RunsWanted:
    kind: RunKind | None
    state: RunState | None
    suite: str | None
    model: str | None

    def as_query(self) -> dict[str, str]:
        asked = {"kind": self.kind, "state": self.state, "suite": self.suite, "model": self.model}
        return {name: str(value) for name, value in asked.items() if value}


async def read_runs(
    connection: Connection, wanted: RunsWanted, cursor: str | None, catalogue: Sequence[str]
) -> RunList:
    """One page of the runs, newest first."""
    place = BY_TIME.read(cursor)
    found = await runs.list_runs(
        connection, before=(place[0], RunId(place[1])) if place else None,
        kind=wanted.kind, state=wanted.state, suite=wanted.suite, model=wanted.model, limit=SHOWN + 1,
    )  # fmt: skip
    page, after = BY_TIME.cut(found, SHOWN, lambda run: (run.created_at, run.id))
    results = await aggregates.read_results(connection, [run.id for run in page if run.state.is_final])
    still_open = await pairs.count_open(connection, [run.id for run in page if not run.state.is_final])
    stored = [one.name for one in await suites.list_suites(connection)]
    query = wanted.as_query()
    return RunList(
        rows=tuple(_describe(run, results.get(run.id), still_open.get(run.id)) for run in page),
        kinds=tuple(_options(KINDS.items(), wanted.kind)),
        states=tuple(_options(STATES.items(), wanted.state)),
        suites=tuple(_options([(name, name) for name in stored], wanted.suite)),
        model=wanted.model or "",
        known=tuple(sorted({*catalogue, *(model for run in page for model in run.models)})),
        is_narrowed=bool(query),
        first=f"/runs?{urlencode(query)}" if place else "",
        next=f"/runs?{urlencode({**query, 'cursor': after})}" if after else "",
    )


def _options(names: Iterable[tuple[str, str]], chosen: str | None) -> Iterator[Option]:
    yield Option("", "all", chosen is None)
    yield from (Option(value, text, value == chosen) for value, text in names)


def _describe(run: Run, result: RunResult | None, still_open: Counter[str] | None) -> RunRow:
    done = None
    if still_open is not None and run.planned_pairs:
        done = int(100 * (run.planned_pairs - still_open.total()) / run.planned_pairs)
    is_ours = run.kind is not RunKind.IMPORTED
    took = (run.finished_at - run.created_at).total_seconds() if run.finished_at and is_ours else None
    return RunRow(
        id=str(run.id),
        started=numbers.moment(run.created_at),
        kind=KINDS[run.kind] + (f", {numbers.night(run.night)}" if run.night else ""),
        origin=point_to_origin(run),
        mark=mark_run(run),
        state=tell_state(run) + (f", {done} %" if done is not None else ""),
        done=done,
        suite=f"{run.suite} v{run.suite_version}",
        models=name_models(run),
        result=result,
        reason=_tell_gap(run, result),
        spent=numbers.usd(run.spent_usd if result is None or result.is_priced or run.spent_usd else None),
        took=numbers.lasting(took) if took is not None else numbers.NOT_MEASURED,
    )


def _tell_gap(run: Run, result: RunResult | None) -> str:
    """Why there is no score to show."""
    if not run.state.is_final:
        return "when it is complete"
    if run.error:
        return run.error
    return "nothing was asked" if result is None else "no answer has a score"
