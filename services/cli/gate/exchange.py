"""Results on their way between a server and a file: the candidate's out, the baseline's in."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from services.cli.failures import NotMeasured, Refused
from services.cli.gate.baseline import EVERYTHING
from services.cli.gate.results_file import describe_row, fit_rows, write_lines
from services.cli.numbers import many
from services.cli.render import tell
from services.cli.results import IMPORT_SECONDS
from services.cli.server import Json, segment

if TYPE_CHECKING:
    from services.cli.client import Client

MOST_QUESTIONS = 1_000_000
READ_SECONDS = 300.0  # how long the server may be silent while it writes a run's results


def import_baseline(client: "Client", rows: Sequence[Json], candidate: Json) -> tuple[Json, Sequence[str]]:
    """Import what of a file can be compared with the candidate: the run that it is now, and what is missing.

    Raises:
        NotMeasured: nothing can be compared.
    """
    questions = _read_questions(client, candidate)
    judge, judged_by = _find_judge(client, candidate)
    fitting = fit_rows(rows, questions, candidate["suite"], judge, judged_by)
    if not fitting.rows:
        raise NotMeasured(
            "--baseline-file: none of its questions is asked in the same way now, so nothing can be compared."
        )
    imported = client.upload("/results:import", write_lines(fitting.rows), answer_seconds=IMPORT_SECONDS)
    baseline = client.get(f"/runs/{segment(imported['runs'][0]['run_id'])}")
    if not fitting.questions_left_out:
        return baseline, []
    left_out = many(fitting.questions_left_out, "question")
    return baseline, [f"{left_out} of the baseline file: text or scorer is another now, so not compared."]


def write_results(client: "Client", run: Json, path: Path) -> None:
    """Write a run's results as a later gate's baseline."""
    judge, _ = _find_judge(client, run)
    try:
        with path.open("wb") as file:
            file.writelines(write_lines(describe_row(row, run, judge) for row in read_results(client, run)))
    except OSError as error:
        raise Refused(f"--results: {path} can't be written: {error.strerror}.") from error
    tell(f"wrote {path}")


def read_results(client: "Client", run: Json) -> Iterator[Json]:
    path = f"/runs/{segment(run['id'])}/export"
    with client.stream(path, format="jsonl", answer_seconds=READ_SECONDS) as response:
        rest = b""
        # Not iter_lines: answers hold what only Unicode takes for the end of a line.
        for chunk in response.iter_bytes():
            *lines, rest = (rest + chunk).split(b"\n")
            yield from map(json.loads, lines)


def _read_questions(client: "Client", run: Json) -> dict[str, Json]:
    path = f"/suites/{segment(run['suite'])}/questions"
    page = client.list_items(path, MOST_QUESTIONS, version=run["suite_version"])
    return {question["id"]: question for question in page["items"]}


def _find_judge(client: "Client", run: Json) -> tuple[Json | None, str | None]:
    """The judge of a run, and what comparisons call it."""
    if run["judge"] is None:
        return None, None
    for judge in client.list_items("/judges", EVERYTHING)["items"]:
        if (judge["name"], judge["version"]) == (run["judge"], run["judge_version"]):
            return judge, f"{run['judge']} v{run['judge_version']}"
    return None, None
