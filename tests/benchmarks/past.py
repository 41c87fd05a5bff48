"""How long answers take when the past is long: `python -m tests.benchmarks.past [RESULTS ...]` (1000000).

One real run of a thousand pairs is copied into as many hours of the past as make up so many results, and what
people and Prometheus ask for is asked again. Figures in docs/scaling.md.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import asyncpg
import httpx

from tests.benchmarks.processes import process_tree
from tests.benchmarks.stage import MODELS, Stage, set_the_stage, write_sums

ASKED = MODELS[:10]
SUITE_QUESTIONS = 100
ROUNDS = 20
PATHS = {
    "Home": "/",
    "Runs": "/runs",
    "one run": "/runs/{run}",
    "Compare": "/compare?suite=sums",
    "Compare, two runs": "/compare?baseline={old}&candidate={run}",
    "a model": "/models/view?model=model-01&suite=sums",
    "Suites": "/suites",
    "Incidents": "/incidents",
    "GET /runs": "/api/v1/runs",
    "GET /runs/{id}": "/api/v1/runs/{run}",
    "GET /runs/{id}/results": "/api/v1/runs/{run}/results",
    "GET /compare": "/api/v1/compare?baseline={old}&candidate={run}",
    "GET /models/history": "/api/v1/models/history?model=model-01&suite=sums",
    "GET /stats": "/api/v1/stats?period=30d",
    "GET /metrics": "/metrics",
}
# What is other in a copy that is {ago} hours older; every other column stays as it is.
COPIES = {
    "runs": {
        "id": "md5(id::text || '{ago}')::uuid",
        "created_at": "created_at - {ago} * interval '1 hour'",
        "planned_at": "planned_at - {ago} * interval '1 hour'",
        "finished_at": "finished_at - {ago} * interval '1 hour'",
    },
    "pairs": {
        "run_id": "md5(run_id::text || '{ago}')::uuid",
        "answered_at": "answered_at - {ago} * interval '1 hour'",
        "closed_at": "closed_at - {ago} * interval '1 hour'",
    },
    "run_aggregates": {"run_id": "md5(run_id::text || '{ago}')::uuid"},
}


async def measure(results: list[int]) -> None:
    questions = write_sums(SUITE_QUESTIONS, categories=5)
    with tempfile.TemporaryDirectory(prefix="driftwarden-bench-") as folder:
        async with (
            set_the_stage(Path(folder), questions, auth="off") as stage,
            open_database(stage) as database,
            httpx.AsyncClient(base_url=str(stage.api.base_url.join("/")), timeout=120) as browser,
        ):
            await stage.import_suite("sums", questions)
            run_id = await stage.submit("sums", ASKED)
            await stage.wait_for(run_id, "completed")
            pairs = len(ASKED) * SUITE_QUESTIONS
            copied = 0
            for wanted in (2 * pairs, *results):
                started = time.perf_counter()
                await lengthen_the_past(database, run_id, range(copied + 1, wanted // pairs))
                copied = wanted // pairs - 1
                seconds = time.perf_counter() - started
                size = await database.fetchval("SELECT pg_size_pretty(pg_database_size(current_database()))")
                print(f"{wanted:,} results, {size}, made in {seconds:.0f} s", flush=True)
                old = await database.fetchval("SELECT id::text FROM runs ORDER BY created_at LIMIT 1")
                for name, path in PATHS.items():
                    first, usual = await ask(browser, path.format(run=run_id, old=old))
                    print(f"  {name}: {usual:.0f} ms, the first time {first:.0f} ms", flush=True)


async def ask(browser: httpx.AsyncClient, path: str) -> tuple[float, float]:
    """Milliseconds of the first time, and the median of further ones."""
    taken = []
    for _ in range(1 + ROUNDS):
        started = time.perf_counter()
        (await browser.get(path, follow_redirects=True)).raise_for_status()
        taken.append(1000 * (time.perf_counter() - started))
    return taken[0], median(taken[1:])


async def lengthen_the_past(database: asyncpg.Connection, run_id: str, hours_ago: range) -> None:
    """Copy the run into each of these hours of the past."""
    statements = [await write_copy(database, table, changed) for table, changed in COPIES.items()]
    for hour in hours_ago:
        for statement in statements:
            await database.execute(statement.format(ago=hour), run_id)
    await database.execute("VACUUM ANALYZE")


async def write_copy(database: asyncpg.Connection, table: str, changed: dict[str, str]) -> str:
    columns = [
        row["name"]
        for row in await database.fetch(
            "SELECT attname AS name FROM pg_attribute"
            " WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
            table,
        )
    ]
    key = "id" if table == "runs" else "run_id"
    values = ", ".join(changed.get(name, name) for name in columns)
    here = f"{table} WHERE {key} = $1::text::uuid"
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {here}"


@asynccontextmanager
async def open_database(stage: Stage) -> AsyncIterator[asyncpg.Connection]:
    """The instance's own; foreign keys and triggers are not asked."""
    connection = await asyncpg.connect(read_environment(stage.pid)["DATABASE_URL"])
    await connection.execute("SET session_replication_role = replica")
    try:
        yield connection
    finally:
        await connection.close()


def read_environment(root: int) -> dict[str, str]:
    """What `up` has told its scheduler."""
    for pid in process_tree(root):
        if b"scheduler" in Path(f"/proc/{pid}/cmdline").read_bytes():
            lines = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
            return dict(line.split("=", 1) for line in lines if "=" in line)
    raise RuntimeError("no scheduler runs")


if __name__ == "__main__":
    asyncio.run(measure([int(text) for text in sys.argv[1:]] or [1_000_000]))
