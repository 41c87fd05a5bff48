"""`make bench`: how fast Driftwarden is on this machine, as a table and in artifacts/bench.json.

It starts its own instance on a temporary folder, with simulated models. Exits 1 when a target is missed.
"""

import asyncio
import csv
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.benchmarks.measures import (
    measure_fan_out,
    measure_idling,
    measure_makespan,
    measure_overhead,
    measure_single_pairs,
    measure_submissions,
    measure_year,
)
from tests.benchmarks.processes import Usage, memory_mb, watch_memory
from tests.benchmarks.report import print_report, targets_of
from tests.benchmarks.stage import QUESTIONS, ROOT, set_the_stage

REPORT = ROOT / "artifacts" / "bench.json"


async def measure(console: Console) -> dict[str, Any]:
    judged = read_judged_questions()[:QUESTIONS]
    thousand = [
        {"id": f"q{number}", "category": "sums", "input": f"What is {number} + 1?", "target": str(number + 1)}
        for number in range(1000)
    ]
    with tempfile.TemporaryDirectory(prefix="driftwarden-bench-") as folder:
        console.print("Starting ...", style="dim")
        async with set_the_stage(Path(folder), judged) as stage:
            await stage.import_suite("judged", judged)
            await stage.import_suite("thousand", thousand)
            await stage.run_to_end("judged", ["model-01"], sample=1)
            idle_mb = memory_mb(stage.pid)
            figures: dict[str, Any] = {"machine": describe_machine(), "cores_of_others": {}}
            async with watch_memory(stage.pid) as peak:
                for name, part in {
                    "idling": measure_idling(stage),
                    "single_pair": measure_single_pairs(stage),
                    "submission": measure_submissions(stage),
                    "overhead": measure_overhead(stage, judged),
                    "makespan": measure_makespan(stage, judged),
                    "fan_out": measure_fan_out(stage),
                }.items():
                    console.print(f"Measuring {name} ...", style="dim")
                    before = Usage.now()
                    figures[name] = await part
                    figures["cores_of_others"][name] = before.cores_of_others_until(Usage.now())
            figures["footprint"] = {
                "seconds_to_first_request": stage.seconds_to_first_request,
                "idle_mb": idle_mb,
                "peak_mb": peak.mb,
            }
    console.print("Measuring a fleet's year (some minutes) ...", style="dim")
    figures["year"] = await measure_year()
    return figures


def read_judged_questions() -> list[dict[str, str]]:
    """Questions of the golden suite that only a judge can decide."""
    with (ROOT / "suites" / "golden.csv").open(newline="") as file:
        return [
            {
                "id": row["id"],
                "category": row["category"],
                "input": row["input"],
                "target": row["expected_output"],
            }
            for row in csv.DictReader(file)
            if row["scorer"] == "llm-rubric"
        ]


def describe_machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def main() -> int:
    console = Console(stderr=True)
    figures = asyncio.run(measure(console))
    targets = targets_of(figures)
    REPORT.parent.mkdir(exist_ok=True)
    content = {**figures, "targets": {each.name: each.is_met for each in targets}}
    REPORT.write_text(json.dumps(content, indent=2) + "\n")
    print_report(Console(), figures, targets)
    return 0 if all(each.is_met for each in targets) else 1


if __name__ == "__main__":
    sys.exit(main())
