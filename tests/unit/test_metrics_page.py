"""docs/metrics.md lists every metric as the code declares it."""

from collections.abc import Iterator
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from shared import metrics
from shared.metrics import Measure

PAGE = Path(__file__).parents[2] / "docs/metrics.md"


def list_metrics() -> Iterator[str]:
    """A row of the table for each metric that shared/metrics.py declares, in its order."""
    for declared in vars(metrics).values():
        match declared:
            case Measure(name, told, labels):
                yield _write_row(name, "gauge", labels, told)
            case MetricWrapperBase():
                [family] = declared.describe()
                ending = {"counter": "_total", "info": "_info"}.get(family.type, "")
                # prometheus_client tells labels of samples only, and here there is none yet.
                yield _write_row(
                    family.name + ending, family.type, declared._labelnames, family.documentation
                )


def _write_row(name: str, kind: str, labels: tuple[str, ...], told: str) -> str:
    return f"| `{name}` | {kind} | {', '.join(labels)} | {told} |"


def test_every_metric_is_on_the_page_and_no_other() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `driftwarden_")]
    assert sorted(rows) == sorted(list_metrics())


def test_names_and_help_follow_prometheus_conventions() -> None:
    for row in list_metrics():
        name, kind, _, told = (cell.strip(" `") for cell in row.strip("|").split("|"))
        assert told.endswith("."), name
        assert (kind == "counter") == name.endswith("_total"), name
