"""`driftwarden run --wait` tells how far the run is, survives a bad connection, and ends as the run ends."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.worker.plan import plan_run
from services.worker.stop import stop_run
from shared.db import pairs, runs
from shared.domain.runs import PairKey, RunId
from tests.integration.commands import Terminal, bad_road_to, open_terminal
from tests.integration.fleet import until
from tests.integration.serving import Api, finish, make_settings, serve_api

HEAD = "id,category,input,expected_output,scorer"
GOLDEN = (
    HEAD,
    *(f"q{number},math,What is {number} + {number}?,{2 * number},numeric" for number in range(1, 5)),
)
WAIT = ("run", "--suite", "golden.csv", "--model", "bright", "--wait")


@pytest.fixture
def terminal(served_api: Api, tmp_path: Path) -> Terminal:
    terminal = open_terminal(served_api, tmp_path / "work")
    terminal.write("golden.csv", *GOLDEN)
    return terminal


async def submitted(api: Api) -> RunId:
    """The run that a command has submitted, as soon as it has."""
    found: list[RunId] = []

    async def is_there() -> bool:
        async with api.desk.connection() as connection:
            found.extend(run.id for run in await runs.list_open_runs(connection))
        return bool(found)

    await until(is_there)
    return found[0]


async def plan(api: Api) -> list[PairKey]:
    run_id = await submitted(api)
    await plan_run(api.desk.pool, api.desk.redis, run_id)
    async with api.desk.connection() as connection:
        return await pairs.list_open_pairs(connection, run_id)


async def told(process: asyncio.subprocess.Process, text: str) -> None:
    """Wait until a command has said something on stderr."""
    assert process.stderr is not None
    async with asyncio.timeout(20):
        while text not in (line := (await process.stderr.readline()).decode()):
            assert line, f"the command ended without saying {text!r}"


async def ends(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_waiting_tells_the_progress_line_by_line_and_then_the_results(
    served_api: Api, terminal: Terminal
) -> None:
    process = await terminal.start(*WAIT, "--json")
    await told(process, "submitted")
    keys = await plan(served_api)
    await told(process, "0 of 4 done")
    await finish(served_api, keys)
    code, out, err = await ends(process)
    assert code == 0, err
    assert '"state": "completed"' in out
    assert "4 of 4 done, 1 not measured" in err


async def test_a_run_that_is_stopped_gives_code_1(served_api: Api, terminal: Terminal) -> None:
    process = await terminal.start(*WAIT)
    keys = await plan(served_api)
    await terminal("cancel", str(keys[0].run_id))
    await stop_run(served_api.desk.pool, served_api.desk.redis, keys[0].run_id)
    code, out, err = await ends(process)
    assert (code, "cancelled" in out) == (1, True), err


async def test_interrupted_waiting_leaves_the_run_alone_and_says_how_to_reach_it(
    served_api: Api, terminal: Terminal
) -> None:
    process = await terminal.start(*WAIT)
    await told(process, "submitted")
    process.send_signal(signal.SIGINT)
    code, _, err = await ends(process)
    run_id = await submitted(served_api)
    assert code == 130
    assert f"driftwarden show {run_id}" in err
    assert f"driftwarden cancel {run_id}" in err


async def test_waiting_survives_broken_connections(served_api: Api, tmp_path: Path) -> None:
    async with bad_road_to(served_api) as (road, url):
        terminal = open_terminal(served_api, tmp_path / "work", url)
        terminal.write("golden.csv", *GOLDEN)
        process = await terminal.start(*WAIT, "--json")
        await told(process, "submitted")
        keys = await plan(served_api)
        await told(process, "0 of 4 done")

        road.is_blocked = True
        road.cut()
        before = road.travellers

        async def has_knocked() -> bool:
            return road.travellers >= before + 2

        await until(has_knocked)
        road.is_blocked = False
        await finish(served_api, keys)
        code, out, err = await ends(process)
    assert (code, '"state": "completed"' in out) == (0, True), err


def entry(name: str, port: int) -> str:
    parameters = f"{{model: openai/{name}, api_base: 'http://127.0.0.1:{port}/v1', api_key: none}}"
    return f"  - {{model_name: {name}, litellm_params: {parameters}}}\n"


@pytest.fixture
async def simulated(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[tuple[Api, Terminal]]:
    """Everything real: an API, a worker and a simulated provider that knows the golden suite."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    (tmp_path / "models.yaml").write_text("model_list:\n" + entry("bright", port) + entry("dark", port))
    async with serve_api(make_settings(database_url, redis_url, tmp_path)) as api:
        terminal = open_terminal(api, tmp_path / "work")
        terminal.write("golden.csv", *GOLDEN)
        terminal.write(
            "simulator.yaml",
            "suites: [golden.csv]",
            "models:",
            "  bright: {skill: 1.0, noise: 0.0}",
            "  dark: {faults: {content_filter: 1.0}}",
        )
        worker_environment = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "DRIFTWARDEN_MODELS": str(tmp_path / "models.yaml"),
        }
        simulator = await terminal.start("simulator", "--config", "simulator.yaml", "--port", str(port))
        worker = await terminal.start("worker", **worker_environment)
        try:
            yield api, terminal
        finally:
            for process in (worker, simulator):
                process.terminate()
                await process.communicate()
    assert worker.returncode == 0


async def test_models_are_asked_and_a_run_ends_in_its_leaderboard(simulated: tuple[Api, Terminal]) -> None:
    _, terminal = simulated
    checked = await terminal("check-models")
    assert checked.code == 1, "a model whose answers are withheld is not well"
    assert [row[:2] for row in checked.rows] == [["bright", "yes"], ["dark", "no"]]
    done = await terminal("run", "--suite", "golden.csv", "--wait")
    assert done.code == 0, done.err
    rows = [line.split() for line in done.out.splitlines()]
    [bright] = [row for row in rows if "bright" in row]
    [dark] = [row for row in rows if "dark" in row]
    assert "100.0" in bright
    assert "–" in dark
    assert "content" in dark
