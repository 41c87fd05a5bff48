"""What the filter bar offers, and what of it was chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

from services.api.problems import NotFound
from services.api.schemas.stats import Period
from services.api.statistics import PERIODS
from shared.db import schedules, suites
from shared.db.measurements import find_newest_suite
from shared.db.pool import Connection
from shared.db.schedules import Schedule
from shared.db.suites import SuiteVersion

ALL = "all"


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    text: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Filters:
    """The filter bar. `periods` are names with the addresses that choose them."""

    suites: tuple[Option, ...]
    schedules: tuple[Option, ...]
    categories: tuple[Option, ...]
    period: Period
    periods: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """`schedule` is None where no schedule asks the suite."""

    suite: SuiteVersion
    schedule: Schedule | None
    category: str
    period: Period
    filters: Filters

    def since(self, last: date) -> date:
        """The first night of the period, which ends with the last night."""
        length = PERIODS[self.period]
        return date.min if length is None else last - length + timedelta(days=1)


async def choose(
    connection: Connection,
    path: str,
    *,
    suite: str | None,
    schedule: str | None,
    category: str,
    period: Period,
    fixed: Mapping[str, str] | None = None,
) -> Chosen | None:
    """Find what is asked for; absent: the schedule with the newest incident, else the suite measured last.

    None if there is no suite at all. `fixed` are further parameters that every address keeps.

    Raises:
        NotFound: there is no such suite, schedule or category.
    """
    stored = await suites.list_suites(connection, limit=500)
    if not stored:
        return None
    known = await schedules.list_schedules(connection)
    plan = _find_schedule(known, suite, schedule) or await _most_urgent(connection, known, suite)
    name = plan.suite if plan else suite or await find_newest_suite(connection) or stored[0].name
    version = next((one for one in stored if one.name == name), None)
    if version is None:
        raise NotFound(f"There is no suite {name!r}.")
    counts = await suites.count_by_category(connection, version.id)
    if category != ALL and category not in dict(counts):
        raise NotFound(f"The suite {name!r} has no category {category!r}.")
    of_suite = [one for one in known if one.suite == name]
    kept = {"suite": name, "category": category, **(fixed or {})}
    if plan is not None and len(of_suite) > 1:
        kept["schedule"] = plan.name
    filters = Filters(
        suites=tuple(Option(one.name, _name(one), one.name == name) for one in stored),
        schedules=tuple(Option(one.name, one.name, one == plan) for one in of_suite if len(of_suite) > 1),
        categories=(
            Option(ALL, f"all {len(counts)}", category == ALL),
            *(Option(one, one, category == one) for one, _ in counts),
        ),
        period=period,
        periods=tuple((one, f"{path}?{urlencode({**kept, 'period': one})}") for one in PERIODS),
    )  # fmt: skip
    return Chosen(version, plan, category, period, filters)


def _name(suite: SuiteVersion) -> str:
    return f"{suite.name} v{suite.version} ({suite.questions} questions)"


def _find_schedule(known: Sequence[Schedule], suite: str | None, name: str | None) -> Schedule | None:
    """The schedule asked for by name; one of another suite than the one asked for does not count."""
    if name is None:
        return None
    found = next((one for one in known if one.name == name), None)
    if found is None:
        raise NotFound(f"There is no schedule {name!r}.")
    return found if suite in (None, found.suite) else None


async def _most_urgent(
    connection: Connection, known: Sequence[Schedule], suite: str | None
) -> Schedule | None:
    """Of the suite's schedules, or of all: the one with the newest open incident, else that ran last."""
    candidates = [one for one in known if suite in (None, one.suite)]
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    chosen = await schedules.find_most_urgent(connection, [one.id for one in candidates])
    return next(one for one in candidates if one.id == chosen)
