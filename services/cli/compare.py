"""`driftwarden compare`: two runs, question by question."""

from typing import Annotated

import typer

from services.cli.comparison import describe_comparison
from services.cli.help import LOOK, examples
from services.cli.ids import find_run
from services.cli.options import AsJson
from services.cli.render import show_answer
from services.cli.server import connect

commands = typer.Typer()


@commands.command(
    rich_help_panel=LOOK,
    epilog=examples(
        "compare RUN-A RUN-B", "compare RUN RUN --baseline-model atlas-large --candidate-model atlas-small"
    ),
)
def compare(
    baseline: Annotated[str, typer.Argument(metavar="A", help="The run to compare with.")],
    candidate: Annotated[str, typer.Argument(metavar="B", help="The run in question.")],
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Only this model.")] = None,
    baseline_model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Compare this model of A …")
    ] = None,
    candidate_model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="… with this model of B.")
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="The loss that does not matter, such as 0.03 for 3 points."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two runs on the questions that they share.

    Runs whose answers were graded by different judges can't be compared; the server then says what to do. A
    run and its copy that `driftwarden rejudge` made compare the two judges, for the answers are the same.
    """
    with connect() as client:
        comparison = client.get(
            "/compare",
            baseline=find_run(client, baseline),
            candidate=find_run(client, candidate),
            model=model,
            baseline_model=baseline_model,
            candidate_model=candidate_model,
            margin=margin,
        )
    show_answer(comparison, describe_comparison, as_json)
