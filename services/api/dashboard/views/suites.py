"""What /suites shows: every suite, what it can detect, and the form that brings a file."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.api.dashboard import numbers
from services.api.dashboard.forms import Filled
from services.api.desk import Desk
from shared.db import suites
from shared.db.budget import read_alarm_budget
from shared.db.pool import Connection
from shared.db.suites import SuiteVersion
from shared.domain.drift.budget import Budget
from shared.domain.errors import InvalidInput
from shared.domain.figures.power import LARGEST_DROP, LEAST_QUESTIONS, LONGEST_NIGHTS, power_of
from shared.domain.figures.sensitivity import detectable_in_advance
from shared.domain.questions.suite_rows import BadLine
from shared.nights import count_watched

SHOWN = 20
TOLD_LINES = 20
EXPECTED_ACCURACY = 0.8
UPLOAD_LABELS = {"file": "File", "name": "Name"}


@dataclass(frozen=True, slots=True)
class Detects:
    """What so many questions show, as the page prints it."""

    questions: int
    two_runs: str
    week: str
    ten_points: str


@dataclass(frozen=True, slots=True)
class SuiteRow:
    name: str
    version: int
    questions: int
    categories: int
    scored_by: str
    detects: Detects
    edited: str
    is_runnable: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that was refused: each bad line with its field, problem and remedy. `more` are not listed."""

    filename: str
    lines: tuple[tuple[int | None, str, str], ...]
    more: int


@dataclass(frozen=True, slots=True)
class Suites:
    """`small` and `large`: what usual sizes detect. `next` is the address of the suites after these."""

    small: Detects
    large: Detects
    rows: tuple[SuiteRow, ...]
    next: str
    form: Filled
    refused: Refused | None


async def read_suites(
    connection: Connection, desk: Desk, after: str | None, form: Filled, refused: Refused | None = None
) -> Suites:
    found = await suites.list_suites(connection, after=after, limit=SHOWN + 1)
    page, budget = found[:SHOWN], await read_budget(connection, desk)
    categories = await suites.count_categories(connection, [one.id for one in page])
    return Suites(
        describe_detection(50, budget),
        describe_detection(200, budget),
        tuple(_describe(one, categories.get(one.id, 0), budget) for one in page),
        f"/suites?after={page[-1].name}" if len(found) > SHOWN else "",
        form,
        refused,
    )


async def read_budget(connection: Connection, desk: Desk) -> Budget:
    """The budget of a night that came due now."""
    chosen = await read_alarm_budget(connection, desk.settings)
    watched = await count_watched(connection, desk.catalogue)
    return Budget(max(1, watched), chosen.nights_per_false_alarm)


def describe_refusal(filename: str, error: InvalidInput) -> Refused:
    cause = error.__cause__
    if not isinstance(cause, BadLine):
        where = error.field.removeprefix(f"{filename}, ").removeprefix(filename)
        told = f"{error.problem} {error.remedy}".strip()
        return Refused(filename, ((None, where, told),), 0)
    bad = cause.among or [cause]
    lines = tuple((one.line, one.field, f"{one.problem} {one.remedy}".strip()) for one in bad[:TOLD_LINES])
    return Refused(filename, lines, len(bad) - len(lines))


def describe_detection(questions: int, budget: Budget) -> Detects:
    power = power_of(questions, budget)
    if power is None:
        week = ten = f"not measured under {LEAST_QUESTIONS}"
    else:
        week = f"over {100 * LARGEST_DROP:.0f}" if power.drop is None else numbers.size(power.drop)
        ten = f"over {LONGEST_NIGHTS}" if power.nights is None else numbers.count(power.nights)
    two_runs = numbers.size(detectable_in_advance(questions, 1, EXPECTED_ACCURACY))
    return Detects(questions, two_runs, week, ten)


def name_scoring(suite: SuiteVersion) -> str:
    return "a judge" if suite.asks_judge else "rules alone"


def _describe(suite: SuiteVersion, categories: int, budget: Budget) -> SuiteRow:
    return SuiteRow(
        suite.name,
        suite.version,
        suite.questions,
        categories,
        name_scoring(suite),
        describe_detection(suite.questions, budget),
        numbers.moment(suite.created_at),
        suite.is_runnable,
    )


def sizes_to_tell(questions: int) -> Sequence[int]:
    """Usual sizes up to that of the suite, and its own."""
    return sorted({*(size for size in (25, 50, 100, 200, 500, 1000) if size < questions), questions})
