"""The command `driftwarden`."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from services.cli import (
    alarm_budget,
    anchors,
    audit,
    backtest,
    backup,
    baselines,
    channels,
    compare,
    deliveries,
    drift,
    incidents,
    judges,
    keys,
    models,
    processes,
    prompts,
    prune,
    recommend,
    rejudge,
    results,
    runs,
    schedules,
    stats,
    submit,
    suites,
)
from services.cli.failures import CommandFailed
from services.cli.gate import command as gate
from services.cli.gate import comment as gate_comment
from services.cli.help import LOOK, MANAGE, InSections, examples
from services.cli.render import make_printable

app = typer.Typer(
    name="driftwarden",
    cls=InSections,
    add_completion=False,
    no_args_is_help=True,
    # Plain help takes a third of the time, and needs no terminal to look right.
    rich_markup_mode=None,
    # A traceback with local variables would show keys.
    pretty_exceptions_enable=False,
    epilog=examples(
        "up                                   start everything on this machine",
        "run --suite golden.csv --wait        measure every model of models.yaml",
        "models                               see the leaderboard",
    ),
)
for commands in (
    submit,
    gate,
    rejudge,
    drift,
    runs,
    results,
    models,
    recommend,
    compare,
    backtest,
    stats,
    gate_comment,
    processes,
    backup,
    prune,
):
    app.add_typer(commands.commands)
app.add_typer(incidents.commands, rich_help_panel=LOOK)
app.add_typer(alarm_budget.commands, rich_help_panel=MANAGE)
app.add_typer(audit.commands)
for group in (schedules, baselines, suites, prompts, judges, anchors, channels, deliveries, keys):
    app.add_typer(group.commands, rich_help_panel=MANAGE)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("driftwarden"))
        raise typer.Exit


@app.callback()
def driftwarden(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Catch model drift before it kills your product.

    Commands speak to the server that DRIFTWARDEN_URL and DRIFTWARDEN_API_KEY name, else to the one that
    `driftwarden up` runs on the data folder (DRIFTWARDEN_DATA, else ./.driftwarden).

    Exit codes: 0 done; 1 what was asked about is not well; 2 usage, configuration or a refused request;
    3 the server is unreachable or unwell; 130 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code; `arguments` are those of the process unless given."""
    make_printable()
    try:
        app(args=arguments, prog_name="driftwarden")
    except CommandFailed as failure:
        for line in str(failure).splitlines():
            print(f"driftwarden: {line}", file=sys.stderr)
        sys.exit(failure.exit_code)
