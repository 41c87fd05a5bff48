"""What all dashboards share: variables, drift marks, links to each other and to the product's pages."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from grafana_foundation_sdk.builders.dashboard import (
    ConstantVariable,
    Dashboard,
    DashboardLink,
    QueryVariable,
    Row,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    AnnotationQuery,
    DashboardCursorSync,
    DashboardLinkType,
    Panel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from deploy.grafana import colours
from deploy.grafana.sources import POSTGRES, PROMETHEUS, Given, SqlQuery, rows

PUBLIC_URL = "http://127.0.0.1:8700"  # where `driftwarden up` serves, unless told otherwise
TAG = "driftwarden"

AnyPanel: TypeAlias = Builder[Panel]
Rows: TypeAlias = Mapping[str, Sequence[AnyPanel]]

INCIDENT_PAGE = "${driftwarden}/incidents/${__data.fields.incident}"
MODEL_PAGE = "${driftwarden}/models/view?model=${__data.fields.model}"
RUN_PAGE = "${driftwarden}/runs/${__data.fields.run}"
MODEL_DASHBOARD = (
    "/d/driftwarden-model?var-model=${__data.fields.model}&${suite:queryparam}&${__url_time_range}"
)
RUN_DASHBOARD = "/d/driftwarden-run?var-run=${__data.fields.run}"


def frame(
    uid: str,
    title: str,
    about: str,
    variables: Sequence[QueryVariable],
    contents: Rows,
    *,
    public_url: str,
    since: str,
    marks: Sequence[AnnotationQuery] = (),
) -> Dashboard:
    """A dashboard with rows of panels, 24 columns wide, over the time from `since` ("now-7d") to now."""
    board = (
        Dashboard(title)
        .uid(f"driftwarden-{uid}")
        .description(about)
        .tags([TAG])
        .timezone("utc")
        .time(since, "now")
        .refresh("1m")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(_to_each_other())
        .link(
            DashboardLink("Driftwarden")
            .type(DashboardLinkType.LINK)
            .url("${driftwarden}/")
            .target_blank(True)
        )
        .with_variable(ConstantVariable("driftwarden").label("Address of Driftwarden").value(public_url))
    )
    for variable in variables:
        board.with_variable(variable)
    for mark in marks:
        board.annotation(Given(mark))
    for heading, panels in contents.items():
        board.with_row(Row(heading))
        for panel in panels:
            board.with_panel(panel)
    return board


def choice_of_series(
    name: str, label: str, query: str, *, start: str = "", many: bool = False
) -> QueryVariable:
    """A variable with a metric's labels as options. Of `many`, all are chosen at first."""
    asked: dict[str, object] = {"query": query, "refId": "variable"}
    variable = _variable(name, label, start, many).datasource(PROMETHEUS).query(asked)
    return variable.sort(VariableSort.ALPHABETICAL_ASC)


def choice_of_rows(name: str, label: str, sql: str, *, many: bool = False) -> QueryVariable:
    """A variable with a query's rows as options, in their order: `__value` and `__text`, or one column."""
    return _variable(name, label, "", many).datasource(POSTGRES).query(rows(sql).sql)


def suite() -> QueryVariable:
    return choice_of_series("suite", "Suite", "label_values(driftwarden_accuracy_ratio, suite)")


def schedules_of_suite() -> QueryVariable:
    """The nights that watch the suite: evidence and states belong to a schedule."""
    sql = "SELECT name FROM schedules WHERE suite = '$suite' ORDER BY name"
    return choice_of_rows("schedule", "Schedule", sql, many=True)


class Marks(AnnotationQuery):
    """Marks on every chart's time axis, from rows with `time`, perhaps `timeend`, `text`, and `tags`."""

    def __init__(self, name: str, colour: str, sql: str) -> None:
        super().__init__(name=name, datasource=POSTGRES, icon_color=colour)
        self.query: SqlQuery = rows(sql)

    def to_json(self) -> dict[str, object]:
        return {**super().to_json(), "target": self.query}


def drift_marks(of: str = "true") -> list[AnnotationQuery]:
    """When something changed, as the watch dates it, and how long its incident was open."""
    changed_at = "coalesce(changed.finished_at, i.opened_at)"
    incidents = """FROM incidents i JOIN schedules s ON s.id = i.schedule_id AND s.suite = '$suite'
        LEFT JOIN runs changed ON changed.id = (i.findings->>'change_run')::uuid"""
    tags = "concat_ws(',', i.subject, i.model, i.severity) AS tags"
    return [
        Marks(
            "Change",
            colours.DRIFT,
            f"""SELECT {changed_at} AS time, 'Changed here. ' || i.headline AS text, {tags} {incidents}
            WHERE $__timeFilter({changed_at}) AND {of} ORDER BY 1""",
        ),
        Marks(
            "Incident",
            colours.WATCH,
            f"""SELECT i.opened_at AS time, i.closed_at AS timeend, 'Incident. ' || i.headline AS text, {tags}
            {incidents} WHERE $__timeFilter(i.opened_at) AND {of} ORDER BY 1""",
        ),
    ]


def _variable(name: str, label: str, start: str, many: bool) -> QueryVariable:
    variable = QueryVariable(name).label(label).refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    if many:
        variable.multi(True).include_all(True).current(VariableOption(True, ["All"], ["$__all"]))
    elif start:
        variable.current(VariableOption(True, start, start))
    return variable


def _to_each_other() -> DashboardLink:
    link = DashboardLink("Dashboards").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.include_vars(True).keep_time(True).as_dropdown(False)
