"""Gauges are true or absent, never a zero that was not measured, and their labels stay few."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.core import GaugeMetricFamily

from services.api.gauges import MOST_CATEGORIES, describe_quality, describe_queues
from shared.db.measures import Calendar, NewestMeasurement, Present, Standing, StreamEvidence
from shared.domain.answers.agreement import Rated, measure_agreement
from shared.metrics import MOST_MODELS
from shared.models import Catalogue, ModelEntry
from shared.queue import CONTROL_QUEUE, QueueState, model_queue

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
LAST = datetime(2026, 3, 4, 2, 40, tzinfo=UTC)
NOTHING = Present([], [], [], [], [], [], 0)
MEASURED = NewestMeasurement(
    "bright", "golden", "all", LAST, 0.98, 0.8125, 0.75, 0.875, 0.05, 0.8, run_cost_usd=0.25
)
NIGHTLY = Calendar(
    "nightly",
    cron="0 2 * * *",
    time_zone="UTC",
    is_paused=False,
    active_since=datetime(2026, 3, 1, tzinfo=UTC),
    last_finished_at=LAST,
    last_due_at=datetime(2026, 3, 4, 2, tzinfo=UTC),
    missed=0,
)
WEEKLY = replace(
    NIGHTLY, schedule="weekly", cron="0 2 * * SUN", last_due_at=datetime(2026, 3, 1, 2, tzinfo=UTC)
)
Samples = dict[tuple[str, ...], float]


def told(families: Sequence[GaugeMetricFamily], name: str) -> Samples:
    """The samples of a gauge by their labels' values, in the order in which its labels are declared."""
    family = next(one for one in families if one.name == name)
    return {tuple(sample.labels.values()): sample.value for sample in family.samples}


def quality(name: str, **present: object) -> Samples:
    return told(describe_quality(replace(NOTHING, **present), NOW), name)  # type: ignore[arg-type]


def due(calendar: Calendar) -> datetime | None:
    found = quality("driftwarden_night_due_timestamp_seconds", calendars=[calendar])
    return datetime.fromtimestamp(*found.values(), tz=UTC) if found else None


def test_what_was_not_measured_has_no_sample() -> None:
    gone = replace(
        MEASURED, model="gone", coverage=0.0, accuracy=None, accuracy_lower=None, accuracy_upper=None,
        detectable_difference=None, pass_rate=None, run_cost_usd=None,
    )  # fmt: skip
    both = {"measurements": [MEASURED, gone]}
    assert quality("driftwarden_accuracy_ratio", **both) == {("bright", "golden", "all"): 0.8125}
    assert quality("driftwarden_mde_ratio", **both) == {("bright", "golden", "all"): 0.05}
    assert quality("driftwarden_run_cost_usd", **both) == {("bright", "golden"): 0.25}
    assert quality("driftwarden_coverage_ratio", **both) == {
        ("bright", "golden", "all"): 0.98,
        ("gone", "golden", "all"): 0.0,
    }


def test_an_empty_installation_tells_no_quality_at_all() -> None:
    families = describe_quality(NOTHING, NOW)
    assert {family.name: [one.value for one in family.samples] for family in families if family.samples} == {
        "driftwarden_runs_open": [0],
        "driftwarden_models_left_out": [0],
    }


def test_models_measured_longest_ago_are_left_out_and_counted() -> None:
    measured = [
        replace(MEASURED, model=f"m-{n}", measured_at=LAST - timedelta(days=n))
        for n in range(MOST_MODELS + 3)
    ]
    watched = [
        Standing("nightly", "model", "m-1", "ok", None),
        Standing("nightly", "model", "late", "ok", None),
    ]
    present = {"measurements": measured, "standings": watched}
    kept = {model for model, *_ in quality("driftwarden_accuracy_ratio", **present)}
    assert kept == {f"m-{n}" for n in range(MOST_MODELS)}
    assert quality("driftwarden_models_left_out", **present) == {(): 4}
    assert {labels[2] for labels in quality("driftwarden_drift_state", **present)} == {"m-1"}


def test_a_suite_with_too_many_categories_is_told_as_a_whole() -> None:
    def labels(categories: int) -> set[str]:
        parts = [replace(MEASURED, category=f"c-{n}") for n in range(categories)]
        found = quality("driftwarden_accuracy_ratio", measurements=[MEASURED, *parts])
        return {category for *_, category in found}

    assert len(labels(MOST_CATEGORIES)) == MOST_CATEGORIES + 1
    assert labels(MOST_CATEGORIES + 1) == {"all"}


def test_a_watched_thing_is_in_one_state() -> None:
    found = quality(
        "driftwarden_drift_state", standings=[Standing("nightly", "model", "dim", "alert", "major")]
    )
    assert found == {
        ("nightly", "model", "dim", state): float(state == "alert")
        for state in ("ok", "watch", "alert", "no_data", "paused")
    }


def test_incidents_are_counted_with_the_zeros() -> None:
    standings = [
        Standing("nightly", "model", "dim", "alert", "major"),
        Standing("nightly", "model", "dumb", "alert", "major"),
        Standing("nightly", "model", "bright", "ok", None),
    ]
    found = quality("driftwarden_incidents_open", calendars=[NIGHTLY], standings=standings)
    assert len(found) == 3 * 5
    assert {labels: count for labels, count in found.items() if count} == {("nightly", "model", "major"): 2}


def test_evidence_is_told_over_its_threshold() -> None:
    evidence = [
        StreamEvidence("nightly", "model", "dim", "accuracy", 0.0),
        StreamEvidence("nightly", "judge", "default", "anchors", float("-inf")),
        StreamEvidence("nightly", "model", "dim", "latency", float("nan")),
    ]
    found = quality(
        "driftwarden_drift_evidence_ratio",
        evidence=evidence,
        standings=[Standing("nightly", "model", "dim", "alert", "major")],
    )
    assert found == {
        ("nightly", "model", "dim", "accuracy"): 1.0,
        ("nightly", "judge", "default", "anchors"): 0.0,
    }


def test_agreement_without_a_meaningful_kappa_has_none() -> None:
    all_pass = measure_agreement([Rated(1.0, 1.0)] * 3)
    mixed = measure_agreement([Rated(1.0, 1.0), Rated(0.0, 0.0)])
    agreements = {"agreements": [("default", "golden", mixed), ("default", "easy", all_pass)]}
    assert set(quality("driftwarden_judge_agreement_ratio", **agreements).values()) == {1.0}
    assert quality("driftwarden_judge_kappa_ratio", **agreements) == {("default", "golden"): 1.0}


def test_the_night_that_ran_is_the_one_that_was_due() -> None:
    assert due(NIGHTLY) == NIGHTLY.last_due_at
    assert due(WEEKLY) == WEEKLY.last_due_at


def test_nights_that_nobody_has_seen_come_due_all_the_same() -> None:
    stopped = replace(NIGHTLY, last_due_at=datetime(2026, 3, 2, 2, tzinfo=UTC))
    assert due(stopped) == datetime(2026, 3, 4, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "changed",
    [
        {"is_paused": True},
        {"active_since": NOW - timedelta(hours=1), "last_due_at": None},
        {"active_since": NOW - timedelta(hours=1)},  # resumed since its last night
    ],
)
def test_a_schedule_that_owes_no_night_has_none_due(changed: dict[str, object]) -> None:
    assert due(replace(NIGHTLY, **changed)) is None  # type: ignore[arg-type]


def catalogue(**limits: int | None) -> Catalogue:
    return Catalogue(
        {name: ModelEntry(name, name, max_parallel_requests=limit) for name, limit in limits.items()}
    )


def test_queues_are_told_by_model_and_empty_ones_are_zero() -> None:
    states = [
        QueueState(CONTROL_QUEUE, 1, 0, 2.0),
        QueueState(model_queue("bright"), 7, 3, 40.0, learned_slots=4),
        QueueState(model_queue("openai/other"), 0, 1, None),
    ]
    families = describe_queues(states, catalogue(bright=5, dim=None), model_slots=50)
    assert told(families, "driftwarden_queue_depth") == {
        ("control",): 1, ("bright",): 7, ("dim",): 0, ("openai/other",): 0,
    }  # fmt: skip
    assert told(families, "driftwarden_pairs_in_flight") == {
        ("control",): 0, ("bright",): 3, ("dim",): 0, ("openai/other",): 1,
    }  # fmt: skip
    assert told(families, "driftwarden_queue_oldest_job_seconds") == {("control",): 2.0, ("bright",): 40.0}
    assert told(families, "driftwarden_model_slots") == {("bright",): 5, ("dim",): 50, ("openai/other",): 50}
    assert told(families, "driftwarden_model_slots_learned") == {("bright",): 4}


def test_queues_beyond_the_cap_are_told_together() -> None:
    states = [QueueState(model_queue(f"m-{n:03}"), 1, 1, float(n)) for n in range(MOST_MODELS + 2)]
    families = describe_queues(states, catalogue(), model_slots=50)
    assert told(families, "driftwarden_queue_depth")["other",] == 2
    assert told(families, "driftwarden_queue_oldest_job_seconds")["other",] == MOST_MODELS + 1
    assert len(told(families, "driftwarden_model_slots")) == MOST_MODELS + 1
