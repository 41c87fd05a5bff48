"""Who probably did it: the model, its judge, the harness, the service, or a change on the user's own side."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from shared.domain.causes.suspects import ANCHORS_MOVED_Z, Suspect, Suspicion, suspect, weigh_strata
from shared.domain.drift.dating import Shift, measure_shift
from shared.domain.drift.detections import AMOUNTS, SHARES
from shared.domain.drift.history import History, Series
from shared.domain.drift.sequence import Anchoring, Entry
from shared.domain.drift.units import put_on_grid

_OF_THE_MODEL = ("refusal", "format_failure", "output_tokens")


class Cause(StrEnum):
    """Who probably did it. YOU: something on the user's own side changed at that time."""

    MODEL = "model"
    JUDGE = "judge"
    MIXED = "mixed"
    UNDETERMINED = "undetermined"
    HARNESS = "harness"
    YOU = "you"
    OUTAGE = "outage"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known around the change, as sentences; empty where there is nothing to tell.

    `your_changes` between the entries around the change, and `beside` them what hardly matters; `identity`:
    what the provider says of the model; `harness`: the controls moved; `provider`: several of its models did.
    `unchanged` is said where `your_changes` is empty.
    """

    your_changes: tuple[str, ...] = ()
    unchanged: str = ""
    beside: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()
    harness: str = ""
    provider: str = ""
    errors: str = ""


@dataclass(frozen=True, slots=True)
class Blame:
    """The probable cause and its reasons, the strongest first; `suspicion`: what the judge's anchors say."""

    cause: Cause
    because: tuple[str, ...]
    suspicion: Suspicion | None = None


def blame(stream: str, history: History, place: int, overdispersion: float, around: Surroundings) -> Blame:
    """Who made this stream move from this place of the sequence on?

    The judge's part is told in any case; a harness that moved and what the user changed go before it.
    """
    beside = tuple(said for said in (*around.beside, *around.identity, around.provider) if said)
    if stream in SHARES or stream in AMOUNTS:
        errors = (around.errors,) if around.errors and stream in ("provider_error", "unscored") else ()
        cause = Cause.MODEL if stream in _OF_THE_MODEL else Cause.SERVICE
        accused = Blame(cause, errors)
    else:
        accused = accuse(stream, history, place, overdispersion)
    if around.harness:
        reasons = (around.harness, *around.your_changes, *accused.because)
        return Blame(Cause.HARNESS, (*reasons, *beside), accused.suspicion)
    if around.your_changes:
        reasons = (*around.your_changes, *accused.because)
        return Blame(Cause.YOU, (*reasons, *beside), accused.suspicion)
    nothing = (around.unchanged,) if around.unchanged else ()
    return Blame(accused.cause, (*accused.because, *nothing, *beside), accused.suspicion)


def accuse(stream: str, history: History, place: int, overdispersion: float) -> Blame:
    """Judge or model? The questions of a quality stream tell; what no judge scores can't move by a judge."""
    series = history.quality(stream)
    if not series.judged.any():
        told = "No judge takes part: deterministic scorers see the change."
        return Blame(Cause.MODEL, (told,))
    judged = series.only(series.judged).shift(place, overdispersion)
    anchors = judge_shift(history.entries[history.begin - 1 :], place - history.begin + 1)
    checked = _moved_alike(series, place, overdispersion)
    beside = ("Questions that no judge scores moved the same way.",) if checked else ()
    if judged is None or anchors is None:
        cause = Cause.MODEL if checked else Cause.UNDETERMINED
        return Blame(cause, beside or (_why_open(history.entries, place),))
    found = suspect(judged, anchors)
    return Blame(_weigh(found.suspect, checked), (tell_suspicion(found), *beside), found)


def judge_shift(entries: Sequence[Entry], place: int) -> Shift | None:
    """How much milder the judge is on its anchors from this place on; strata weighed as in the suite.

    Only what the newest judge said counts. None if no anchor was judged before and after.
    """
    said = [(number, one.anchors) for number, one in enumerate(entries, start=1) if one.anchors is not None]
    if not said:
        return None
    newest = said[-1][1]
    anchored = [(number, one) for number, one in said if one.judge == newest.judge]
    split = sum(number < place for number, _ in anchored)
    shifts = {}
    for stratum in sorted(set(newest.strata.values())):
        shift = _shift_of(stratum, newest, [one for _, one in anchored], split)
        if shift is not None:
            shifts[stratum] = shift
    shares = {"borderline": newest.borderline_share, "clear": 1.0 - newest.borderline_share}
    if not sum(shares[stratum] for stratum in shifts):
        return None
    return weigh_strata(shifts, shares)


def tell_suspicion(found: Suspicion) -> str:
    """What the anchors say, in a sentence or two."""
    low, high = found.corrected.interval
    own = f"Without the judge's part the shift is {_points(found.corrected.value)}"
    own += f" ({_points(low)} to {_points(high)})."
    moved = f"on its anchors the judge moved by {_points(found.judge.value)}"
    match found.suspect:
        case Suspect.MODEL:
            return f"The judge scores its anchors as before ({moved}). {own}"
        case Suspect.JUDGE:
            return f"The same answers get other scores: {moved}. {own}"
        case Suspect.MIXED:
            return f"Both moved: {moved}. {own}"
        case _:
            return f"The anchors can't tell yet: {moved}. {own}"


def _shift_of(stratum: str, newest: Anchoring, said: Sequence[Anchoring], split: int) -> Shift | None:
    members = [anchor for anchor, its in newest.strata.items() if its == stratum]
    values = np.array([[one.scores.get(anchor, np.nan) for anchor in members] for one in said])
    scores, levels = put_on_grid(values)
    return measure_shift(scores, split, levels)


def _moved_alike(series: Series, place: int, overdispersion: float) -> bool:
    """Whether the questions that no judge scores moved too, in the direction of all of them."""
    whole = series.shift(place, overdispersion)
    checked = series.only(~series.judged).shift(place, overdispersion)
    if whole is None or checked is None:
        return False
    return bool(np.sign(whole.value) * checked.z > ANCHORS_MOVED_Z)


def _weigh(said: Suspect, checked: bool) -> Cause:
    match said:
        case Suspect.JUDGE if checked:
            return Cause.MIXED
        case Suspect.UNDETERMINED if checked:
            return Cause.MODEL
        case _:
            return Cause(said)


def _why_open(entries: Sequence[Entry], place: int) -> str:
    if any(entry.anchors for entry in entries):
        return f"The judge's anchors were not judged on both sides of {entries[place - 1].night}."
    return (
        "A judge scores these questions, or imported results do not tell who did, and there are no anchors to"
        " tell model and judge apart: make some with `driftwarden anchors create`."
    )


def _points(value: float) -> str:
    return f"{value * 100:+.1f} points"
