"""Who did it? Incidents of known making, told by the watch from beginning to end, and whom it accuses.

Each trial is a year's corner of one installation: nights on which nothing changes, then one thing that does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shared.domain.causes.controls import ControlFinding
from shared.domain.drift.budget import Budget
from shared.domain.drift.sequence import Anchoring, Asked, Entry, Measured
from shared.domain.runs import RunId
from shared.domain.telling.backtest import Circumstances, backtest
from shared.domain.telling.incidents import EventKind, MonitorState
from shared.domain.telling.records import Record
from tests.simulation.experiments import FLEET, chance_of
from tests.simulation.world import JUDGE_FLIPS, REFERENCE_NIGHTS, categorize

Array = NDArray[np.float64]

QUESTIONS, NIGHTS_AFTER = 200, 14
BORDERLINE = 0.30  # of the suite's answers, and of the passes that a judge grants at will
ANCHORS_IN_EACH = 45
EDITED_PASSES = 0.7  # of what passed before, an edited scorer lets pass
FIRST_NIGHT = date(2026, 1, 1)
NO_INCIDENT = "no incident"


@dataclass(frozen=True, slots=True)
class Culprit:
    """What happens from night 31 on, or on that night `once`. Shares of 1, except `slower` (times).

    `model_loses`, `judge_takes`: off the mean of the scores; the judge takes as much off its anchors.
    `judged`: the share of the questions that a judge scores. `edits_scorers`: of so many, to stricter ones.
    """

    model_loses: float = 0.0
    judge_takes: float = 0.0
    judged: float = 1.0
    refuses: float = 0.0
    slower: float = 1.0
    unanswered: float = 0.0
    wrong: float = 0.0
    once: bool = False
    moves_control: bool = False
    edits_scorers: float = 0.0

    @property
    def hinges_on_anchors(self) -> bool:
        """Whether it takes the judge's anchors to tell, so that trials with one judge would tell alike."""
        return bool(self.judge_takes or self.model_loses) and not self.moves_control


CULPRITS: Mapping[str, Culprit] = {
    "judge swapped: 5 points stricter": Culprit(judge_takes=0.05),
    "judge swapped, half of the questions judged": Culprit(judge_takes=0.10, judged=0.5),
    "model swapped: 10 points worse": Culprit(model_loses=0.10),
    "model swapped: 5 points worse": Culprit(model_loses=0.05),
    "both: model 10 points worse, judge 5 stricter": Culprit(model_loses=0.10, judge_takes=0.05),
    "outage: nothing answered on one night": Culprit(unanswered=1.0, once=True),
    "outage: all wrong on one night": Culprit(wrong=1.0, once=True),
    "scorers edited: 30 % of the questions": Culprit(edits_scorers=0.30),
    "harness changed: 10 points worse, controls moved": Culprit(model_loses=0.10, moves_control=True),
    "calls three times slower": Culprit(slower=3.0),
    "refusals up by 20 points": Culprit(refuses=0.20),
}


@dataclass(frozen=True, slots=True)
class Told:
    """Of one trial: the cause that the incident opened with, the one that it had in the end, and its end."""

    at_first: str
    in_the_end: str
    quarantined: bool
    closed_by_itself: bool


@dataclass(frozen=True, slots=True)
class Stage:
    """A model's answers to a suite, and its judge's anchors: chances of a pass before the change."""

    culprit: Culprit
    right: Array
    keeps: Array
    anchors: Array
    judged: NDArray[np.bool_]
    usual_seconds: Array
    asked: tuple[Asked, ...]
    asked_after_edit: tuple[Asked, ...]


def try_culprit(row: str, first: int, models: int = 1) -> list[Told]:
    """Trials from the number `first` on, one model each, from the first night to two weeks after the change.

    They share an installation, and so a judge and its anchors.
    """
    culprit = CULPRITS[row]
    chances = [chance_of(row, first + number) for number in range(models)]
    stages = [_set(culprit, chance) for chance in chances]
    nights = range(REFERENCE_NIGHTS + NIGHTS_AFTER)
    entries = [
        _merge([_play(stage, night, chance) for stage, chance in zip(stages, chances, strict=True)])
        for night in nights
    ]
    found = backtest(entries, [_circumstances(culprit, night) for night in nights])
    return [_tell(found.of(_name(number))) for number in range(models)]


def _merge(alone: Sequence[Entry]) -> Entry:
    """One entry of several models; the judge is the first one's."""
    columns = Measured.__slots__
    measured = [np.concatenate([getattr(one.measured, name) for one in alone]) for name in columns]
    return replace(
        alone[0], models=tuple(_name(number) for number in range(len(alone))), measured=Measured(*measured)
    )


def _name(number: int) -> str:
    return f"model {number}"


def _tell(record: Record) -> Told:
    if not record.opened:
        return Told(NO_INCIDENT, NO_INCIDENT, bool(record.quarantined), False)
    first = record.opened[0]
    of_it = [event for event in record.events if event.place >= first.place]
    ended = {EventKind.RECOVERED, EventKind.OUTAGE_OVER} & {event.kind for event in of_it}
    last = record.current or of_it[-1].findings
    is_closed = bool(ended) and record.state in (MonitorState.OK, MonitorState.WATCH)
    return Told(first.findings.cause, last.cause, bool(record.quarantined), is_closed)


def _set(culprit: Culprit, chance: Generator) -> Stage:
    right = _draw_answers(QUESTIONS, BORDERLINE, chance)
    judged = np.zeros(QUESTIONS, dtype=bool)
    judged[chance.permutation(QUESTIONS)[: round(culprit.judged * QUESTIONS)]] = True
    lost = _concentrate(right, culprit.model_loses, chance)
    clear = _draw_answers(ANCHORS_IN_EACH, 0.0, chance)
    borderline = _draw_answers(ANCHORS_IN_EACH, 1.0, chance)
    return Stage(
        culprit, right, 1 - lost, np.concatenate([borderline, clear]), judged,
        np.exp(chance.normal(0, 1, QUESTIONS)), _ask(judged, 0.0), _ask(judged, culprit.edits_scorers),
    )  # fmt: skip


def _draw_answers(count: int, borderline: float, chance: Generator) -> Array:
    """Chances to pass: of borderline answers 0.2 to 0.8, of clear ones nearly all or nearly nothing."""
    is_sure = np.arange(count) >= round(borderline * count)
    clear = np.where(chance.random(count) < 0.85, 1 - JUDGE_FLIPS, JUDGE_FLIPS)
    return np.where(is_sure, clear, chance.uniform(0.2, 0.8, count))


def _concentrate(right: Array, loss: float, chance: Generator) -> Array:
    """The share of its chance that each question loses: the loss of the mean sits in 30 % of them."""
    changed = chance.permutation(len(right))[: round(0.30 * len(right))]
    lost = np.zeros(len(right))
    lost[changed] = min(1.0, loss * len(right) / right[changed].sum())
    return lost


def _play(stage: Stage, night: int, chance: Generator) -> Entry:
    culprit = stage.culprit
    is_struck = night == REFERENCE_NIGHTS if culprit.once else night >= REFERENCE_NIGHTS
    now = culprit if is_struck else Culprit(judged=culprit.judged)
    right = stage.right * (stage.keeps if is_struck else 1.0)
    edited = np.arange(QUESTIONS) < now.edits_scorers * QUESTIONS
    right = np.where(edited, EDITED_PASSES * right, right)
    stricter = 1 - now.judge_takes / stage.right.mean()
    scores = (chance.random(QUESTIONS) < np.where(stage.judged, right * stricter, right)).astype(float)
    refused = chance.random(QUESTIONS) < now.refuses
    scores[refused | (chance.random(QUESTIONS) < now.wrong)] = 0.0
    answered = chance.random(QUESTIONS) >= now.unanswered
    seconds = stage.usual_seconds * np.exp(chance.normal(0, 0.4, QUESTIONS)) * now.slower
    nothing = np.full((1, QUESTIONS), np.nan)
    measured = Measured(
        score=_of(scores, answered),
        answered=answered.astype(float)[None],
        scored=_of(np.ones(QUESTIONS), answered),
        accepted=_of(1.0 - refused, answered),
        well_formed=_of(np.ones(QUESTIONS), answered),
        seconds=_of(seconds, answered),
        output_tokens=nothing,
        cost_usd=nothing,
        coverage=np.array([answered.mean()]),
    )
    stricter_on_anchors = 1 - now.judge_takes / stage.anchors.mean()
    return Entry(
        RunId(UUID(int=night + 1)), FIRST_NIGHT + timedelta(days=night), None, Budget(FLEET), (_name(0),),
        stage.asked_after_edit if edited.any() else stage.asked, measured,
        _judge_anchors(stage.anchors * stricter_on_anchors, chance),
    )  # fmt: skip


def _of(values: Array, answered: NDArray[np.bool_]) -> Array:
    return np.where(answered, values, np.nan)[None]


def _ask(judged: NDArray[np.bool_], edited: float) -> tuple[Asked, ...]:
    """An edited scorer makes another unit of a question, though its text and its target stay."""
    return tuple(
        Asked(
            f"unit-{number}{' edited' if number < edited * QUESTIONS else ''}", f"q-{number}", category,
            asks_judge=bool(judged[number]),
        )
        for number, category in enumerate(categorize(QUESTIONS))
    )  # fmt: skip


def _judge_anchors(chances: Array, chance: Generator) -> Anchoring:
    scores = (chance.random(len(chances)) < chances).astype(float)
    strata = {n: "borderline" if n < ANCHORS_IN_EACH else "clear" for n in range(len(chances))}
    return Anchoring("judge", dict(enumerate(scores.tolist())), strata, BORDERLINE)


def _circumstances(culprit: Culprit, night: int) -> Circumstances:
    if not culprit.moves_control:
        return Circumstances()
    changed = ("q-1", "q-2") if night == REFERENCE_NIGHTS else ()
    return Circumstances(controls={"control": ControlFinding(20 if night else 0, changed)})
