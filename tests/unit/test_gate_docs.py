"""The figures of docs/gate.md are those of the formula."""

import math
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from shared.domain.figures.comparison import Comparison, compare
from shared.domain.figures.sensitivity import DETECTION_Z, PSEUDO_QUESTIONS

DOCUMENT = Path(__file__).parents[2] / "docs" / "gate.md"
TURNING = (0.01, 0.02, 0.05, 0.10, 0.20)


def detectable(questions: int, turning: float) -> float:
    size = questions + PSEUDO_QUESTIONS
    return DETECTION_Z * math.sqrt((turning * questions + PSEUDO_QUESTIONS) / size / size)


def read_tables() -> Iterator[list[list[str]]]:
    for block in DOCUMENT.read_text().split("\n\n"):
        if block.startswith(("| questions |", "| margin |")):
            yield [re.findall(r"[\d.]+", line) for line in block.splitlines()[2:]]


def test_the_formula_is_that_of_the_comparison() -> None:
    before = {str(n): float(n % 2) for n in range(200)}
    after = {name: 1.0 - score if int(name) < 20 else score for name, score in before.items()}
    compared = compare(before, after)
    assert isinstance(compared, Comparison)
    assert compared.minimum_detectable_difference == pytest.approx(detectable(200, 0.10))


def test_both_tables_are_computed() -> None:
    drops, sizes = read_tables()
    for questions, *told in drops:
        assert told == [f"{100 * detectable(int(questions), turning):.1f}" for turning in TURNING]
    for margin, *told in sizes:
        needed = [next(n for n in count(1) if detectable(n, turning) <= float(margin)) for turning in TURNING]
        assert [int(each) for each in told] == needed
