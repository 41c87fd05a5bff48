"""Queries to the two data sources: Prometheus for what is now, PostgreSQL for what was measured."""

from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.prometheus import Dataquery as PrometheusQuery
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

PROMETHEUS = DataSourceRef("prometheus", "prometheus")
POSTGRES = DataSourceRef("grafana-postgresql-datasource", "driftwarden-postgres")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Given(Builder[T], Generic[T]):
    """What the SDK's builders want, of a value that is there already."""

    value: T

    def build(self) -> T:
        return self.value


@dataclass(slots=True)
class SqlQuery(Dataquery):
    """The SDK has no query of PostgreSQL's."""

    sql: str
    format: Literal["table", "time_series"]
    ref_id: str = "A"

    def to_json(self) -> dict[str, object]:
        return {
            "datasource": POSTGRES,
            "editorMode": "code",
            "format": self.format,
            "rawQuery": True,
            "rawSql": self.sql,
            "refId": self.ref_id,
        }


Query: TypeAlias = PrometheusQuery | SqlQuery


def source_of(query: Query) -> DataSourceRef:
    return POSTGRES if isinstance(query, SqlQuery) else PROMETHEUS


def over_time(expression: str, name: str) -> PrometheusQuery:
    """A line for each series, called `name`; `{{label}}` stands for a label's value."""
    return _ask(expression, name, instant=False)


def now(expression: str, name: str = "") -> PrometheusQuery:
    return _ask(expression, name, instant=True)


def rows_now(expression: str) -> PrometheusQuery:
    """A row for each series, with its labels as columns and its value as `Value`."""
    return _ask(expression, "", instant=True, shape=PromQueryFormat.TABLE)


def buckets(expression: str) -> PrometheusQuery:
    """A histogram's buckets over time."""
    return _ask(expression, "{{le}}", instant=False, shape=PromQueryFormat.HEATMAP)


def rows(sql: str) -> SqlQuery:
    return SqlQuery(_plain(sql), "table")


def points(sql: str) -> SqlQuery:
    """A line for each numeric column over the column `time`."""
    return SqlQuery(_plain(sql), "time_series")


def among(column: str, variable: str) -> str:
    """Whether a column is one of a variable's values; of a variable without any, none is."""
    return f"{column} = ANY (ARRAY[${variable}]::text[])"


def of_any_replica(metric: str, by: str, selector: str = "") -> str:
    """A gauge that every replica of the API tells alike."""
    return f"max by ({by}) ({metric}{{{selector}}})"


def _ask(
    expression: str, name: str, *, instant: bool, shape: PromQueryFormat = PromQueryFormat.TIME_SERIES
) -> PrometheusQuery:
    return PrometheusQuery(
        expr=_plain(expression),
        instant=instant,
        range_val=not instant,
        format_val=shape,
        legend_format=name or "__auto",
        editor_mode=QueryEditorMode.CODE,
        datasource=PROMETHEUS,
    )


def _plain(text: str) -> str:
    return " ".join(text.split())
