"""The model catalogue: what models.yaml may say, and what a name resolves to."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.cost import Price
from shared.domain.errors import InvalidInput
from shared.models import Catalogue, ModelEntry

FULL = """
model_list:
  - model_name: atlas-large
    litellm_params:
      model: openai/atlas-large
      api_base: http://127.0.0.1:9100/v1
      api_key: os.environ/SIM_KEY
      rpm: 600
      tpm: 90000
      timeout: 30
      max_parallel_requests: 20
      input_cost_per_token: 1e-6
      output_cost_per_token: 0.000002
      temperature: 0.3
      api_version: 2024-06-01
  - model_name: steady
    litellm_params: {model: openai/steady, api_base: os.environ/SIM_URL, api_key: none}
    model_info: {control: true, base_model: openai/gpt-4o}
  - model_name: sim-judge
    litellm_params: {model: openai/sim-judge}
judge: {model: sim-judge}
litellm_settings: {drop_params: true}
"""
ENVIRONMENT = {"SIM_KEY": "sk-very-secret", "SIM_URL": "http://sim:9100/v1"}


def load(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> Catalogue:
    path = tmp_path / "models.yaml"
    path.write_text(text)
    return Catalogue.load(path, ENVIRONMENT if environment is None else environment)


def entry_with(parameters: str, **more: str) -> str:
    """A models.yaml with one entry `m`."""
    lines = "".join(f"    {key}: {value}\n" for key, value in more.items())
    return f"model_list:\n  - model_name: m\n    litellm_params: {{{parameters}}}\n{lines}"


def test_an_entry_carries_all_that_the_file_states(tmp_path: Path) -> None:
    catalogue = load(tmp_path, FULL)
    assert catalogue.names() == ("atlas-large", "steady", "sim-judge")
    assert catalogue.default_judge == "sim-judge"
    assert catalogue.resolve("atlas-large") == ModelEntry(
        name="atlas-large",
        litellm_model="openai/atlas-large",
        api_base="http://127.0.0.1:9100/v1",
        api_key_env="SIM_KEY",
        timeout_seconds=30.0,
        rpm=600,
        tpm=90000,
        max_parallel_requests=20,
        prices=Price(Decimal("0.000001"), Decimal("0.000002")),
        extra={"temperature": 0.3, "api_version": "2024-06-01"},
    )


def test_control_address_and_base_model_are_resolved(tmp_path: Path) -> None:
    steady = load(tmp_path, FULL).resolve("steady")
    assert steady.is_control
    assert steady.api_base == "http://sim:9100/v1"
    assert steady.prices == Price(Decimal("2.5e-6"), Decimal("1e-5"))
    assert not load(tmp_path, FULL).resolve("atlas-large").is_control


def test_the_key_is_read_only_for_a_call(tmp_path: Path) -> None:
    catalogue = load(tmp_path, FULL)
    entry = catalogue.resolve("atlas-large")
    assert "sk-very-secret" not in repr(catalogue) + repr(entry)
    assert entry.call_parameters(ENVIRONMENT) == {
        "model": "openai/atlas-large",
        "api_base": "http://127.0.0.1:9100/v1",
        "api_key": "sk-very-secret",
        "temperature": 0.3,
        "api_version": "2024-06-01",
    }
    assert catalogue.resolve("steady").call_parameters({})["api_key"] == "none"
    with pytest.raises(InvalidInput, match="SIM_KEY is not set"):
        entry.call_parameters({})


def test_other_parameters_may_name_variables_too(tmp_path: Path) -> None:
    catalogue = load(tmp_path, entry_with("model: bedrock/x, aws_secret_access_key: os.environ/AWS"))
    assert catalogue.resolve("m").call_parameters({"AWS": "hush"})["aws_secret_access_key"] == "hush"
    written_out = load(tmp_path, entry_with("model: a/b, extra_headers: {Authorization: hush}"))
    assert "hush" not in repr(written_out)


def test_without_a_file_provider_and_model_are_enough() -> None:
    catalogue = Catalogue.load(None, {})
    entry = catalogue.resolve("openai/gpt-4o")
    assert (entry.name, entry.litellm_model) == ("openai/gpt-4o", "openai/gpt-4o")
    assert entry.prices == Price(Decimal("2.5e-6"), Decimal("1e-5"))
    assert entry.call_parameters({}) == {"model": "openai/gpt-4o"}
    assert catalogue.names() == ()
    assert catalogue.default_judge is None


def test_an_unlisted_price_is_unknown_not_zero(tmp_path: Path) -> None:
    assert Catalogue.load(None, {}).resolve("openai/atlas-large").prices is None
    free = load(tmp_path, entry_with("model: openai/x, input_cost_per_token: 0, output_cost_per_token: 0"))
    assert free.resolve("m").prices == Price(Decimal(0), Decimal(0))


@pytest.mark.parametrize(
    "name", ["gpt-4o", "", "a b/c", "openai/", "/gpt", "http://x", "openai/*", "a/b\x7f", "a/\n"]
)
def test_a_name_of_another_form_is_refused_with_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        load(tmp_path, FULL).resolve(name)
    assert refused.value.field == "model"
    assert "atlas-large, steady, sim-judge; or use provider/model" in refused.value.remedy


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ("model_list: 3", "model_list", "list"),
        ("- a", "", "mapping"),
        ("", "", "mapping"),
        ("model_list: [7]", "model_list[0]", "mapping"),
        ("models: []", "models", "not known"),
        ("model_list: [{model_name: a}]", "model_list[0].litellm_params.model", "missing"),
        (entry_with("model: 3"), "model_list[0].litellm_params.model", "quotes"),
        (entry_with("rpm: 3"), "model_list[0].litellm_params.model", "missing"),
        (entry_with("model: a/b, rpm: 0"), "model_list[0].litellm_params.rpm", "whole number"),
        (entry_with("model: a/b, rpm: yes"), "model_list[0].litellm_params.rpm", "whole number"),
        (entry_with("model: a/b, tpm: 1.5"), "model_list[0].litellm_params.tpm", "whole number"),
        (entry_with("model: a/b, timeout: 0"), "model_list[0].litellm_params.timeout", "seconds"),
        (entry_with("model: a/b, timeout: .nan"), "model_list[0].litellm_params.timeout", "seconds"),
        (entry_with("model: a/b, timeout: soon"), "model_list[0].litellm_params.timeout", "seconds"),
        (
            entry_with("model: a/b, input_cost_per_token: 1"),
            "model_list[0].litellm_params.output_cost_per_token",
            "both",
        ),
        (
            entry_with("model: a/b, output_cost_per_token: -1"),
            "model_list[0].litellm_params.output_cost_per_token",
            "dollars",
        ),
        (entry_with("model: a/b, api_key: sk-1"), "model_list[0].litellm_params.api_key", "os.environ/NAME"),
        (
            entry_with("model: a/b, api_key: os.environ/"),
            "model_list[0].litellm_params.api_key",
            "os.environ/NAME",
        ),
        (entry_with("model: a/b, api_base: os.environ/X"), "model_list[0].litellm_params.api_base", "X"),
        (entry_with("model: a/b, num_retries: 3"), "model_list[0].litellm_params.num_retries", "workers"),
        (entry_with("model: a/b", rpm="3"), "model_list[0].rpm", "not known"),
        (entry_with("model: a/b", model_info="{control: 1}"), "model_list[0].model_info.control", "true"),
        (FULL.replace("steady\n", "atlas-large\n", 1), "model_list[1].model_name", "twice"),
        (FULL.replace("model_name: steady", "model_name: a b"), "model_list[1].model_name", "spaces"),
        (FULL.replace("model_name: steady", "model_name: '*'"), "model_list[1].model_name", "wildcards"),
        (FULL.replace("judge: {model: sim-judge}", "judge: {model: sim}"), "judge.model", "atlas-large"),
        (FULL.replace("judge: {model: sim-judge}", "judge: sim-judge"), "judge", "mapping"),
        (FULL.replace("judge: {model: sim-judge}", "judge: {mode: x}"), "judge.mode", "not known"),
    ],
)
def test_a_mistake_is_named_by_file_and_field(tmp_path: Path, text: str, field: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        load(tmp_path, text)
    path = tmp_path / "models.yaml"
    assert refused.value.field == (f"{path}: {field}" if field else str(path))
    assert said in str(refused.value)
    assert "sk-" not in str(refused.value)


def test_a_file_that_is_absent_or_no_yaml_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        Catalogue.load(tmp_path / "nowhere.yaml", {})
    with pytest.raises(InvalidInput, match=r"not YAML.*line 1"):
        load(tmp_path, "{")
    with pytest.raises(InvalidInput, match="not YAML"):
        load(tmp_path, "!!python/object/apply:os.getcwd []")


@given(st.text(max_size=30) | st.from_regex(r"[a-z]{1,5}/[a-z/ ]{1,5}", fullmatch=True))
def test_every_name_is_a_provider_and_a_model_or_is_refused(name: str) -> None:
    provider, _, model = name.partition("/")
    try:
        resolved = Catalogue.load(None, {}).resolve(name)
    except InvalidInput:
        return
    assert resolved.litellm_model == name
    assert provider
    assert model
    assert not any(map(str.isspace, name))
