"""A gate inside a CI job that has no server: everything comes and goes with the command."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.simulator.config import SimulatorConfig
from services.simulator.serving import serve
from shared.domain.questions.suite_files import parse_suite
from tests.integration.commands import ROOT, Terminal

SECONDS = 180.0
GOLDEN = (
    "id,category,input,expected_output,scorer",
    *(f"q{n},math,What is {n} + {n}?,{2 * n},numeric" for n in range(1, 121)),
    "w1,words,Name a colour.,blue,",
)
GATE = ("gate", "--standalone", "--suite", "golden.csv", "--baseline-file", "main.jsonl")

pytestmark = pytest.mark.slow


@pytest.fixture
async def provider() -> AsyncIterator[httpx.AsyncClient]:
    content = parse_suite("golden.csv", "\n".join(GOLDEN).encode())
    config = SimulatorConfig.model_validate(
        {"seed": 3, "models": {"bright": {"skill": 1.0, "noise": 0.0}, "strict": {"kind": "judge"}}}
    )
    async with serve(config, questions=content.questions) as url, httpx.AsyncClient(base_url=url) as provider:
        yield provider


@pytest.fixture
def terminal(provider: httpx.AsyncClient, tmp_path: Path) -> Terminal:
    """No server in the environment, but somebody else's databases, which are none of the gate's business."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DRIFTWARDEN_")}
    terminal = Terminal(
        tmp_path,
        {
            **inherited,
            "PYTHONPATH": str(ROOT),
            "GIT_CEILING_DIRECTORIES": str(tmp_path.parent),
            "TMPDIR": str(tmp_path),
            "DATABASE_URL": "postgresql://127.0.0.1:9/app",
            "REDIS_URL": "redis://127.0.0.1:9/0",
        },
    )
    parameters = f"api_base: '{provider.base_url}/v1', api_key: none"
    terminal.write(
        "models.yaml",
        "model_list:",
        f"  - {{model_name: bright, litellm_params: {{model: openai/bright, {parameters}}}}}",
        f"  - {{model_name: strict, litellm_params: {{model: openai/strict, {parameters}}}}}",
        "judge: {model: strict}",
    )
    terminal.write("golden.csv", *GOLDEN)
    return terminal


async def gate(terminal: Terminal, *options: str) -> tuple[int | None, str, str]:
    process = await terminal.start(*GATE, *options)
    async with asyncio.timeout(SECONDS):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_a_regression_is_caught_between_two_jobs_without_a_server(
    terminal: Terminal, provider: httpx.AsyncClient
) -> None:
    code, out, err = await gate(terminal, "--results", "main.jsonl")
    assert code == 3, err
    assert "it is the next baseline" in out

    code, out, err = await gate(terminal, "--data", "kept", "--markdown", "gate.md")
    assert code == 0, out + err
    assert "121 pairs of answers" in out.replace("\N{NO-BREAK SPACE}", " ")

    (await provider.patch("/admin/models/bright", json={"skill": 0.3})).raise_for_status()
    code, out, err = await gate(terminal, "--data", "kept", "--junit", "gate.xml")
    assert code == 1, out + err
    assert "<failure" in (terminal.folder / "gate.xml").read_text()
    assert "REGRESSION" not in (terminal.folder / "gate.md").read_text()
    left = {path.name for path in terminal.folder.iterdir()}
    assert left == {"models.yaml", "golden.csv", "main.jsonl", "kept", "gate.md", "gate.xml"}


async def test_interrupted_it_takes_everything_down_and_is_not_measured(
    terminal: Terminal, provider: httpx.AsyncClient
) -> None:
    (await provider.patch("/admin/models/bright", json={"latency": 30.0})).raise_for_status()
    process = await terminal.start(*GATE, "--results", "main.jsonl", DRIFTWARDEN_DRAIN_SECONDS="1")
    assert process.stderr is not None
    async with asyncio.timeout(SECONDS):
        while b"0 of" not in (line := await process.stderr.readline()):
            assert line, "it ended too early"
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert process.returncode == 3, (out + err).decode()
    assert {path.name for path in terminal.folder.iterdir()} == {"models.yaml", "golden.csv"}


async def test_a_missing_catalogue_is_told_with_its_option(terminal: Terminal) -> None:
    code, _, err = await gate(terminal, "--models-file", "absent.yaml")
    assert code == 2
    assert "--models-file: there is no" in err
