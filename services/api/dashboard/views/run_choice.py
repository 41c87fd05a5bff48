"""Two runs to choose from the newest: the form that asks for a comparison."""

from dataclasses import dataclass
from uuid import UUID

from services.api.dashboard import numbers
from services.api.dashboard.views.choices import Option
from shared.db import runs
from shared.db.pool import Connection
from shared.db.runs import Run
from shared.domain.runs import RunId

LISTED = 60
SHOWN_MODELS = 2
MARGINS = (1.0, 2.0, 3.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class RunChoice:
    """The newest finished runs, twice: one is chosen as baseline, one as candidate. `margin` in points.

    `baseline_models` and `candidate_models` are offered once both runs are known.
    """

    baselines: tuple[Option, ...]
    candidates: tuple[Option, ...]
    margins: tuple[Option, ...]
    baseline_models: tuple[Option, ...] = ()
    candidate_models: tuple[Option, ...] = ()


async def read_run_choice(
    connection: Connection,
    *,
    suite: str | None = None,
    baseline: Run | None = None,
    candidate: Run | None = None,
    models: tuple[str | None, str | None] = (None, None),
    margin: float = 3.0,
) -> RunChoice:
    """List the newest finished runs, and those that are chosen already, whichever suite they are of."""
    listed = [
        one for one in await runs.list_runs(connection, suite=suite, limit=LISTED) if one.state.is_final
    ]
    chosen = [one for one in (baseline, candidate) if one is not None]
    listed += [one for one in chosen if all(one.id != other.id for other in listed)]
    both = baseline is not None and candidate is not None
    return RunChoice(
        _options(listed, baseline.id if baseline else None),
        _options(listed, candidate.id if candidate else None),
        tuple(
            Option(f"{points:g}", f"{points:g} points", points == margin)
            for points in sorted({*MARGINS, margin})
        ),
        _models(baseline, models[0]) if both else (),
        _models(candidate, models[1]) if both else (),
    )


def _options(listed: list[Run], chosen: RunId | UUID | None) -> tuple[Option, ...]:
    return tuple(Option(str(one.id), name_run(one), one.id == chosen) for one in listed)


def _models(run: Run | None, chosen: str | None) -> tuple[Option, ...]:
    return tuple(Option(one, one, one == chosen) for one in (run.models if run else ()))


def name_run(run: Run) -> str:
    """`16 Nov 2026 02:44, nightly, golden v7, gpt-4o, 191b2cbd`."""
    models = ", ".join(run.models) if len(run.models) <= SHOWN_MODELS else f"{len(run.models)} models"
    at = numbers.moment(run.finished_at or run.created_at)
    prompt = f", {run.prompt} v{run.prompt_version}" if run.prompt else ""
    return f"{at}, {run.kind}, {run.suite} v{run.suite_version}{prompt}, {models}, {str(run.id)[:8]}"
