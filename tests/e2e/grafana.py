"""A dashboard's queries, filled in as Grafana fills them in, and asked of the real sources."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg

from tests.e2e.prometheus import Prometheus, Series

FOLDER = Path(__file__).parents[2] / "deploy/grafana"
STEP_SECONDS, SCRAPE_SECONDS = 15, 15  # as deploy/grafana/provisioning says
RATE_SECONDS = max(STEP_SECONDS + SCRAPE_SECONDS, 4 * SCRAPE_SECONDS)

Place: TypeAlias = tuple[str, str]  # a dashboard's title, and that of a panel, a variable or a kind of marks


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a variable stands for. Those that may have several values are written differently."""

    values: tuple[str, ...]
    may_be_many: bool = False


@dataclass(frozen=True, slots=True)
class Sources:
    prometheus: Prometheus
    reader: asyncpg.Connection


@dataclass(frozen=True)
class Dashboard:
    content: Mapping[str, Any]

    @property
    def title(self) -> str:
        return str(self.content["title"])

    @cached_property
    def panels(self) -> list[Mapping[str, Any]]:
        return [panel for panel in self.content["panels"] if panel["type"] != "row"]

    @cached_property
    def variables(self) -> list[Mapping[str, Any]]:
        return list(self.content["templating"]["list"])

    @cached_property
    def marks(self) -> list[Mapping[str, Any]]:
        return list(self.content.get("annotations", {}).get("list", []))


def read_dashboards() -> list[Dashboard]:
    return [
        Dashboard(json.loads(path.read_text())) for path in sorted((FOLDER / "dashboards").glob("*.json"))
    ]


@dataclass
class Viewer:
    """Somebody who looks at a dashboard: its variables chosen, its time the last hour."""

    dashboard: Dashboard
    sources: Sources
    only_first: bool = False  # choose one value of each variable, rather than all
    until: datetime = field(default_factory=lambda: datetime.now(UTC))
    chosen: dict[str, Chosen] = field(default_factory=dict)

    @property
    def since(self) -> datetime:
        return self.until - timedelta(hours=1)

    async def look(self) -> dict[Place, list[str]]:
        """What has no data, or not what a panel speaks of, by place.

        Raises:
            asyncpg.PostgresError, AssertionError: a source can't make sense of a query; a note tells whose.
        """
        steps = [
            *[(variable["name"], partial(self._choose, variable)) for variable in self.dashboard.variables],
            *[(panel["title"], partial(self._look_at, panel)) for panel in self.dashboard.panels],
            *[(marks["name"], partial(self._look_at_marks, marks)) for marks in self.dashboard.marks],
        ]
        found: dict[Place, list[str]] = {}
        for name, look_at in steps:
            try:
                troubles = await look_at()
            except (asyncpg.PostgresError, AssertionError) as error:
                error.add_note(f"{self.dashboard.title}: {name}")
                raise
            if troubles:
                found[self.dashboard.title, name] = troubles
        return found

    async def _choose(self, variable: Mapping[str, Any]) -> list[str]:
        name, query = variable["name"], variable["query"]
        if variable["type"] == "constant":
            self.chosen[name] = Chosen((query,))
            return []
        if variable["datasource"]["uid"] == "prometheus":
            options = await self._list_labels(query["query"])
        else:
            options = [str(row.get("__value", row[0])) for row in await self._fetch(query)]
        may_be_many = variable["multi"]
        current = variable.get("current", {}).get("value")
        if may_be_many and not self.only_first:
            values = tuple(options)
        else:
            values = (current,) if isinstance(current, str) else tuple(options[:1])
        self.chosen[name] = Chosen(values, may_be_many)
        return [] if options and set(values) <= set(options) else [f"{query} gives no choice: {options}"]

    async def _look_at(self, panel: Mapping[str, Any]) -> list[str]:
        repeated = self.chosen[panel["repeat"]] if "repeat" in panel else None
        scopes = (
            [{panel["repeat"]: Chosen((value,), True)} for value in repeated.values] if repeated else [{}]
        )
        return [
            trouble
            for scope in scopes
            for target in panel["targets"]
            for trouble in await self._ask(panel, target, scope)
        ]

    async def _ask(
        self, panel: Mapping[str, Any], target: Mapping[str, Any], scope: Mapping[str, Chosen]
    ) -> list[str]:
        if target["datasource"]["uid"] == "prometheus":
            return await self._ask_prometheus(target, scope)
        rows = await self._fetch(target["rawSql"], scope)
        columns = set(rows[0].keys()) if rows else set()
        troubles = [] if any(_tells(row) for row in rows) else [f"{target['rawSql']}: {len(rows)} rows"]
        if rows and target["format"] == "time_series":
            times = [row["time"] for row in rows]
            troubles += [] if times == sorted(times) else ["is not in the order of time"]
        if rows:
            troubles += [f"there is no column {name}" for name in _named_columns(panel) - columns]
        return troubles

    async def _ask_prometheus(self, target: Mapping[str, Any], scope: Mapping[str, Chosen]) -> list[str]:
        expression = self.fill_in(target["expr"], "prometheus", scope)
        series = await self._evaluate(expression, is_instant=target["instant"])
        labels = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        troubles = (
            [] if any(_has_number(each) for each in series) else [f"{expression}: {len(series)} series"]
        )
        for each in series:
            troubles += [f"{expression} has no label {name}" for name in labels - set(each.labels)]
        return troubles

    async def _look_at_marks(self, marks: Mapping[str, Any]) -> list[str]:
        rows = await self._fetch(marks["target"]["rawSql"])
        if not rows:
            return ["no marks"]
        missing = {"time", "text", "tags"} - set(rows[0].keys())
        return [f"there is no column {name}" for name in missing]

    async def _evaluate(self, expression: str, *, is_instant: bool) -> list[Series]:
        if is_instant:
            return await self.sources.prometheus.query(expression, self.until)
        return await self.sources.prometheus.query_range(expression, self.since, self.until, STEP_SECONDS)

    async def _list_labels(self, query: str) -> list[str]:
        """`label_values(selector, label)`, in alphabetical order."""
        asked = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
        assert asked, query
        selector = self.fill_in(asked[1], "prometheus")
        grouped = await self.sources.prometheus.query(
            f"group by ({asked[2]}) (last_over_time({selector}[1h]))", self.until
        )
        return sorted(each.labels[asked[2]] for each in grouped if asked[2] in each.labels)

    async def _fetch(self, sql: str, scope: Mapping[str, Chosen] | None = None) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await self.sources.reader.fetch(self.fill_in(sql, "sql", scope))
        return rows

    def fill_in(self, text: str, language: str, scope: Mapping[str, Chosen] | None = None) -> str:
        """The query as it is sent."""
        chosen = {**self.chosen, **(scope or {})}
        since, until = (f"'{at:%Y-%m-%dT%H:%M:%SZ}'" for at in (self.since, self.until))
        text = re.sub(
            r"\$__timeFilter\(((?:[^()]|\([^()]*\))*)\)",
            lambda found: f"{found[1]} BETWEEN {since} AND {until}",
            text,
        )
        for name, seconds in {
            "$__rate_interval": RATE_SECONDS,
            "$__interval": STEP_SECONDS,
            "$__range": int((self.until - self.since).total_seconds()),
        }.items():
            text = text.replace(name, f"{seconds}s")
        text = re.sub(
            r"\$(?:\{(\w+)\}|(\w+))", lambda found: _write(chosen[found[1] or found[2]], language), text
        )
        assert "$" not in text, f"not filled in: {text}"
        return text


def _write(chosen: Chosen, language: str) -> str:
    """A variable's value in a query, as the plugin of its data source writes it."""
    if language == "sql":
        doubled = [value.replace("'", "''") for value in chosen.values]
        if chosen.may_be_many:
            return ",".join(f"'{value}'" for value in doubled)
        return doubled[0] if doubled else ""
    if chosen.may_be_many:
        escaped = [re.sub(r"[\\^$.*+?()\[\]{}|]", r"\\\\\g<0>", value) for value in chosen.values]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"
    return chosen.values[0].replace("\\", "\\\\").replace('"', '\\"') if chosen.values else ""


def _tells(row: Mapping[str, Any]) -> bool:
    return any(value is not None for name, value in row.items() if name != "time")


def _has_number(series: Series) -> bool:
    return any(not math.isnan(value) for _, value in series.points)


def _named_columns(panel: Mapping[str, Any]) -> set[str]:
    """The columns that a panel over SQL speaks of."""
    overrides: Sequence[Mapping[str, Any]] = panel["fieldConfig"].get("overrides", [])
    return {each["matcher"]["options"] for each in overrides if each["matcher"]["id"] == "byName"} | {
        name for text in _texts(overrides) for name in re.findall(r"__data\.fields\.(\w+)", text)
    }


def _texts(content: object) -> Iterator[str]:
    match content:
        case str():
            yield content
        case Mapping():
            for value in content.values():
                yield from _texts(value)
        case Sequence():
            for value in content:
                yield from _texts(value)
