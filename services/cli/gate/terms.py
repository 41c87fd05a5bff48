"""What a gate is asked to do, checked before anything is spent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import TypeAlias

from services.cli.failures import Refused

NAME_ONE = "Name one: --baseline RUN, --baseline pinned, --baseline-label KEY=VALUE or --baseline-file FILE."
PINNED = "pinned"

QUICK_MODELS = 3
QUICK_QUESTIONS = 10
QUICK_MARGIN = 0.10  # ten equal answers of one model can't show a margin of 0.03, whatever happens


@dataclass(frozen=True, slots=True)
class RunBaseline:
    """A run by its id, or by how that begins."""

    run: str


@dataclass(frozen=True, slots=True)
class PinnedBaseline:
    """The newest of the nights that a person has pinned as the baseline of the suite's schedule."""


@dataclass(frozen=True, slots=True)
class LabelledBaseline:
    """The newest completed run with all of these labels."""

    labels: Mapping[str, str]

    def __str__(self) -> str:
        return " ".join(f"{key}={value}" for key, value in self.labels.items())


@dataclass(frozen=True, slots=True)
class FileBaseline:
    """Results that an earlier gate, or an export, has written."""

    file: Path


Baseline: TypeAlias = RunBaseline | PinnedBaseline | LabelledBaseline | FileBaseline


@dataclass(frozen=True, slots=True)
class Criteria:
    """The limits that a candidate must keep. Shares from 0 to 1; None: not asked for, or the usual margin."""

    margin: float | None = None
    min_accuracy: float | None = None
    max_cost_usd: float | None = None
    max_latency_ratio: float | None = None

    def check(self) -> None:
        """Refuse limits that nothing or everything would keep.

        Raises:
            Refused: names the option.
        """
        for option, limit, most in (
            ("--margin", self.margin, 1.0),
            ("--min-accuracy", self.min_accuracy, 1.0),
            ("--max-cost-usd", self.max_cost_usd, 1e9),
            ("--max-latency-ratio", self.max_latency_ratio, 1e3),
        ):
            if limit is not None and not (isfinite(limit) and 0.0 < limit <= most):
                example = {
                    1.0: "Write 0.03 for 3 points or percent.",
                    1e3: "Write 1.5 for half as long again.",
                }
                remedy = example.get(most, "Write 2.50 for two and a half dollars.")
                raise Refused(f"{option}: {limit:g} is not above 0 and at most {most:g}. {remedy}")


@dataclass(frozen=True, slots=True)
class Order:
    """The candidate to start; None and empty: the server's or the quick form's choice."""

    suite: str | None = None
    models: Sequence[str] = ()
    judge: str | None = None
    prompt: str | None = None
    repeats: int | None = None
    sample: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    git_commit: str | None = None
    allow_self_judging: bool = False
    is_quick: bool = False


@dataclass(frozen=True, slots=True)
class Reports:
    """Where a gate's findings are written; None: nowhere."""

    markdown: Path | None = None
    junit: Path | None = None
    github_summary: Path | None = None
    results: Path | None = None

    def check(self) -> None:
        """Refuse files that can't be written, while nothing has been spent yet.

        Raises:
            Refused: names the option.
        """
        for option, path in (
            ("--markdown", self.markdown), ("--junit", self.junit), ("--results", self.results)
        ):  # fmt: skip
            if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
                raise Refused(f"{option}: {path} can't be written. Name a file in a folder that exists.")


@dataclass(frozen=True, slots=True)
class Terms:
    """`candidate`: a run to take instead of starting one."""

    baseline: Baseline
    candidate: str | None
    order: Order
    criteria: Criteria
    reports: Reports


def choose_baseline(run: str | None, labels: Mapping[str, str], file: Path | None) -> Baseline:
    """The one baseline that is named.

    Raises:
        Refused: none is, or several are.
    """
    named: list[Baseline] = []
    if run is not None:
        named.append(PinnedBaseline() if run == PINNED else RunBaseline(run))
    if labels:
        named.append(LabelledBaseline(labels))
    if file is not None:
        named.append(FileBaseline(file))
    if len(named) != 1:
        several = "several baselines are named" if named else "no baseline is named"
        raise Refused(f"--baseline: {several}. {NAME_ONE}")
    return named[0]


def refuse_choices(**chosen: object) -> None:
    """A run that was measured elsewhere can't be shaped any more.

    Raises:
        Refused: names the first option that was chosen.
    """
    for name, value in chosen.items():
        if value:
            option = "--" + name.replace("_", "-")
            raise Refused(f"{option}: is for a run that this command starts. Leave it out with --candidate.")
