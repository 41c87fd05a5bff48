"""Measure everything and print it: `python -m tests.simulation [--write] [SECTION ...]`.

With --write the numbers go into measured.json and into docs/drift.md, row by row. About 20 minutes on
one core.
"""

import json
import sys
import time
from pathlib import Path

from tests.simulation.measurements import SECTIONS, Measured, show

STORED = Path(__file__).with_name("measured.json")
PAGE = Path(__file__).parents[2] / "docs" / "drift.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def main(arguments: list[str]) -> None:
    sections = [argument for argument in arguments if argument != "--write"] or list(SECTIONS)
    measured = json.loads(STORED.read_text()) if "--write" in arguments and STORED.exists() else {}
    for section in sections:
        measured[section] = {}
        measure, rows = SECTIONS[section]
        for row in rows:
            began = time.perf_counter()
            measured[section][row] = measure(row)
            print(f"{section}: {row} ({time.perf_counter() - began:.0f} s)", file=sys.stderr, flush=True)
            if "--write" in arguments:
                _write({name: measured[name] for name in SECTIONS if name in measured})
    print(show({section: measured[section] for section in SECTIONS if section in measured}))


def _write(measured: Measured) -> None:
    STORED.write_text(json.dumps(measured, indent=1) + "\n")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{show(measured)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
