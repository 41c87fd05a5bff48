"""The figures beside what is asked of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Target:
    """A figure and the most that it may be."""

    name: str
    figure: float
    at_most: float
    unit: str

    @property
    def is_met(self) -> bool:
        return self.figure <= self.at_most


def targets_of(figures: Mapping[str, Any]) -> list[Target]:
    submission, year = figures["submission"], figures["year"]
    return [
        Target("CPU of a judged pair, over two bare calls", figures["overhead"]["cpu_ratio"], 0.6, "×"),
        Target("550 pairs of 1.5 s, 50 at once, over ideal", figures["makespan"]["ratio"], 1.05, "×"),
        Target("100,000 pairs planned and queued", figures["fan_out"]["seconds"], 15, "s"),
        Target("POST /runs, p99, one at a time", submission["sequential_p99_ms"], 100, "ms"),
        Target("POST /runs, p99, ten at once", submission["ten_at_once_p99_ms"], 100, "ms"),
        Target("a year of 50 models folded anew", year["refold_seconds"], 60, "s"),
        Target("one night of 50 models, after a year", year["night_seconds"], 2, "s"),
        Target("memory, idle (PSS)", figures["footprint"]["idle_mb"], 600, "MB"),
        Target("memory, peak (PSS)", figures["footprint"]["peak_mb"], 1024, "MB"),
        Target("memory of who folds them", year["peak_mb"], 1024, "MB"),
    ]


def print_report(console: Console, figures: Mapping[str, Any], targets: Sequence[Target]) -> None:
    judged = Table("target", "measured", "at most", "", title="Targets")
    for each in targets:
        verdict = "[green]met[/]" if each.is_met else "[bold red]MISSED[/]"
        judged.add_row(each.name, f"{each.figure:.2f} {each.unit}", f"{each.at_most:g} {each.unit}", verdict)
    console.print(judged)

    facts = Table("figure", "value", title="Figures")
    overhead, submission, footprint = figures["overhead"], figures["submission"], figures["footprint"]
    single_pair = figures["single_pair"]
    by_program = sorted(overhead["cpu_ms_per_pair_by_program"].items(), key=lambda entry: -entry[1])
    for name, value in (
        ("judged pairs a second, no latency", f"{overhead['pairs_per_second']:.0f}"),
        ("two bare calls of LiteLLM, pairs a second", f"{overhead['bare_pairs_per_second']:.0f}"),
        ("CPU of a pair", f"{overhead['cpu_ms_per_pair']:.2f} ms"),
        *((f"  of it {program}", f"{ms:.2f} ms") for program, ms in by_program if ms >= 0.005),
        ("CPU of two bare calls", f"{overhead['bare_cpu_ms_per_pair']:.2f} ms"),
        ("a single pair, submission to planned, p50", f"{single_pair['planned_p50_ms']:.0f} ms"),
        ("  queued to closed, p50", f"{single_pair['queued_to_closed_p50_ms']:.0f} ms"),
        ("550 pairs, wall time", f"{figures['makespan']['seconds']:.2f} s"),
        ("  with two bare calls of LiteLLM", f"{figures['makespan']['bare_seconds']:.2f} s"),
        ("POST /runs, p50, one at a time", f"{submission['sequential_p50_ms']:.1f} ms"),
        ("POST /runs, p50, ten at once", f"{submission['ten_at_once_p50_ms']:.1f} ms"),
        ("cancelling 100,000 pairs", f"{figures['fan_out']['cancel_seconds']:.1f} s"),
        ("CPU of folding a year anew, database included", f"{figures['year']['refold_cpu_seconds']:.1f} s"),
        ("CPU of one night's detection, without database", f"{figures['year']['night_cpu_seconds']:.2f} s"),
        ("detections of a year", f"{figures['year']['detections']:,.0f}"),
        ("cores that others kept busy, year", f"{figures['year']['cores_of_others']:.1f}"),
        ("start to first request, new folder", f"{footprint['seconds_to_first_request']:.1f} s"),
        ("CPU while idle", f"{figures['idling']['millicores']:.0f} thousandths of a core"),
        *(
            (f"cores that others kept busy, {part}", f"{cores:.1f}")
            for part, cores in figures["cores_of_others"].items()
        ),
    ):
        facts.add_row(name, value)
    console.print(facts)
