"""Options that several commands share."""

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print the API's answer as JSON.")]
Limit = Annotated[int, typer.Option(min=1, metavar="N", help="How many to list.")]
RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="The run's id, or the first 4 digits of it or more.")
]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", metavar="MODEL", help="A model; repeat for more [default: all of models.yaml]."),
]
JudgeOfModelsFile = Annotated[
    str | None,
    typer.Option(metavar="JUDGE", help="A judge's or a model's name [default: that of models.yaml]."),
]
PromptName = Annotated[
    str | None,
    typer.Option(metavar="NAME|FILE", help="A prompt, NAME@2 for its version 2, or a file to store first."),
]
Repeats = Annotated[
    int | None, typer.Option(metavar="N", help="How often each question is asked [default: 1].")
]
Sample = Annotated[
    int | None, typer.Option(metavar="N", help="Ask only so many questions, spread over the categories.")
]
Labels = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="KEY=VALUE", help="Remember this with the run; repeat for more."),
]
GitCommit = Annotated[
    str | None,
    typer.Option(metavar="SHA", help="The commit measured [default: HEAD of the working folder]."),
]
SuiteOfNewestRun = Annotated[
    str | None, typer.Option(metavar="NAME", help="Which suite [default: that of the newest completed run].")
]
Category = Annotated[
    str | None, typer.Option(metavar="NAME", help="Only this category [default: the whole suite].")
]
AllowSelfJudging = Annotated[
    bool, typer.Option("--allow-self-judging", help="Let a model judge its own answers.")
]
Wait = Annotated[
    bool, typer.Option("--wait", help="Show progress until the run is finished, then its results.")
]
