"""Who is ahead of whom on the same questions, and which places that leaves open.

Each two models are compared by the questions that both have scored and that were graded alike, as
`comparison` does it. All findings of a table hold together in 95 of 100 tables (S. Holm, Scand. J. Statist. 6
(1979) 65-70, over both directions of each pair), and so do the ranges of places that follow from them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from shared.domain.figures.comparison import Clusters, Scores, critical_value
from shared.domain.figures.distributions import normal_cdf, student_t_cdf
from shared.domain.figures.sensitivity import PSEUDO_QUESTIONS, Z_95, Z_TWO_SIDED

FAMILY_ERROR = 0.05
OWN_SCORER = 0  # the code of a question whose own scorer graded it: that is the same for every model

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One model's mean score by unit, and who graded a unit where that is not the question's own scorer.

    None as a grader: nobody knows who it was.
    """

    scores: Scores
    graders: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rank:
    """The places that the comparisons leave open, 1 the best."""

    best: int
    worst: int


@dataclass(frozen=True, slots=True)
class Difference:
    """One model minus another over the questions that both have scored; below 0 is worse.

    Each side of the interval holds with 95 %, as in a comparison of two runs.
    """

    questions: int
    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """All pairs of models. The arrays have the shape (model, model): row minus column, row ahead of column.

    `critical` counts standard errors from the middle of an interval to its ends.
    """

    models: tuple[str, ...]
    questions: NDArray[np.int64]
    value: Array
    adjusted: Array
    standard_error: Array
    critical: Array
    is_ahead: NDArray[np.bool_]

    def places(self) -> dict[str, Rank]:
        ahead_of_it, behind_it = self.is_ahead.sum(axis=0), self.is_ahead.sum(axis=1)
        return {
            model: Rank(1 + int(ahead_of_it[at]), len(self.models) - int(behind_it[at]))
            for at, model in enumerate(self.models)
        }

    def between(self, model: str, other: str) -> Difference | None:
        """`model` minus `other`; None where they share no question."""
        row, column = self.models.index(model), self.models.index(other)
        questions = int(self.questions[row, column])
        if row == column or not questions:
            return None
        middle = float(self.adjusted[row, column])
        half = float(self.critical[row, column] * self.standard_error[row, column])
        return Difference(
            questions, float(self.value[row, column]), max(middle - half, -1.0), min(middle + half, 1.0)
        )

    def list_rivals(self, model: str) -> tuple[str, ...]:
        """Those that can't be told from a model: neither ahead of it nor behind."""
        at = self.models.index(model)
        is_open = ~(self.is_ahead[at] | self.is_ahead[:, at])
        return tuple(other for place, other in enumerate(self.models) if is_open[place] and place != at)

    def list_leaders(self, among: Sequence[str]) -> tuple[str, ...]:
        """Those that nobody of these models is ahead of: any of them could be the first."""
        places = [self.models.index(model) for model in among]
        return tuple(
            model
            for model, at in zip(among, places, strict=True)
            if not any(self.is_ahead[other, at] for other in places)
        )

    @property
    def tie_width(self) -> float | None:
        """The difference of two accuracies below which chance is a sufficient reason (95 %), as a median."""
        known = np.triu(self.questions, 1) > 0
        if not known.any():
            return None
        two_sided = self.critical[known] * Z_TWO_SIDED / Z_95
        return min(1.0, float(np.median(two_sided * self.standard_error[known])))


def rank_models(sheets: Mapping[str, Sheet], clusters: Clusters | None = None) -> Ranking:
    """Compare every two models that have a score; the others have no place."""
    models = tuple(model for model, sheet in sheets.items() if sheet.scores)
    units = sorted({unit for model in models for unit in sheets[model].scores})
    groups = _number([(clusters or {}).get(unit) or (unit,) for unit in units])
    order = np.argsort(groups, kind="stable")
    columns = [units[at] for at in order]
    score = np.array([[sheets[model].scores.get(unit, np.nan) for unit in columns] for model in models])
    graders = _number_graders([sheets[model] for model in models], columns)
    size = len(models)
    empty = np.zeros((size, size))
    ranking = Ranking(
        models, empty.astype(np.int64), empty, empty.copy(), empty.copy(), empty.copy(), empty > 1
    )
    p_ahead = np.ones((size, size))
    for at in range(size - 1):
        _compare_row(ranking, p_ahead, at, score, graders, groups[order])
    ranking.is_ahead[:] = _holm(p_ahead, ranking.questions > 0)
    return ranking


def _compare_row(
    ranking: Ranking, p_ahead: Array, at: int, score: Array,
    graders: NDArray[np.int64] | None, groups: NDArray[np.int64],
) -> None:  # fmt: skip
    """Compare one model with all that come after it; what is one way round is the other with its sign."""
    difference = score[at] - score[at + 1 :]
    shared = ~np.isnan(difference)
    if graders is not None:
        mine, theirs = graders[at], graders[at + 1 :]
        shared &= (mine == theirs) | (mine == OWN_SCORER) | (theirs == OWN_SCORER)
    difference = np.where(shared, difference, 0.0)
    questions, total = shared.sum(axis=1), difference.sum(axis=1)
    size = questions + PSEUDO_QUESTIONS
    adjusted = total / size
    squares = (difference * difference).sum(axis=1) + PSEUDO_QUESTIONS
    error = np.sqrt((squares / size - adjusted**2) / size)
    value = total / np.maximum(questions, 1)
    clusters = questions
    if groups.size and groups[-1] + 1 < groups.size:
        starts = np.flatnonzero(np.diff(groups, prepend=-1))
        counts = np.add.reduceat(shared.astype(np.int64), starts, axis=1)
        residuals = np.add.reduceat(difference, starts, axis=1) - counts * value[:, None]
        clusters = (counts > 0).sum(axis=1)
        clustered = np.sqrt((residuals**2).sum(axis=1)) / np.maximum(questions, 1)
        error = np.where(clusters < questions, np.maximum(error, clustered), error)
    row, column = np.s_[at, at + 1 :], np.s_[at + 1 :, at]
    critical = np.array([critical_value(int(n), int(c)) for n, c in zip(questions, clusters, strict=True)])
    for matrix, values, sign in (
        (ranking.questions, questions, 1),
        (ranking.value, value, -1),
        (ranking.adjusted, adjusted, -1),
        (ranking.standard_error, error, 1),
        (ranking.critical, critical, 1),
    ):
        matrix[row], matrix[column] = values, sign * values
    z = adjusted / error
    p_ahead[row] = _upper_tail(z, questions, clusters)
    p_ahead[column] = _upper_tail(-z, questions, clusters)


def _upper_tail(z: Array, questions: NDArray[np.int64], clusters: NDArray[np.int64]) -> Array:
    """The chance of so large a value where there is no difference, by the law of `critical_value`."""
    tail = normal_cdf(-z)
    for at in np.flatnonzero(clusters < questions):
        tail[at] = student_t_cdf(-float(z[at]), int(clusters[at]) - 1) if clusters[at] > 1 else 1.0
    return tail


def _holm(p: Array, is_compared: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the compared hold together, with an error of 5 % for all of them."""
    order = np.argsort(p[is_compared], kind="stable")
    sorted_p = p[is_compared][order]
    fails = sorted_p > FAMILY_ERROR / np.arange(sorted_p.size, 0, -1)
    holding = int(np.argmax(fails)) if fails.any() else sorted_p.size
    holds = np.zeros(sorted_p.size, dtype=bool)
    holds[order[:holding]] = True
    found = np.zeros(p.shape, dtype=bool)
    found[is_compared] = holds
    return found


def _number(labels: Sequence[object]) -> NDArray[np.int64]:
    """Equal numbers for equal labels, from 0 on in order of appearance."""
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(label, len(numbers)) for label in labels], dtype=np.int64)


def _number_graders(sheets: Sequence[Sheet], columns: Sequence[str]) -> NDArray[np.int64] | None:
    """A number for each grader; None where every question was graded by its own scorer."""
    if not any(sheet.graders for sheet in sheets):
        return None
    numbers: dict[str | None, int] = {}

    def number(sheet: Sheet) -> Iterator[int]:
        for unit in columns:
            named = unit in sheet.graders
            yield numbers.setdefault(sheet.graders[unit], len(numbers) + 1) if named else OWN_SCORER

    return np.array([list(number(sheet)) for sheet in sheets], dtype=np.int64)
