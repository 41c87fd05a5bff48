"""A schedule's sequence: what each of its runs measured, question by question, in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from shared.domain.drift.budget import Budget
from shared.domain.runs import RunId

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as an entry asked it. `unit` is its identity over time, `key` its name in the suite."""

    unit: str
    key: str
    category: str
    cluster: str | None = None
    asks_judge: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """Measured by an entry: arrays (models, questions) of means over repeats, NaN where none is known.

    `score` is from 0 to 1. Shares of the repeats that were `answered`, `scored` if answered, `accepted` (not
    refused) and `well_formed`. `seconds`, `output_tokens` and `cost_usd` of one answer. `coverage`
    (models): scored pairs over planned ones.
    """

    score: Array
    answered: Array
    scored: Array
    accepted: Array
    well_formed: Array
    seconds: Array
    output_tokens: Array
    cost_usd: Array
    coverage: Array


@dataclass(frozen=True, slots=True)
class Anchoring:
    """What the judge said tonight of its anchors: mean scores by anchor, and the stratum of each."""

    judge: str
    scores: Mapping[int, float]
    strata: Mapping[int, str]
    borderline_share: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One run of a sequence. Entries of different `epoch`s can't be compared; None fits every epoch."""

    run_id: RunId
    night: date
    epoch: str | None
    budget: Budget
    models: tuple[str, ...]
    questions: tuple[Asked, ...]
    measured: Measured
    anchors: Anchoring | None = None

    def select(self, models: Sequence[str]) -> "Entry":
        """The same entry with these of its models alone."""
        rows = [place for place, model in enumerate(self.models) if model in set(models)]
        return Entry(
            self.run_id, self.night, self.epoch, self.budget,
            tuple(self.models[row] for row in rows), self.questions,
            Measured(*(getattr(self.measured, name)[rows] for name in Measured.__slots__)),
            self.anchors,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Units:
    """How an entry's questions make up units: their names, each question's unit, facts of each unit."""

    names: tuple[str, ...]
    unit_of: Integers
    categories: tuple[str, ...]
    judged: tuple[bool, ...]
    largest: int

    @classmethod
    def of(cls, questions: Sequence[Asked]) -> "Units":
        """Questions of one cluster are one unit, which is another one if any of them changes.

        A question that a suite holds twice, under two names, is a cluster too.
        """
        clusters: dict[tuple[str | None, str], list[str]] = {}
        for question in questions:
            clusters.setdefault(_cluster_of(question), []).append(question.unit)
        names: dict[str, int] = {}
        categories: list[str] = []
        judged: list[bool] = []
        unit_of = []
        for question in questions:
            name = "+".join(sorted(clusters[_cluster_of(question)]))
            if name not in names:
                names[name] = len(names)
                categories.append(question.category)
                judged.append(question.asks_judge)
            unit_of.append(names[name])
        largest = max((len(members) for members in clusters.values()), default=1)
        places = np.array(unit_of, dtype=np.int64)
        return cls(tuple(names), places, tuple(categories), tuple(judged), largest)


def _cluster_of(question: Asked) -> tuple[str | None, str]:
    return question.cluster, "" if question.cluster else question.unit
