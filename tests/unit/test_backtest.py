"""The watch over history, in memory: what it tells of made-up nights, and what it keeps to itself."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import numpy as np
import pytest

from shared.domain.causes.blame import Cause
from shared.domain.causes.controls import ControlFinding
from shared.domain.drift.budget import Budget
from shared.domain.drift.detections import Subject
from shared.domain.drift.sequence import Anchoring, Asked, Entry, Measured
from shared.domain.runs import RunId
from shared.domain.telling.backtest import Circumstances, backtest
from shared.domain.telling.incidents import EventKind, MonitorState

QUESTIONS = 120
FIRST = date(2026, 1, 1)
HALVES = tuple(Asked(f"q-{n}", f"q-{n}", "even" if n % 2 == 0 else "odd") for n in range(QUESTIONS))


def make_entry(night: int, chances: dict[str, float | None], *, odd: float | None = None) -> Entry:
    """A night's scores by each model's chance of a right answer; None: nothing was answered."""
    chance = np.random.default_rng([7, night])
    draws = chance.random((len(chances), QUESTIONS))
    each = np.array([[np.nan if p is None else p] for p in chances.values()])
    right = np.broadcast_to(each, draws.shape).copy()
    if odd is not None:
        right[:, 1::2] = odd
    score = np.where(np.isnan(right), np.nan, draws < right)
    nothing = np.full(score.shape, np.nan)
    known = (~np.isnan(score)).astype(float)
    measured = Measured(
        score, known, np.where(known == 1, 1.0, np.nan), nothing, nothing, nothing, nothing, nothing,
        known.mean(axis=1),
    )  # fmt: skip
    return Entry(
        RunId(UUID(int=night + 1)), FIRST + timedelta(days=night), None, Budget(len(chances)), tuple(chances),
        HALVES, measured,
    )  # fmt: skip


def live(nights: int, changes: dict[int, dict[str, float | None]]) -> list[Entry]:
    """Two models at 0.8, with what changes on which nights (from 0), and from then on."""
    chances: dict[str, float | None] = {"bright": 0.8, "dim": 0.8}
    entries = []
    for night in range(nights):
        chances |= changes.get(night, {})
        entries.append(make_entry(night, chances))
    return entries


def test_a_drop_is_told_once_with_its_date_and_its_size() -> None:
    found = backtest(live(16, {12: {"dim": 0.5}}))

    told = found.of("dim")
    [opened] = told.opened
    assert told.state is MonitorState.ALERT
    assert opened.findings.since == FIRST + timedelta(days=12)
    assert opened.findings.size is not None
    assert opened.findings.size.value == pytest.approx(-0.3, abs=0.12)
    assert opened.findings.cause is Cause.MODEL
    assert opened.night <= FIRST + timedelta(days=13)
    assert found.of("bright").events == ()


def test_equal_nights_are_silent_and_tell_what_would_be_noticed() -> None:
    record = backtest(live(20, {})).of("dim")
    assert (record.events, record.improvements, record.quarantined) == ((), (), ())
    assert record.nearest is not None
    assert record.nearest.evidence_ratio < 1
    assert record.sensitivity is not None
    assert 0.03 < record.sensitivity.drop < 0.15


def test_what_has_been_told_does_not_depend_on_what_came_later() -> None:
    entries = live(16, {12: {"dim": 0.5}})
    early, late = backtest(entries[:14]).of("dim"), backtest(entries).of("dim")
    assert early.events == late.events[: len(early.events)]


def test_an_improvement_is_told_without_an_alarm() -> None:
    record = backtest(live(16, {10: {"dim": 0.99}})).of("dim")
    assert record.events == ()
    assert record.improvements[0].since == FIRST + timedelta(days=10)
    assert "rose by" in record.improvements[0].headline


def test_a_category_that_falls_is_told_beside_the_whole() -> None:
    entries = [make_entry(n, {"dim": 0.8}, odd=0.9 if n < 10 else 0.4) for n in range(14)]
    found = backtest([replace(entry, budget=Budget(1)) for entry in entries]).of("dim").opened[0].findings
    assert [each.category for each in found.categories if each.is_worse] == ["odd"]


def test_an_outage_of_one_night_is_set_aside_and_over_by_itself() -> None:
    record = backtest(live(20, {12: {"dim": 0.0}, 13: {"dim": 0.8}})).of("dim")
    assert [event.kind for event in record.events] == [EventKind.OPENED, EventKind.OUTAGE_OVER]
    assert record.quarantined == (FIRST + timedelta(days=12),)
    assert "may be an outage" in " ".join(record.events[0].findings.because)
    assert record.events[1].findings.cause is Cause.OUTAGE
    assert record.state in (MonitorState.OK, MonitorState.WATCH)


def test_silence_is_no_drop() -> None:
    record = backtest(live(16, {12: {"dim": None}, 13: {"dim": 0.8}})).of("dim")
    assert [event.kind for event in record.events] == [EventKind.OPENED, EventKind.OUTAGE_OVER]
    assert record.events[0].findings.severity == "not measured"
    assert record.events[0].findings.cause is Cause.OUTAGE


def test_people_are_reminded_of_what_stays_open() -> None:
    entries = live(24, {10: {"dim": 0.4}})
    kinds = [event.kind for event in backtest(entries, renotify_days=5).of("dim").events]
    assert kinds[0] is EventKind.OPENED
    assert kinds.count(EventKind.REMINDED) == 2


def test_a_harness_that_moved_on_the_changes_night_takes_the_blame() -> None:
    """Though the alarm comes a night later, when the controls hold still again."""
    entries = live(16, {12: {"dim": 0.55, "bright": 0.55}})
    moved = {"echo": ControlFinding(20, ("q-1",))}
    still = {"echo": ControlFinding(20, ())}
    around = [Circumstances(controls=moved if night == 12 else still) for night in range(16)]
    found = backtest(entries, around)
    harness = found.of("harness", Subject.HARNESS)
    assert [event.kind for event in harness.events] == [EventKind.OPENED, EventKind.RECOVERED]
    assert found.of("dim").opened[0].findings.cause is Cause.HARNESS


def test_a_harness_that_moved_on_another_night_is_only_told_beside() -> None:
    entries = live(16, {12: {"dim": 0.4}})
    moved = {"echo": ControlFinding(20, ("q-1",))}
    around = [Circumstances(controls=moved if night == 3 else {}) for night in range(16)]
    assert backtest(entries, around).of("dim").opened[0].findings.cause is Cause.MODEL


def test_the_judge_takes_the_blame_with_the_models_shift_corrected() -> None:
    chance = np.random.default_rng(11)
    judged = tuple(replace(question, asks_judge=True) for question in HALVES)
    entries = []
    for night, entry in enumerate(live(24, {14: {"dim": 0.6, "bright": 0.6}})):
        passes = 0.8 if night < 14 else 0.6
        scores = {n: float(chance.random() < passes) for n in range(90)}
        strata = {n: "borderline" if n % 2 else "clear" for n in scores}
        entries.append(replace(entry, questions=judged, anchors=Anchoring("judge", scores, strata, 0.5)))

    found = backtest(entries)

    dim = found.of("dim").current
    assert dim is not None
    assert dim.cause is Cause.JUDGE
    assert dim.verdict is not None
    assert dim.verdict.judge.value == pytest.approx(-0.2, abs=0.06)
    assert dim.verdict.corrected.lower is not None
    assert dim.verdict.corrected.upper is not None
    assert dim.verdict.corrected.lower < 0 < dim.verdict.corrected.upper
    assert found.of("judge", Subject.JUDGE).opened[0].findings.cause is Cause.JUDGE


def test_a_backtest_of_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="an entry"):
        backtest([])
