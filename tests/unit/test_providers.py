"""Models of one provider that move on one night are the provider's doing, unless everybody's moved."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.causes.providers import find_provider_incidents, name_provider

FLEET = {"a1": "acme", "a2": "acme", "a3": "acme", "b1": "bolt", "b2": "bolt", "c1": "cask"}


@pytest.mark.parametrize(
    ("moved", "struck"),
    [
        ([], []),
        (["a1"], []),
        (["a1", "a3"], ["acme"]),
        (["a1", "b1"], []),
        (["b1", "b2"], ["bolt"]),
        (["c1"], []),
        (["a1", "a2", "b1", "b2"], ["acme", "bolt"]),
        (["a1", "a2", "b1", "c1"], []),
        (["a1", "a2", "a3", "b1", "b2", "c1"], []),
    ],
)
def test_who_is_struck(moved: list[str], struck: list[str]) -> None:
    assert [incident.provider for incident in find_provider_incidents(moved, FLEET)] == struck


def test_two_of_five_are_not_half() -> None:
    providers = {f"m{number}": "acme" for number in range(5)} | {"other": "bolt"}
    assert find_provider_incidents(["m0", "m1"], providers) == ()
    assert len(find_provider_incidents(["m0", "m1", "m2"], providers)) == 1


def test_the_only_provider_is_named_too() -> None:
    (incident,) = find_provider_incidents(["a1", "a2"], {"a1": "acme", "a2": "acme"})
    assert (incident.moved, incident.watched) == (("a1", "a2"), 2)
    assert incident.sentence == "All 2 watched models of acme moved on the same night: a1, a2."


def test_an_incident_is_told_in_a_sentence() -> None:
    (incident,) = find_provider_incidents(["a1", "a3"], FLEET)
    assert incident.sentence == "2 of 3 watched models of acme moved on the same night: a1, a3."


@pytest.mark.parametrize(
    ("litellm_model", "api_base", "name"),
    [
        ("anthropic/claude-sonnet", None, "anthropic"),
        ("openai/atlas", "http://127.0.0.1:9100/v1", "openai at 127.0.0.1:9100"),
        ("openai/atlas", "https://someone:secret@models.example/v1", "openai at models.example"),
        ("gpt-4o", None, "gpt-4o"),
    ],
)
def test_a_provider_is_named_by_prefix_and_host(litellm_model: str, api_base: str | None, name: str) -> None:
    assert name_provider(litellm_model, api_base) == name


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("xyz")), st.data())
def test_an_incident_always_has_two_models_and_half(providers: dict[str, str], data: st.DataObject) -> None:
    moved = data.draw(st.sets(st.sampled_from(sorted(providers) or ["none"])))
    for incident in find_provider_incidents(moved, providers):
        its = {model for model, provider in providers.items() if provider == incident.provider}
        assert set(incident.moved) == its & moved
        assert len(incident.moved) >= max(2, incident.watched / 2)
        assert incident.watched == len(its)
