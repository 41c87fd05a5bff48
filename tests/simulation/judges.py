"""Experiments on who moved, the model or its judge: the verdict alone, and the whole way to it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shared.domain.causes.suspects import Suspect, suspect, weigh_strata
from shared.domain.drift.budget import ANCHORS, Budget, share_quality
from shared.domain.drift.dating import Shift, measure_shift
from shared.domain.drift.detect import Metric, State, Stream, advance, observe_quality
from tests.simulation.experiments import BATCH, FLEET, chance_of
from tests.simulation.world import REFERENCE_NIGHTS, categorize

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

STRATA = {"borderline": 0.30, "clear": 0.70}  # of the suite's answers
SUITE, ANCHORS_IN_EACH, REPEATS = 200, 45, 5
NIGHTS_AFTER, DAYS_LATER = 30, 7


@dataclass(frozen=True, slots=True)
class Move:
    """What the model loses of its mean, and what the judge takes off the mean of each stratum's scores."""

    model: float
    borderline: float
    clear: float

    def of_judge(self, stratum: str) -> float:
        return {"borderline": self.borderline, "clear": self.clear}[stratum]


@dataclass(frozen=True, slots=True)
class Judged:
    """Each (nights, models): alarms of the suite and of the anchors. Verdicts by model, at once and later."""

    suite: Flags
    anchors_worse: Flags
    anchors_better: Flags
    at_once: tuple[Suspect, ...]
    a_week_later: tuple[Suspect, ...]

    def caught_within(self, nights: int) -> float:
        return float(self.suite[REFERENCE_NIGHTS : REFERENCE_NIGHTS + nights].any(axis=0).mean())

    def anchors_caught_within(self, nights: int) -> float:
        changed = slice(REFERENCE_NIGHTS, REFERENCE_NIGHTS + nights)
        return float((self.anchors_worse | self.anchors_better)[changed].any(axis=0).mean())


@dataclass(frozen=True, slots=True)
class Panel:
    """Chances that the judge passes each answer, before and after: (answers)."""

    before: Array
    after: Array

    def score(self, is_changed: bool, chance: Generator, repeats: int = 1) -> Integers:
        """Scores from 0 to `repeats`."""
        drawn: Integers = chance.binomial(repeats, self.after if is_changed else self.before)
        return drawn


def accuse(name: str, move: Move, repeats: int) -> Mapping[Suspect, float]:
    """Whom the anchors accuse after 30 nights before and 7 after, on which each is judged five times.

    Of 200 answers 60 are borderline (0.2 to 0.8 of judgements pass), the others clear; of 90 anchors 45 are.
    """
    chance = chance_of(name)
    verdicts = []
    for _ in range(repeats):
        suite, anchors = _draw(move, chance)
        nights = [night >= REFERENCE_NIGHTS for night in range(REFERENCE_NIGHTS + 7)]
        model = _shift(np.array([suite.score(n, chance) for n in nights]), REFERENCE_NIGHTS, 1)
        judge = {}
        for stratum, panel in anchors.items():
            once = [REPEATS * panel.score(n, chance) for n in nights if not n]
            often = [panel.score(n, chance, REPEATS) for n in nights if n]
            judge[stratum] = _shift(np.array(once + often), REFERENCE_NIGHTS, REPEATS)
        verdicts.append(suspect(model, weigh_strata(judge, STRATA)).suspect)
    return {verdict: verdicts.count(verdict) / repeats for verdict in Suspect}


def watch_judge(name: str, move: Move, models: int, nights: int = REFERENCE_NIGHTS + NIGHTS_AFTER) -> Judged:
    """Suite and anchors through the detector; from an alarm on the anchors are judged five times a night."""
    parts = [
        _watch_batch(move, min(BATCH, models - first), nights, chance_of(name, first // BATCH))
        for first in range(0, models, BATCH)
    ]
    return Judged(
        np.concatenate([part.suite for part in parts], axis=1),
        np.concatenate([part.anchors_worse for part in parts], axis=1),
        np.concatenate([part.anchors_better for part in parts], axis=1),
        tuple(verdict for part in parts for verdict in part.at_once),
        tuple(verdict for part in parts for verdict in part.a_week_later),
    )


@dataclass(slots=True)
class Incident:
    """A model's first alarm after the change: since when, and the index of its first changed night."""

    night: int
    first_changed: int


def _watch_batch(move: Move, models: int, nights: int, chance: Generator) -> Judged:
    quality, anchoring = observe_quality(categorize(SUITE)), _observe_anchors()
    of_quality = Budget(FLEET).of_each_model(share_quality(len(quality.streams) - 2))
    of_anchors = Budget(FLEET).of_the_installation(ANCHORS)
    drawn = [_draw(move, chance) for _ in range(models)]
    suite_state = State.fresh(models, SUITE, quality)
    anchor_state = State.fresh(models, len(STRATA) * ANCHORS_IN_EACH, anchoring)
    scores = np.zeros((nights, models, SUITE), dtype=np.int64)
    frozen = np.zeros((nights, models, len(STRATA) * ANCHORS_IN_EACH), dtype=np.int64)
    raised = np.zeros((3, nights, models), dtype=bool)
    incidents: dict[int, Incident] = {}
    at_once: list[Suspect] = []
    later: list[Suspect] = []
    everyone = np.ones(models, dtype=bool)
    for night in range(nights):
        changed = night >= REFERENCE_NIGHTS
        scores[night] = [suite.score(changed, chance) for suite, _ in drawn]
        anchors = np.array([_score_all(panels, changed, chance) for _, panels in drawn])
        frozen[night] = REPEATS * anchors
        suite_state, suite = advance(suite_state, scores[night], quality, of_quality, everyone)
        anchor_state, judge = advance(anchor_state, anchors, anchoring, of_anchors, everyone)
        alarms = suite.reading.has_alarm.any(axis=1)
        raised[:, night] = alarms, judge.reading.has_alarm[:, 0], judge.reading.has_improved[:, 0]
        for model in np.flatnonzero(alarms & changed).tolist():
            best = suite.reading.change.best[model, suite.reading.leading[model]]
            incidents.setdefault(model, Incident(night, int(best) - 1))
        for model, incident in incidents.items():
            frozen[night, model] = _score_all(drawn[model][1], changed, chance, REPEATS)
            if night - incident.night in (0, DAYS_LATER):
                phis = float(suite.overdispersion[model, 0]), float(judge.overdispersion[model, 0])
                until = slice(None, night + 1)
                verdict = _accuse(scores[until, model], frozen[until, model], incident.first_changed, *phis)
                (at_once if night == incident.night else later).append(verdict)
    return Judged(raised[0], raised[1], raised[2], tuple(at_once), tuple(later))


def _accuse(scores: Integers, frozen: Integers, first: int, phi: float, judges_phi: float) -> Suspect:
    return suspect(_shift(scores, first, 1, phi), _weigh(frozen, first, judges_phi)).suspect


def _observe_anchors() -> Metric:
    return Metric((Stream("anchors", np.arange(len(STRATA) * ANCHORS_IN_EACH)),))


def _weigh(frozen: Integers, first_changed: int, phi: float) -> Shift:
    parts = np.split(frozen, len(STRATA), axis=1)
    shifts = {
        stratum: _shift(part, first_changed, REPEATS, phi)
        for stratum, part in zip(STRATA, parts, strict=True)
    }
    return weigh_strata(shifts, STRATA)


def _draw(move: Move, chance: Generator) -> tuple[Panel, Mapping[str, Panel]]:
    """A suite whose answers are judged, in no order, and each stratum of the anchors."""
    answers = {stratum: _draw_answers(stratum, int(SUITE * s), chance) for stratum, s in STRATA.items()}
    kept = 1 - move.model / np.concatenate(list(answers.values())).mean()
    order = chance.permutation(SUITE)
    after = [_be_stricter(right * kept, move.of_judge(stratum)) for stratum, right in answers.items()]
    suite = Panel(np.concatenate(list(answers.values()))[order], np.concatenate(after)[order])
    frozen = {stratum: _draw_answers(stratum, ANCHORS_IN_EACH, chance) for stratum in STRATA}
    return suite, {
        stratum: Panel(right, _be_stricter(right, move.of_judge(stratum)))
        for stratum, right in frozen.items()
    }


def _draw_answers(stratum: str, count: int, chance: Generator) -> Array:
    if stratum == "borderline":
        return chance.uniform(0.2, 0.8, count)
    return np.where(chance.random(count) < 0.85, 0.98, 0.02)


def _be_stricter(right: Array, drop: float) -> Array:
    stricter: Array = right * (1 - drop / right.mean())
    return stricter


def _score_all(
    panels: Mapping[str, Panel], is_changed: bool, chance: Generator, repeats: int = 1
) -> Integers:
    return np.concatenate([panel.score(is_changed, chance, repeats) for panel in panels.values()])


def _shift(scores: Integers, first_changed: int, levels: int, phi: float = 1.0) -> Shift:
    shift = measure_shift(scores, first_changed, levels, phi)
    assert shift is not None
    return shift
