"""Who moved: the model, the judge, or the harness that carries both?

Anchors are frozen answers that the judge scores again every night: if their scores move, the judge moved.
A control is a deterministic model with deterministic scorers in the same queue: if any of its answers
differs, the harness moved. The idea of anchors: arXiv 2606.15474.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.drift.dating import Shift

ANCHORS_MOVED_Z = 2.33
BEYOND_THE_JUDGE_Z = 1.645


class Suspect(StrEnum):
    MODEL = "model"
    JUDGE = "judge"
    MIXED = "mixed"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True)
class Suspicion:
    """The verdict, and what is left of the model's shift when the judge's is taken out of it."""

    suspect: Suspect
    judge: Shift
    corrected: Shift


def weigh_strata(shifts: Mapping[str, Shift], answers: Mapping[str, float]) -> Shift:
    """The judge's shift on the suite: each stratum of anchors weighs as its share of the suite's answers.

    Unweighted, a judge that moves on borderline answers alone takes the blame for a model's real drop.
    """
    total = sum(answers[stratum] for stratum in shifts)
    shares = {stratum: answers[stratum] / total for stratum in shifts}
    return Shift(
        value=sum(shares[stratum] * shift.value for stratum, shift in shifts.items()),
        standard_error=math.hypot(*(shares[stratum] * s.standard_error for stratum, s in shifts.items())),
        units=sum(shift.units for shift in shifts.values()),
    )


def suspect(model: Shift, judge: Shift) -> Suspicion:
    """Weigh the model's shift against that of the anchors over the same nights, in either direction."""
    sign = -1.0 if model.value > 0 else 1.0
    dm, da = sign * model.value, sign * judge.value
    corrected = Shift(
        model.value - judge.value, math.hypot(model.standard_error, judge.standard_error), model.units
    )
    judge_moved = da < -ANCHORS_MOVED_Z * judge.standard_error
    more_than_judge = dm - da < -BEYOND_THE_JUDGE_Z * corrected.standard_error
    judge_moved_little = da - BEYOND_THE_JUDGE_Z * judge.standard_error > dm / 2
    if judge_moved:
        verdict = Suspect.MIXED if more_than_judge else Suspect.JUDGE
    else:
        verdict = Suspect.MODEL if judge_moved_little else Suspect.UNDETERMINED
    return Suspicion(verdict, judge, corrected)


def changed_controls(before: Mapping[str, str], tonight: Mapping[str, str]) -> tuple[str, ...]:
    """The control questions whose answers are not the same, byte for byte: the harness moved."""
    return tuple(
        question for question in tonight if before.get(question, tonight[question]) != tonight[question]
    )
