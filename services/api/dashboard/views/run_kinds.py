"""What a run is, in words: its name, its state, and where it comes from."""

from dataclasses import dataclass

from services.api.dashboard import numbers
from shared.db.runs import Run
from shared.domain.runs import RunKind, RunState

KINDS = {
    RunKind.ADHOC: "one-off",
    RunKind.NIGHTLY: "nightly",
    RunKind.CONFIRMATION: "confirmation",
    RunKind.GATE: "gate",
    RunKind.RERUN: "judged again",
    RunKind.IMPORTED: "imported",
}
STATES = {
    RunState.SUBMITTED: "being planned",
    RunState.PLANNED: "waiting for workers",
    RunState.RUNNING: "running",
    RunState.COMPLETED: "complete",
    RunState.CANCELLED: "cancelled",
    RunState.STOPPED_BY_BUDGET: "stopped by its budget",
    RunState.FAILED: "failed",
}
_MARKS = {
    RunState.COMPLETED: "steady",
    RunState.CANCELLED: "outage",
    RunState.STOPPED_BY_BUDGET: "outage",
    RunState.FAILED: "failed",
}


@dataclass(frozen=True, slots=True)
class Pointer:
    """A word and what it names, such as the schedule of a night; `to` is empty where no page is about it."""

    told: str
    text: str
    to: str


def mark_run(run: Run) -> str:
    return _MARKS.get(run.state, "running")


def tell_state(run: Run) -> str:
    is_stopping = run.stop_reason is not None and not run.state.is_final
    return "being stopped" if is_stopping else STATES[run.state]


def name_run(run: Run) -> str:
    """A headline, for example `Night of 14 November, golden v3`."""
    suite, models = f"{run.suite} v{run.suite_version}", name_models(run)
    match run.kind:
        case RunKind.NIGHTLY | RunKind.CONFIRMATION:
            assert run.night is not None, "the schema holds this"
            night = f"{numbers.long_night(run.night)} {run.night.year}"
            again = f"Confirmation {run.attempt} of the night of"
            return f"{again if run.kind is RunKind.CONFIRMATION else 'Night of'} {night}, {suite}"
        case RunKind.GATE:
            return f"Gate: {suite} on {models}"
        case RunKind.RERUN:
            return f"{suite} judged again by {name_judge(run)}"
        case RunKind.IMPORTED:
            return f"Imported: {run.labels.get('source', suite)}"
        case RunKind.ADHOC:
            return f"{suite} on {models}"


def name_models(run: Run) -> str:
    match run.models:
        case [one]:
            return one
        case [one, other]:
            return f"{one} and {other}"
        case several:
            return numbers.many(len(several), "model")


def name_judge(run: Run) -> str:
    return f"{run.judge} v{run.judge_version}" if run.judge else "no judge"


def name_prompt(run: Run) -> str:
    """Empty where each model was asked the bare question."""
    return f"{run.prompt} v{run.prompt_version}" if run.prompt else ""


def point_to_origin(run: Run) -> tuple[Pointer, ...]:
    """What made this run: its schedule, or the run whose answers it scores again."""
    if run.schedule is not None:
        return (Pointer("of schedule", run.schedule, f"/schedules/{run.schedule}"),)
    if run.rejudges is not None:
        return (Pointer("answers of run", str(run.rejudges)[:8], f"/runs/{run.rejudges}"),)
    return ()
