"""Which run a candidate is compared with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, assert_never

from services.cli.failures import NotMeasured, Refused
from services.cli.gate.results_file import read_file
from services.cli.gate.terms import (
    Baseline,
    FileBaseline,
    LabelledBaseline,
    PinnedBaseline,
    RunBaseline,
)
from services.cli.ids import find_run
from services.cli.server import Json, segment

if TYPE_CHECKING:
    from services.cli.client import Client

EVERYTHING = 10_000
PAGE_RUNS = 100


@dataclass(frozen=True, slots=True)
class Rows:
    """A baseline that is still in a file; it is imported once the candidate's judge is known."""

    rows: Sequence[Json]


Found: TypeAlias = Json | Rows


def find_baseline(
    client: "Client", baseline: Baseline, suite: str, models: Sequence[str], sample: int | None
) -> Found:
    """The baseline as a run, or as the rows of a file.

    Raises:
        NotMeasured: there is none; says how to get one.
        Refused: it is not clear which one is meant, or it can't be read.
    """
    match baseline:
        case RunBaseline(run):
            return _refuse_unfinished(client.get(f"/runs/{segment(find_run(client, run))}"))
        case PinnedBaseline():
            return _find_pinned(client, suite, models)
        case LabelledBaseline():
            return _find_labelled(client, baseline, suite, models, sample)
        case FileBaseline(file):
            if not file.exists():
                raise NotMeasured(
                    f"--baseline-file: there is no {file}, so there is nothing to compare with.\n"
                    "Write one where all is well: driftwarden gate --results FILE."
                )
            return Rows(read_file(file))
        case _ as other:
            assert_never(other)


def _refuse_unfinished(run: Json) -> Json:
    if run["state"] != "completed":
        state = run["state"].replace("_", " ")
        raise NotMeasured(f"--baseline: run {run['id']} is {state}, not completed. Name another one.")
    return run


def _find_labelled(
    client: "Client", wanted: LabelledBaseline, suite: str, models: Sequence[str], sample: int | None
) -> Json:
    for run in _list_completed(client, suite, next(iter(wanted.labels.items()))):
        is_labelled = wanted.labels.items() <= run["labels"].items()
        if is_labelled and _asked_enough(run, sample) and set(run["models"]) & set(models):
            return client.get(f"/runs/{segment(run['id'])}")
    labels = " ".join(f"--label {key}={value}" for key, value in wanted.labels.items())
    raise NotMeasured(
        f"--baseline-label: no completed run of {suite} that asked as many questions has {wanted}.\n"
        f"Measure one where all is well: driftwarden run --suite {suite} {labels} --wait."
    )


def _list_completed(client: "Client", suite: str, label: tuple[str, str]) -> Iterator[Json]:
    """Newest first."""
    cursor = None
    while True:
        page = client.get(
            "/runs", suite=suite, state="completed", label="=".join(label), limit=PAGE_RUNS, cursor=cursor
        )
        yield from page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _asked_enough(run: Json, sample: int | None) -> bool:
    """A larger sample of a suite holds every smaller one."""
    return run["sample"] is None or (sample is not None and run["sample"] >= sample)


def _find_pinned(client: "Client", suite: str, models: Sequence[str]) -> Json:
    schedules = client.list_items("/schedules", EVERYTHING)["items"]
    of_suite = {schedule["name"] for schedule in schedules if schedule["suite"] == suite}
    pinned = {
        (each["schedule"], each["first_night"], each["last_night"])
        for each in client.list_items("/baselines", EVERYTHING)["items"]
        if each["schedule"] in of_suite and each["model"] in models
    }
    if not pinned:
        raise NotMeasured(
            f"--baseline pinned: none of these models has a pinned baseline on {suite}.\n"
            "Pin one with `driftwarden baselines set`, or name a run with --baseline RUN."
        )
    if len(pinned) > 1:
        nights = ", ".join(f"{schedule} until {last}" for schedule, _, last in sorted(pinned))
        raise Refused(
            f"--baseline pinned: the models' baselines differ ({nights}). Name a run with --baseline RUN,"
            " or one --model."
        )
    [(schedule, first, last)] = pinned
    for night in client.list_items(f"/schedules/{segment(schedule)}/nights", EVERYTHING)["items"]:
        nightly = [run for run in night["runs"] if run["attempt"] == 0 and run["state"] == "completed"]
        if first <= night["night"] <= last and nightly:
            return client.get(f"/runs/{segment(nightly[0]['run_id'])}")
    raise NotMeasured(f"--baseline pinned: no night of {schedule} from {first} to {last} was completed.")
