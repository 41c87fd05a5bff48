"""Configurations: what is refused, and how a model changes from night to night."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from services.simulator.behaviour import AssistantBehaviour, Latency
from services.simulator.config import SimulatorConfig, parse_config, read_config
from services.simulator.nights import Calendar, tonight
from shared.domain.errors import InvalidInput


def config_of(**models: dict[str, Any]) -> SimulatorConfig:
    return SimulatorConfig.model_validate({"models": models})


def behaviour_on(config: SimulatorConfig, name: str, night: int) -> AssistantBehaviour:
    behaviour = tonight(config, name, night).behaviour
    assert isinstance(behaviour, AssistantBehaviour)
    return behaviour


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("models: {atlas: {skil: 0.5}}", "models.atlas.skil"),
        ("models: {atlas: {skill: 1.5}}", "models.atlas.skill"),
        ("models: {atlas: {skill: {math: 0.5}}}", "models.atlas"),
        ("models: {atlas: {latency: {mean: 2}}}", "models.atlas.latency"),
        ("models: {atlas: {faults: {hang: 0.7, empty: 0.7}}}", "models.atlas.faults"),
        ("models: {atlas: {drift: [{skill: 0.5}]}}", "models.atlas.drift.0.night"),
        (
            "models: {atlas: {drift: [{night: 3, skill: 0.5}, {night: 4, hang: 1}]}}",
            "models.atlas.drift.1.hang",
        ),
        ("models: {atlas: {kind: jugde}}", "models.atlas"),
        ("models: {referee: {kind: judge, formats: {fenced: 2}}}", "models.referee.formats.fenced"),
        ("models: {'two words': {}}", "models"),
        ("sedd: 3", "sedd"),
    ],
)
def test_a_mistake_is_refused_by_the_field_that_holds_it(text: str, field: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse_config(text, "simulator.yaml")
    assert error.value.field == f"simulator.yaml: {field}"


@pytest.mark.parametrize("text", ["", "[1, 2]", "a: [", "\x00"])
def test_what_is_no_configuration_is_refused_by_its_file(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"simulator\.yaml"):
        parse_config(text, "simulator.yaml")


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"nowhere\.yaml"):
        read_config(tmp_path / "nowhere.yaml")


def test_a_configuration_has_a_json_schema() -> None:
    properties = SimulatorConfig.model_json_schema()["properties"]
    assert {"seed", "epoch", "suites", "replay", "models"} <= properties.keys()


def test_a_change_holds_from_its_night_on() -> None:
    config = config_of(atlas={"skill": 0.9, "drift": [{"night": 17, "skill": 0.6}]})
    assert behaviour_on(config, "atlas", 16).skill == 0.9
    assert behaviour_on(config, "atlas", 17).skill == 0.6
    assert behaviour_on(config, "atlas", 90).skill == 0.6


def test_a_change_of_one_category_leaves_the_others() -> None:
    config = config_of(atlas={"skill": 0.9, "drift": [{"night": 2, "skill": {"math": 0.4}}]})
    after = behaviour_on(config, "atlas", 2)
    assert (after.skill_in("math"), after.skill_in("history")) == (0.4, 0.9)


def test_a_change_of_one_fault_leaves_the_others() -> None:
    change = {"night": 2, "faults": {"hang": 0.2}}
    config = config_of(atlas={"faults": {"empty": 0.1}, "drift": [change]})
    faults = behaviour_on(config, "atlas", 2).faults
    assert (faults.empty, faults.hang) == (0.1, 0.2)


def test_a_change_of_mean_latency_keeps_its_law() -> None:
    config = config_of(
        atlas={
            "latency": {"mean_seconds": 1, "law": "gamma"},
            "drift": [{"night": 2, "latency": {"mean_seconds": 3}}],
        }
    )
    assert behaviour_on(config, "atlas", 2).latency == Latency(mean_seconds=3, law="gamma")


def test_changes_that_add_up_to_more_than_all_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="atlas, drift of night 2"):
        config_of(atlas={"faults": {"empty": 0.7}, "drift": [{"night": 2, "faults": {"hang": 0.7}}]})


def test_a_silent_swap_changes_the_behaviour_and_not_the_names() -> None:
    config = config_of(
        atlas={
            "skill": 0.9,
            "served_model": "atlas-2",
            "drift": [{"night": 5, "like": "moth", "noise": 0.1}],
        },
        moth={"skill": 0.3, "served_model": "moth-1", "latency": 2},
    )
    after = behaviour_on(config, "atlas", 5)
    assert (after.skill, after.latency, after.noise, after.served_model) == (0.3, 2.0, 0.1, "atlas-2")
    assert tonight(config, "atlas", 5).identity == "moth"
    assert tonight(config, "atlas", 4).identity == "atlas"


def test_a_swap_that_goes_round_in_a_circle_is_refused() -> None:
    with pytest.raises(ValueError, match="circle"):
        config_of(atlas={"like": "moth"}, moth={"drift": [{"night": 3, "like": "atlas"}]})


def test_a_swap_with_a_model_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="moth"):
        config_of(atlas={"drift": [{"night": 3, "like": "moth"}]})


def test_decay_is_counted_from_the_night_that_sets_it() -> None:
    config = config_of(atlas={"drift": [{"night": 10, "decay": 0.01}]})
    assert tonight(config, "atlas", 10).nights_of_decay == 0
    assert tonight(config, "atlas", 15).nights_of_decay == 5


def test_nights_are_days_since_the_epoch() -> None:
    clock = datetime(2025, 3, 3, 23, 59, tzinfo=UTC).timestamp
    calendar = Calendar(date(2025, 3, 1), 1, clock)
    assert calendar.night() == 3
    calendar.set(40)
    assert calendar.night() == 40
    calendar.set(None)
    assert calendar.night() == 3


def test_without_an_epoch_it_stays_the_night_that_was_set() -> None:
    calendar = Calendar(None, 4)
    assert calendar.night() == 4
    calendar.set(9)
    assert calendar.night() == 9


def test_a_live_change_reads_back_as_part_of_the_configuration() -> None:
    changed = config_of(atlas={"skill": 0.9}).with_change("atlas", {"skill": 0.5}, night=3)
    again = SimulatorConfig.model_validate(changed.as_json())
    assert behaviour_on(again, "atlas", 3).skill == 0.5
