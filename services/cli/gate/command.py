"""`driftwarden gate`: may this change go on? The exit code is the answer."""

import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.failures import CommandFailed, NotMeasured, Refused
from services.cli.gate.terms import (
    QUICK_MARGIN,
    Criteria,
    Order,
    Reports,
    Terms,
    choose_baseline,
    refuse_choices,
)
from services.cli.help import MEASURE, examples
from services.cli.options import (
    AllowSelfJudging,
    GitCommit,
    JudgeOfModelsFile,
    Labels,
    Models,
    PromptName,
    Repeats,
    Sample,
)
from services.cli.render import show, show_json, tell
from services.cli.server import connect
from services.cli.submit import find_git_commit, read_labels

if TYPE_CHECKING:
    from services.cli.gate.outcome import GateOutcome

SUMMARY = "GITHUB_STEP_SUMMARY"

commands = typer.Typer()


@commands.command(
    rich_help_panel=MEASURE,
    epilog=examples(
        "gate --suite golden --baseline-label branch=main",
        "gate --suite golden --quick --baseline-label branch=main --label branch=topic",
        "gate --baseline RUN --candidate RUN --margin 0.02 --max-latency-ratio 1.5",
        "gate --standalone --suite golden.csv --baseline-file main.jsonl --results mine.jsonl",
    ),
)
def gate(
    context: typer.Context,
    suite: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="What to ask [default: the suite of the --baseline RUN]."),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(metavar="RUN|pinned", help="The run to compare with, or the pinned night's."),
    ] = None,
    baseline_labels: Annotated[
        list[str] | None,
        typer.Option(
            "--baseline-label", metavar="KEY=VALUE", help="Compare with the newest completed run labelled so."
        ),
    ] = None,
    baseline_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Compare with what an earlier --results wrote.")
    ] = None,
    candidate: Annotated[
        str | None, typer.Option(metavar="RUN", help="Judge this run instead of starting one.")
    ] = None,
    models: Models = None,
    judge: JudgeOfModelsFile = None,
    prompt: PromptName = None,
    repeats: Repeats = None,
    sample: Sample = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Ask 10 questions of the first 3 models, with a margin of 0.10.")
    ] = False,
    margin: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="The loss that does not matter [default: 0.03, for 3 points]."),
    ] = None,
    min_accuracy: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Each model must be at least so good.")
    ] = None,
    max_cost_usd: Annotated[
        float | None,
        typer.Option(metavar="USD", help="The candidate may cost so much; a run started here stops there."),
    ] = None,
    max_latency_ratio: Annotated[
        float | None,
        typer.Option(metavar="RATIO", help="Each model may take so many times as long as before."),
    ] = None,
    labels: Labels = None,
    git_commit: GitCommit = None,
    allow_self_judging: AllowSelfJudging = False,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a summary in Markdown.")
    ] = None,
    github_summary: Annotated[
        bool, typer.Option("--github-summary", help="Add it to the summary of this GitHub Actions job.")
    ] = False,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write JUnit XML, one case for each question.")
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the candidate's results, a later gate's --baseline-file."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    standalone: Annotated[
        bool, typer.Option("--standalone", help="Start everything for this gate, and stop it afterwards.")
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="With --standalone: keep everything here [default: nowhere]."),
    ] = None,
    models_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --standalone: the models [default: models.yaml]."),
    ] = None,
) -> None:
    """Compare a candidate run with a baseline, and fail on a regression.

    Exit codes: 0 pass; 1 regression; 2 usage or configuration; 3 inconclusive or not measured: chance alone
    could explain it, the server can't be reached, the budget stopped the run, or there is no baseline.
    """
    reports = Reports(markdown, junit, _find_summary() if github_summary else None, results)
    with _always_one_of_four_codes(reports, as_json):
        reports.check()
        if standalone:
            from services.cli.gate.standalone import gate_on_own_server

            raise typer.Exit(gate_on_own_server(context, data=data, models_file=models_file))
        for option, value in (("--data", data), ("--models-file", models_file)):
            if value is not None:
                raise Refused(f"{option}: is for a server of the gate's own. Add --standalone.")
        criteria = Criteria(
            QUICK_MARGIN if quick and margin is None else margin,
            min_accuracy, max_cost_usd, max_latency_ratio,
        )  # fmt: skip
        criteria.check()
        if candidate is not None:
            refuse_choices(
                suite=suite,
                judge=judge,
                prompt=prompt,
                repeats=repeats,
                sample=sample,
                quick=quick,
                label=labels,
            )
        order = Order(
            suite, models or (), judge, prompt, repeats, sample, read_labels(labels or ()),
            find_git_commit() if git_commit is None else git_commit, allow_self_judging, quick,
        )  # fmt: skip
        terms = Terms(
            choose_baseline(baseline, read_labels(baseline_labels or (), "--baseline-label"), baseline_file),
            candidate, order, criteria, reports,
        )  # fmt: skip
        _publish(_judge(terms), reports, as_json)


def _judge(terms: Terms) -> "GateOutcome":
    # numpy takes its time, and so --help goes without the domain.
    from services.cli.gate.judging import hold_gate

    with connect() as client:
        return hold_gate(client, terms)


def _publish(outcome: "GateOutcome", reports: Reports, as_json: bool) -> None:
    """Tell everyone who wants to know, and end with the outcome's exit code."""
    from services.cli.gate.outcome import as_json as write_json
    from services.cli.gate.terminal import describe_gate

    _write_reports(outcome, reports)
    with _unread():
        if as_json:
            show_json(write_json(outcome))
        else:
            show(*describe_gate(outcome))
    raise typer.Exit(outcome.exit_code)


def _find_summary() -> Path:
    path = os.environ.get(SUMMARY)
    if not path:
        raise Refused(f"--github-summary: {SUMMARY} is not set. Leave it out outside of GitHub Actions.")
    return Path(path)


@contextmanager
def _always_one_of_four_codes(reports: Reports, as_json: bool) -> Iterator[None]:
    """Whatever happens, a gate that has found no regression does not end as one that has: with 1."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except typer.Exit:
        raise
    except CommandFailed as failure:
        _report_failure(failure, reports, as_json)
        raise
    except KeyboardInterrupt:
        interrupted = NotMeasured("Interrupted. Start the gate again, or judge its run with --candidate.")
        _report_failure(interrupted, reports, as_json)
        raise interrupted from None
    except Exception as error:
        traceback.print_exc()
        crashed = NotMeasured(f"The gate itself broke down: {type(error).__name__}. This should not happen.")
        _report_failure(crashed, reports, as_json)
        raise crashed from None


def _report_failure(failure: CommandFailed, reports: Reports, as_json: bool) -> None:
    """The reports say why there is nothing else in them, so that none of an earlier gate is believed."""
    from services.cli.gate.outcome import GateOutcome
    from services.cli.gate.outcome import as_json as write_json
    from shared.domain.figures.gate import Finding

    outcome = GateOutcome(Finding.NOT_MEASURED, failure.exit_code, notes=str(failure).splitlines())
    _write_reports(outcome, reports)
    if as_json:
        with _unread():
            show_json(write_json(outcome))


def _write_reports(outcome: "GateOutcome", reports: Reports) -> None:
    """What can't be written is told, and changes nothing about what was found."""
    from services.cli.gate.junit import write_junit
    from services.cli.gate.markdown import write_markdown

    for path, mode, write in (
        (reports.markdown, "w", write_markdown),
        (reports.github_summary, "a", write_markdown),
        (reports.junit, "w", write_junit),
    ):
        if path is not None:
            try:
                with path.open(mode, encoding="utf-8") as file:
                    file.write(write(outcome))
            except OSError as error:
                tell(f"driftwarden: {path} can't be written: {error.strerror}.")


@contextmanager
def _unread() -> Iterator[None]:
    """Print even if nobody reads on (`| head`): the exit code is still read."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
