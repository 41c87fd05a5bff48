"""How far the judge agrees with people: on which answers pass, beyond what chance alone would give."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.figures.aggregation import ROUNDING, Z, measure_accuracy

PASS_SCORE = 0.5


@dataclass(frozen=True, slots=True)
class Rated:
    """An answer's score by the judge and by a person, each from 0 to 1."""

    judge: float
    person: float


@dataclass(frozen=True, slots=True)
class Kappa:
    """Cohen's kappa and its 95 % interval: 1 is full agreement, 0 as much as by chance."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many answers judge and person let pass, both or alone: a pass is a score of PASS_SCORE or more.

    `share` is that of answers on which they agree, None where there is no answer. `kappa` is None where it
    has no meaning: there is no answer, or both let all of them pass, or none.
    """

    both_pass: int
    judge_only: int
    person_only: int
    both_fail: int
    share: float | None
    kappa: Kappa | None

    @property
    def n(self) -> int:
        return self.both_pass + self.judge_only + self.person_only + self.both_fail


def measure_agreement(rated: Iterable[Rated]) -> Agreement:
    counts = Counter((each.judge >= PASS_SCORE, each.person >= PASS_SCORE) for each in rated)
    cells = counts[True, True], counts[True, False], counts[False, True], counts[False, False]
    n = sum(cells)
    return Agreement(*cells, share=(cells[0] + cells[3]) / n if n else None, kappa=measure_kappa(*cells))


def measure_kappa(both: int, first_only: int, second_only: int, neither: int) -> Kappa | None:
    """Cohen's kappa of two raters who say yes or no (J. Cohen, Educ. Psychol. Meas. 20 (1960) 37-46).

    The interval is that of its large-sample error (Fleiss, Cohen, Everitt, Psychol. Bull. 72 (1969)
    323-327). Where all agree, or none, or one always says the same, that error is 0 however few they are:
    then it is the Wilson interval of the share that agrees, with the agreement by chance held fixed.
    """
    n = both + first_only + second_only + neither
    first, second = both + first_only, both + second_only
    if n == 0 or first == second == n or first == second == 0:
        return None
    of_first, of_second = (first / n, 1 - first / n), (second / n, 1 - second / n)
    cells = ((both / n, first_only / n), (second_only / n, neither / n))
    observed = cells[0][0] + cells[1][1]
    by_chance = of_first[0] * of_second[0] + of_first[1] * of_second[1]
    kappa = (observed - by_chance) / (1 - by_chance)

    agreeing = sum(cells[i][i] * (1 - (of_first[i] + of_second[i]) * (1 - kappa)) ** 2 for i in (0, 1))
    differing = (1 - kappa) ** 2 * sum(
        cells[i][1 - i] * (of_second[i] + of_first[1 - i]) ** 2 for i in (0, 1)
    )
    variance = agreeing + differing - (kappa - by_chance * (1 - kappa)) ** 2
    error = math.sqrt(max(0.0, variance) / n) / (1 - by_chance)
    if error > ROUNDING:
        return Kappa(kappa, max(-1.0, kappa - Z * error), min(1.0, kappa + Z * error))
    share = measure_accuracy([1.0] * (both + neither) + [0.0] * (first_only + second_only))
    assert share is not None, "there are answers"
    lower, upper = ((end - by_chance) / (1 - by_chance) for end in (share.lower, share.upper))
    return Kappa(kappa, max(-1.0, lower), min(1.0, upper))
