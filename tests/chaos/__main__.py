"""`make chaos`: break an installation in every way that is listed, in the middle of runs, and count.

It starts its own databases, a simulated provider and every service, several times over, in temporary folders.
Exits 1 when anything was lost, counted twice, paid for needlessly or slow to recover.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from tests.chaos.faults import FAULTS, why_not
from tests.chaos.lanes import plan_lanes, run_lanes
from tests.chaos.report import as_json, print_table, sum_up, write_page
from tests.chaos.stage import FULL, ROOT, Ground
from tests.chaos.trial import Trial

PAGE_WIDTH = 140
REPORT = ROOT / "artifacts" / "chaos.json"
LOGS = ROOT / "artifacts" / "chaos-logs"
PAGE = ROOT / "docs" / "operations.md"


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument(
        "--trials", type=int, default=10, metavar="N", help="of each fault; fewer of long ones"
    )
    parser.add_argument("--fault", nargs="+", choices=[fault.name for fault in FAULTS], metavar="NAME")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="S", help="of the first trial; then S + 1, ..."
    )
    parser.add_argument("--write", action="store_true", help="put the table into docs/operations.md")
    return parser.parse_args()


def main() -> int:
    arguments = read_arguments()
    progress = Console(stderr=True)
    chosen = [fault for fault in FAULTS if not arguments.fault or fault.name in arguments.fault]
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        missing = {ground: reason for ground in Ground if (reason := why_not(ground, Path(folder)))}
    skipped = {fault.title: missing[fault.ground] for fault in chosen if fault.ground in missing}
    lanes = plan_lanes(
        [fault for fault in chosen if fault.ground not in missing], arguments.trials, arguments.seed
    )
    planned, trials = sum(len(lane) for _, lane in lanes), list[Trial]()

    def tell(trial: Trial) -> None:
        trials.append(trial)
        seconds = "never" if trial.recovered_seconds is None else f"{trial.recovered_seconds:.1f} s"
        progress.print(
            f"{len(trials)}/{planned} {trial.fault} {trial.seed}: recovered {seconds}, "
            f"{trial.extra_calls}/{trial.most_extra_calls} extra calls, {trial.total_seconds:.0f} s in all",
            style="dim",
        )
        for complaint in (*trial.complaints, *([trial.lateness] if trial.lateness else [])):
            progress.print(f"  {complaint}", style="red")

    asyncio.run(run_lanes(lanes, FULL, tell, LOGS))
    trials.sort(key=lambda trial: trial.seed)
    rows = sum_up(trials)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(as_json(rows, trials), indent=2) + "\n")
    print_table(Console(width=None if sys.stdout.isatty() else PAGE_WIDTH), rows, skipped)
    if arguments.write:
        write_page(PAGE, rows)
    return 1 if any(trial.complaints or trial.lateness for trial in trials) else 0


if __name__ == "__main__":
    sys.exit(main())
