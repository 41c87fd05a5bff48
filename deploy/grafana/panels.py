"""The kinds of panels. Each has a title, a unit and a `reading`: how to read it, and what absence means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    heatmap,
    histogram,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.models import common as choices
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode

from deploy.grafana import colours
from deploy.grafana.sources import Given, Query, rows_now, source_of

SHARE, SECONDS, USD, DATE = "percentunit", "s", "currencyUSD", "dateTimeAsIso"
POINTS = "suffix:points"
TIMES_LINE = "prefix:×"  # evidence, relative to its alarm line
NOT_MEASURED = "not measured"
COLUMNS = 24  # a dashboard's width

Kind = TypeVar(
    "Kind",
    bargauge.Panel,
    heatmap.Panel,
    histogram.Panel,
    stat.Panel,
    statetimeline.Panel,
    table.Panel,
    timeseries.Panel,
)


def trend(
    title: str,
    unit: str,
    reading: str,
    *queries: Query,
    colour: FieldColor | None = None,
    width: int = 12,
    height: int = 8,
) -> timeseries.Panel:
    """Lines over time. What was not measured breaks the line."""
    legend = common.VizLegendOptions().display_mode(choices.LegendDisplayMode.LIST).show_legend(True)
    tooltip = (
        common.VizTooltipOptions().mode(choices.TooltipDisplayMode.MULTI).sort(choices.SortOrder.DESCENDING)
    )
    panel = _introduce(timeseries.Panel(), title, unit, reading, queries, width, height)
    return (
        panel.color_scheme(colour or colours.shades(colours.DATA))
        .line_width(2)
        .fill_opacity(0)
        .show_points(choices.VisibilityMode.AUTO)
        .span_nulls(False)
        .legend(legend.placement(choices.LegendPlacement.BOTTOM))
        .tooltip(tooltip)
    )


def banded(panel: timeseries.Panel, lower: str, upper: str) -> timeseries.Panel:
    """Draw two of its lines as the edges of a band."""
    edge = [DynamicConfigValue("custom.lineWidth", 0), DynamicConfigValue("custom.showPoints", "never")]
    band = [DynamicConfigValue("custom.fillBelowTo", lower), DynamicConfigValue("custom.fillOpacity", 15)]
    return panel.override_by_name(lower, edge).override_by_name(upper, [*edge, *band])


def evidence(title: str, reading: str, *queries: Query, width: int = 24, height: int = 9) -> timeseries.Panel:
    """Evidence over its alarm line on a log axis; above the line it takes the colour of drift."""
    style = common.GraphThresholdsStyleConfig().mode(choices.GraphTresholdsStyleMode.DASHED)
    scale = common.ScaleDistributionConfig().type(choices.ScaleDistribution.LOG).log(10)
    panel = trend(
        title, TIMES_LINE, reading, *queries, colour=colours.by_threshold(), width=width, height=height
    )
    return (
        panel.scale_distribution(scale)
        .gradient_mode(choices.GraphGradientMode.SCHEME)
        .thresholds(colours.alarm_line())
        .thresholds_style(style)
        .axis_soft_min(1e-4)
        .axis_soft_max(10)
    )


def stacked(panel: timeseries.Panel, colour_of: Mapping[str, str]) -> timeseries.Panel:
    """Draw its series as bars upon each other, in these colours."""
    panel.draw_style(choices.GraphDrawStyle.BARS).fill_opacity(70).line_width(0)
    panel.stacking(common.StackingConfig().mode(choices.StackingMode.NORMAL).group("A"))
    for name, colour in colour_of.items():
        panel.override_by_name(name, [_fixed(colour)])
    return panel


def number(
    title: str,
    unit: str,
    reading: str,
    *queries: Query,
    steps: ThresholdsConfig | None = None,
    absent: str = NOT_MEASURED,
    width: int = 4,
    height: int = 4,
) -> stat.Panel:
    """One number for each series, as large as it goes."""
    return (
        _introduce(stat.Panel(), title, unit, reading, queries, width, height)
        .no_value(absent)
        .thresholds(steps or colours.thresholds(colours.DATA))
        .color_mode(choices.BigValueColorMode.VALUE)
        .graph_mode(choices.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    )


def bars(
    title: str, unit: str, reading: str, *queries: Query, width: int = 12, height: int = 8
) -> bargauge.Panel:
    """A horizontal bar for each series; bars begin at 0."""
    return (
        _introduce(bargauge.Panel(), title, unit, reading, queries, width, height)
        .min(0)
        .no_value(NOT_MEASURED)
        .thresholds(colours.thresholds(colours.DATA))
        .display_mode(choices.BarGaugeDisplayMode.BASIC)
        .orientation(choices.VizOrientation.HORIZONTAL)
        .show_unfilled(False)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    )


def timeline(
    title: str,
    reading: str,
    *queries: Query,
    states: Mapping[int, tuple[str, str]],
    width: int,
    height: int = 8,
) -> statetimeline.Panel:
    """What state each series was in; `states` gives a number's word and colour."""
    return (
        _introduce(statetimeline.Panel(), title, "short", reading, queries, width, height)
        .mappings([name_states(states)])
        .merge_values(True)
        .show_value(choices.VisibilityMode.AUTO)
        .fill_opacity(70)
        .line_width(0)
    )


def density(title: str, unit: str, reading: str, query: Query, width: int = 12) -> heatmap.Panel:
    """How many observations fell into each bucket over time; the darker, the more."""
    colour = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.OPACITY).fill(colours.DATA)
    panel = _introduce(heatmap.Panel(), title, unit, reading, (query,), width, 8)
    return panel.calculate(False).color(colour).y_axis(heatmap.YAxisConfig().unit(unit))


def spread(title: str, unit: str, reading: str, query: Query, width: int = 12) -> histogram.Panel:
    """How many rows have which value."""
    panel = _introduce(histogram.Panel(), title, unit, reading, (query,), width, 8)
    return panel.color_scheme(colours.one(colours.DATA)).fill_opacity(60).combine(False)


@dataclass(frozen=True, slots=True)
class Column:
    """How a table shows a column: links are titles with addresses, steps colour the text."""

    name: str
    unit: str | None = None
    links: Sequence[tuple[str, str]] = ()
    steps: ThresholdsConfig | None = None
    states: Mapping[int, tuple[str, str]] | None = None
    width: int | None = None

    def properties(self) -> list[DynamicConfigValue]:
        found: dict[str, Any] = {}
        if self.unit is not None:
            found["unit"] = self.unit
        if self.links:
            found["links"] = [{"title": title, "url": url} for title, url in self.links]
        if self.steps is not None:
            found["thresholds"] = self.steps.build()
        if self.states is not None:
            found["mappings"] = [name_states(self.states)]
        if self.steps is not None or self.states is not None:
            found["custom.cellOptions"] = {"type": "color-text"}
        if self.width is not None:
            found["custom.width"] = self.width
        return [DynamicConfigValue(name, value) for name, value in found.items()]


def listing(
    title: str,
    reading: str,
    *queries: Query,
    columns: Sequence[Column] = (),
    unit: str = "none",
    absent: str = NOT_MEASURED,
    width: int = COLUMNS,
    height: int = 9,
) -> table.Panel:
    """A table of a query's rows; columns that are not described are shown as they are."""
    panel = _introduce(table.Panel(), title, unit, reading, queries, width, height).no_value(absent)
    panel.thresholds(colours.thresholds(colours.DATA))
    for column in columns:
        panel.override_by_name(column.name, column.properties())
    return panel


def listing_now(
    title: str,
    reading: str,
    measures: Mapping[str, str],
    *,
    columns: Sequence[Column],
    worst: str,
    width: int = COLUMNS,
    height: int = 10,
) -> table.Panel:
    """What several expressions tell now, a row for each combination of labels, largest `worst` first."""
    panel = listing(
        title, reading, *map(rows_now, measures.values()), columns=columns, width=width, height=height
    )
    renamed = {f"Value #{chr(ord('A') + place)}": name for place, name in enumerate(measures)}
    panel.with_transformation(DataTransformerConfig("merge", options={}))
    panel.with_transformation(
        DataTransformerConfig("organize", options={"excludeByName": {"Time": True}, "renameByName": renamed})
    )
    return panel.sort_by([common.TableSortByFieldState().display_name(worst).desc(True)])


def matrix(
    title: str, unit: str, reading: str, query: Query, row: str, column: str, value: str, width: int = 24
) -> table.Panel:
    """A table with a row and a column for each value of two of the query's columns; the darker, the more."""
    panel = listing(title, reading, query, unit=unit, width=width)
    options = {"rowField": row, "columnField": column, "valueField": value, "emptyValue": "null"}
    cells = DynamicConfigValue("custom.cellOptions", {"type": "color-background", "mode": "gradient"})
    shade = DynamicConfigValue("color", {"mode": "continuous-blues"})
    corner = {"renameByName": {f"{row}\\{column}": row}}
    panel.with_transformation(DataTransformerConfig("groupingToMatrix", options=options))
    panel.with_transformation(DataTransformerConfig("organize", options=corner))
    return panel.min(0).max(1).override_by_field_type("number", [cells, shade])


def name_states(states: Mapping[int, tuple[str, str]]) -> ValueMap:
    return ValueMap(
        {
            str(code): ValueMappingResult(text=word, color=colour, index=place)
            for place, (code, (word, colour)) in enumerate(states.items())
        }
    )


def call(name: str, word: str, steps: ThresholdsConfig) -> tuple[str, list[DynamicConfigValue]]:
    """An override: show the series `name` under another name, in its own colours."""
    return name, [DynamicConfigValue("displayName", word), DynamicConfigValue("thresholds", steps.build())]


def _fixed(colour: str) -> DynamicConfigValue:
    return DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})


def _introduce(
    panel: Kind, title: str, unit: str, reading: str, queries: Sequence[Query], width: int, height: int
) -> Kind:
    panel.title(title).unit(unit).description(" ".join(reading.split())).span(width).height(height)
    for place, query in enumerate(queries):
        query.ref_id = chr(ord("A") + place)
        panel.datasource(source_of(query)).with_target(Given(query))
    return panel
