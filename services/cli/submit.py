"""`driftwarden run`: measure models on a suite."""

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from services.cli.failures import Refused, Unreachable
from services.cli.help import MEASURE, examples
from services.cli.leaderboard import describe_leaderboard
from services.cli.numbers import many
from services.cli.options import (
    AllowSelfJudging,
    AsJson,
    GitCommit,
    JudgeOfModelsFile,
    Labels,
    Models,
    PromptName,
    Repeats,
    Sample,
    Wait,
)
from services.cli.prompts import SUFFIXES as PROMPT_SUFFIXES
from services.cli.prompts import read_prompt
from services.cli.provider_keys import read_provider_keys
from services.cli.render import show, show_answer, show_json, tell
from services.cli.run_tables import describe_estimate, describe_run
from services.cli.server import Json, connect
from services.cli.suites import SUFFIXES, import_suite

if TYPE_CHECKING:
    from services.cli.client import Client

GIT_SECONDS = 5.0

commands = typer.Typer()


@commands.command(
    rich_help_panel=MEASURE,
    epilog=examples(
        "run --suite golden --wait",
        "run --suite golden.csv --model openai/gpt-4o --model atlas-large --repeats 3",
        "run --suite golden --sample 50 --dry-run",
        "run --suite golden --label branch=main --max-cost-usd 2.50 --wait --json",
    ),
)
def run(
    suite: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="A suite's name, or a file to import first.")
    ],
    models: Models = None,
    judge: JudgeOfModelsFile = None,
    prompt: PromptName = None,
    repeats: Repeats = None,
    sample: Sample = None,
    suite_version: Annotated[
        int | None, typer.Option(metavar="N", help="An earlier version of the suite [default: the newest].")
    ] = None,
    max_cost_usd: Annotated[
        float | None, typer.Option(metavar="USD", help="Stop the run when it has cost this much.")
    ] = None,
    labels: Labels = None,
    git_commit: GitCommit = None,
    kind: Annotated[
        str | None, typer.Option(metavar="adhoc|gate", help="What the run is for [default: adhoc].")
    ] = None,
    allow_self_judging: AllowSelfJudging = False,
    provider_keys: Annotated[
        list[str] | None,
        typer.Option(
            "--provider-key",
            metavar="PROVIDER=NAME",
            help="Ask a provider with the key in this environment variable, for this run only.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what the run would cost, and start nothing.")
    ] = False,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Measure models on a suite.

    Every question is put to every model, and each answer is scored.

    The run goes on at the server whether this command waits for it or not. With --wait, a run that fails or
    is stopped gives exit code 1.
    """
    request = {
        "models": models,
        "judge": judge,
        "repeats": repeats,
        "sample": sample,
        "suite_version": suite_version,
        "max_cost_usd": max_cost_usd,
        "labels": read_labels(labels or ()) or None,
        "git_commit": find_git_commit() if git_commit is None else git_commit,
        "kind": kind,
        "allow_self_judging": allow_self_judging or None,
    }
    own_keys = read_provider_keys(provider_keys or ())
    # What was not chosen is the server's to choose.
    chosen = {name: value for name, value in request.items() if value not in (None, "")}
    with connect() as client:
        chosen["suite"] = name_suite(client, suite)
        if prompt is not None:
            chosen["prompt"] = name_prompt(client, prompt)
        if dry_run:
            _show_estimate(client.post("/runs:estimate", chosen), as_json)
            return
        accepted = client.post_once("/runs", chosen, str(uuid4()), own_keys)
        if wait:
            wait_and_show(client, accepted, as_json)
        else:
            announce(accepted, as_json)


def name_suite(client: "Client", name_or_file: str) -> str:
    """The suite's name. What looks like a path, or ends as a suite's file does, is imported first."""
    file = Path(name_or_file)
    if file.suffix.lower() not in SUFFIXES and len(file.parts) == 1:
        return name_or_file
    stored = import_suite(client, file)
    tell(f"{stored['name']}: version {stored['version']}, {many(stored['questions'], 'question')}")
    return str(stored["name"])


def name_prompt(client: "Client", name_or_file: str) -> str:
    """A prompt's name. What looks like a path, or ends as a prompt's file does, is stored first."""
    file = Path(name_or_file)
    if file.suffix.lower() not in PROMPT_SUFFIXES and len(file.parts) == 1:
        return name_or_file
    stored = client.post("/prompts", read_prompt(file.stem, file))
    tell(f"{stored['name']}: version {stored['version']} of the prompt")
    return f"{stored['name']}@{stored['version']}"


def read_labels(pairs: Iterable[str], option: str = "--label") -> dict[str, str]:
    """Read the `KEY=VALUE` texts of an option.

    Raises:
        Refused: one has no key or no `=`, or a key comes twice.
    """
    labels: dict[str, str] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not key or not separator:
            raise Refused(f"{option}: {pair!r} is no label. Write KEY=VALUE.")
        if key in labels:
            raise Refused(f"{option}: {key} is given twice. Give each key once.")
        labels[key] = value
    return labels


def find_git_commit() -> str | None:
    """HEAD's commit in the working folder; None where there is no repository, no commit or no git."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "--verify", "--quiet", "HEAD"],
            capture_output=True, text=True, check=False, timeout=GIT_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None


def _show_estimate(estimate: Json, as_json: bool) -> None:
    show_answer(estimate, describe_estimate, as_json)


def announce(accepted: Json, as_json: bool) -> None:
    """Print the id of a run that goes on at the server."""
    if as_json:
        show_json(accepted)
        return
    print(accepted["id"])
    tell(f"The run is accepted. Look at it with `driftwarden show {accepted['id']}`.")


def wait_and_show(client: "Client", accepted: Json, as_json: bool) -> None:
    """Wait for the run and show its results; exit code 1 unless it was completed."""
    from services.cli.watch import wait_for_run

    run_id = accepted["id"]
    tell(f"run {run_id}")
    try:
        finished = wait_for_run(client, run_id)
    except KeyboardInterrupt:
        tell(f"\nThe run goes on without us.\n{_next_steps(run_id)}")
        raise typer.Exit(130) from None
    except Unreachable as failure:
        raise Unreachable(f"{failure}\nThe run may go on all the same.\n{_next_steps(run_id)}") from failure
    if as_json:
        show_json(finished)
    elif finished["state"] == "completed":
        show(*describe_leaderboard(client.get("/models", run=run_id)))
    else:
        show(*describe_run(finished))
    if finished["state"] != "completed":
        raise typer.Exit(1)


def _next_steps(run_id: str) -> str:
    return f"  See it:     driftwarden show {run_id}\n  Cancel it:  driftwarden cancel {run_id}"
