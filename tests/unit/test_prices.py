"""List prices: LiteLLM's data, without LiteLLM."""

import json
import os
import subprocess
import sys
from decimal import Decimal

import pytest

from shared.domain.cost import Price
from shared.prices import find_list_price

LISTED = [
    "openai/gpt-4o",
    "gpt-4o",
    "openai/gpt-4o-2024-08-06",
    "openai/gpt-4o-2099-12-31",
    "anthropic/claude-sonnet-4-5",
    "azure/gpt-4o",
    "azure_ai/gpt-4o",
    "gemini/gemini-2.5-pro",
    "gemini/gemini-2.5-pro-001",
    "vertex_ai/gemini-2.5-pro",
    "deepseek/deepseek-chat",
    "bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0",
    "ollama/llama3",
]
UNLISTED = ["openai/atlas-large", "xai/gpt-4o", "nobody/gpt-4o", "hosted_vllm/llama", "local"]


ASK_LITELLM = """
import json, litellm
for model in json.loads(input()):
    provider, slash, rest = model.partition("/")
    info = litellm.get_model_info(rest, provider) if slash else litellm.get_model_info(model)
    print(json.dumps([info["input_cost_per_token"], info["output_cost_per_token"]]))
"""


def test_prices_are_those_that_litellm_would_charge() -> None:
    """The oracle is LiteLLM itself, in a process of its own."""
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASK_LITELLM],
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        input=json.dumps(LISTED),
        capture_output=True,
        text=True,
        check=True,
    )
    expected = [json.loads(line) for line in told.stdout.splitlines() if line.startswith("[")]
    for model, rates in zip(LISTED, expected, strict=True):
        price = find_list_price(model)
        assert price is not None, model
        assert [float(price.input_per_token), float(price.output_per_token)] == rates, model


@pytest.mark.parametrize("model", UNLISTED)
def test_another_providers_price_is_not_borrowed(model: str) -> None:
    assert find_list_price(model) is None


def test_a_listed_zero_counts_only_on_ones_own_machine() -> None:
    assert find_list_price("ollama/llama3") == Price(Decimal(0), Decimal(0))
    assert find_list_price("sagemaker/meta-textgeneration-llama-2-13b") is None


def test_prices_are_exact_decimals() -> None:
    assert find_list_price("gpt-4o") == Price(Decimal("0.0000025"), Decimal("0.00001"))


def test_litellm_is_not_imported() -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom shared.models import Catalogue\n"
        "assert Catalogue.load(None, {}).resolve('openai/gpt-4o').prices\n"
        "assert 'litellm' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=os.getcwd())
