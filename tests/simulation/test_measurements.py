"""A part of the measurements, repeated within a minute, and the page that quotes them."""

import json
import math
import time

import numpy as np
import pytest

from shared.domain.drift.budget import Budget, share_quality
from shared.domain.drift.detect import State, advance, observe_quality
from tests.simulation.__main__ import PAGE, STORED
from tests.simulation.experiments import MONTHLY, OURS, watch
from tests.simulation.measurements import (
    DETECTION,
    TARGETS,
    Measured,
    Target,
    measure_anchors,
    measure_attribution,
    measure_detection,
    measure_false_alarms,
    measure_gate,
    measure_latency,
    measure_suspects,
    measure_watch,
    show,
)
from tests.simulation.world import Scenario, categorize, create

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def measured() -> Measured:
    stored: Measured = json.loads(STORED.read_text())
    return stored


def within_chance(stored: float, count: int, again: float, part: int) -> bool:
    """Whether two shares differ by no more than chance explains, four standard errors, and a little."""
    spread = math.sqrt(stored * (1 - stored) * (1 / count + 1 / part))
    return abs(stored - again) <= 4 * spread + 0.02


def test_the_page_shows_what_was_measured(measured: Measured) -> None:
    assert show(measured) in PAGE.read_text(encoding="utf-8"), "Run: python -m tests.simulation --write"


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.row}: {target.column}")
def test_what_was_measured_meets_the_targets(measured: Measured, target: Target) -> None:
    """All rows together stem from one run: `python -m tests.simulation --write`."""
    assert target.is_met(measured)


def test_false_alarms_stay_within_the_budget(measured: Measured) -> None:
    """50 model-years: the budget allows 3; chance takes 9 or more in 0.4 % of cases."""
    again = measure_false_alarms("50 questions", models=50)
    assert again["alarms"] <= 8
    assert again["latest < best - 3 points"] == pytest.approx(
        measured["false alarms"]["50 questions"]["latest < best - 3 points"], rel=0.05
    )


@pytest.mark.parametrize(
    "row",
    ["200 questions, -10 points", "200 questions, -30 points in a category of 7", "50 questions, -10 points"],
)
def test_drops_are_caught_as_quickly_as_measured(measured: Measured, row: str) -> None:
    again, stored, full = measure_detection(row, models=50), measured["detection"][row], DETECTION[row][1]
    for nights in (3, 7, 14):
        column = f"{OURS}, {nights} nights"
        assert within_chance(stored[column], full, again[column], 50), column
    assert again["dated"] >= 0.85


def test_the_gate_errs_as_often_as_it_says(measured: Measured) -> None:
    for row, verdict in (
        ("200 questions, nothing changed", "fail"),
        ("200 questions, exactly at the margin", "pass"),
    ):
        assert within_chance(measured["gate"][row][verdict], 10_000, measure_gate(row, 500)[verdict], 500)


def test_the_anchors_accuse_whom_they_should() -> None:
    assert measure_suspects("judge -5 points on all answers", 100)["model"] <= 0.02
    assert measure_suspects("model -10 points and judge -20 on borderline answers", 100)["judge"] == 0
    assert measure_suspects("model -5 points", 100)["judge"] == 0


def test_on_the_night_of_the_alarm_a_real_drop_is_never_put_on_the_judge_alone() -> None:
    """50 drops of 5 points, found by the detector; a judge's drop is not put on the model either."""
    model = measure_anchors("model -5 points", 50)
    assert model["judge, at once"] == model["judge, a week later"] == 0
    assert model["model, a week later"] >= 0.8
    assert model["anchors, 30 nights"] <= 0.06
    judge = measure_anchors("judge -5 points, all of it on borderline answers", 50)
    assert judge["model, at once"] <= 0.02
    assert judge["anchors, 14 nights"] >= 0.9


def test_alarms_name_the_category_that_dropped(measured: Measured) -> None:
    row = "200 questions, -30 points in a category of 7"
    again = measure_attribution(row, models=50)
    assert again["small category named"] >= 0.9
    assert again["named categories false"] <= 0.15
    assert again["changed questions named"] == pytest.approx(
        measured["attribution"][row]["changed questions named"], abs=0.15
    )


def test_a_slow_decay_is_found_within_three_months() -> None:
    watched = watch("a slow decay", Scenario(200, 120, decay=0.002), 20)
    assert watched.caught_within(60, OURS) == 1
    assert watched.caught_within(90, MONTHLY) == 1
    assert not watched.alarms[MONTHLY][:30].any()


def test_quiet_models_are_rarely_watched(measured: Measured) -> None:
    stored = measured["watched quiet nights"]["50 questions"]["one model"]
    assert measure_watch("50 questions", models=50)["one model"] == pytest.approx(stored, rel=0.3)
    assert stored < 0.1


def test_latency_that_does_not_change_stays_quiet() -> None:
    assert measure_latency("nights alike (lag 1: 0.5)", models=50)[OURS] <= 0.06


@pytest.mark.parametrize(("is_graded", "seconds"), [(False, 60), (True, 90)])
def test_a_year_of_fifty_models_is_folded_in_about_a_minute(is_graded: bool, seconds: float) -> None:
    """The answers of one night of 25, times 365; a busy machine takes longer than docs/drift.md says."""
    chance = np.random.default_rng(4)
    scenario = Scenario(200, 25, is_graded=is_graded)
    world = create(scenario, 50, chance)
    metric = observe_quality(categorize(200), scenario.levels, scenario.levels)
    thresholds = Budget(50).of_each_model(share_quality(7))
    state, spent = State.fresh(50, 200, metric), []
    for night in range(25):
        tonight = world.answer(night, chance)
        began = time.process_time()
        state, _ = advance(state, tonight, metric, thresholds, np.ones(50, dtype=bool))
        spent.append(time.process_time() - began)
    assert np.median(spent[5:]) * 365 < seconds
