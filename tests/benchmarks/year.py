"""A fleet's year: all detections computed anew from the database, and one night more.

As a program of its own, so that its memory can be told: `python -m tests.benchmarks.year [MODELS NIGHTS
QUESTIONS]` prints its figures as JSON.
"""

import asyncio
import json
import logging
import resource
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import structlog

from services.scheduler.detect import detect
from services.standalone import postgres, valkey
from shared.db import schedules, suites
from shared.db.migrate import migrate
from shared.db.pool import Connection, open_pool
from shared.db.seen import find_last_seen
from shared.detecting import read_sequence, refold
from shared.domain.questions.suites import SuiteContent
from shared.models import Catalogue
from shared.queue import open_redis
from shared.settings import Settings
from tests.benchmarks.processes import Usage
from tests.factories import make_question
from tests.integration.scheduling import TERMS

MODELS, NIGHTS, QUESTIONS, CATEGORIES = 50, 365, 200, 8
# What a year has left behind need not outlive the measurement.
CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "8GB"}


async def measure(models: int, nights: int, questions: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="driftwarden-year-") as folder:
        home = Path(folder)
        async with postgres.launch(home, settings=CARELESS) as url, valkey.launch(home) as redis_url:
            await migrate(url)
            settings = Settings(database_url=url, redis_url=redis_url)
            async with open_pool(settings) as pool, open_redis(redis_url) as redis:
                async with pool.acquire() as connection:
                    schedule_id = await _begin(connection, questions)
                    await _live_through(connection, schedule_id, models, 1, nights)
                    await connection.execute(
                        "INSERT INTO seen_entries (run_id, schedule_id) SELECT id, schedule_id FROM runs"
                    )
                    await connection.execute("ANALYZE")
                    before = Usage.now()
                    detections = await _refold(connection, schedule_id)
                    after = Usage.now()
                    await _live_through(connection, schedule_id, models, nights + 1, nights + 1)
                started, used = time.perf_counter(), time.process_time()
                seen = await detect(pool, redis, Catalogue({}), datetime.now(UTC))
                assert seen == 1
                return {
                    "models": models,
                    "nights": nights,
                    "questions": questions,
                    "detections": detections,
                    "refold_seconds": after.at - before.at,
                    "refold_cpu_seconds": after.our_seconds - before.our_seconds,
                    "night_seconds": time.perf_counter() - started,
                    "night_cpu_seconds": time.process_time() - used,
                    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                    "cores_of_others": before.cores_of_others_until(after),
                }


async def _begin(connection: Connection, questions: int) -> int:
    content = SuiteContent(
        tuple(make_question(n, category=f"category-{n % CATEGORIES}") for n in range(1, questions + 1))
    )
    async with connection.transaction():
        await suites.store_suite(connection, TERMS.suite, content)
        terms = replace(TERMS, confirmations=0)
        schedule, _ = await schedules.store_schedule(connection, terms, datetime(2025, 1, 1, tzinfo=UTC))
    return schedule.id


async def _live_through(connection: Connection, schedule_id: int, models: int, first: int, last: int) -> None:
    """Make up nights: questions of every difficulty, nothing drifts."""
    names = [f"model-{number:02}" for number in range(1, models + 1)]
    async with connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")  # foreign keys hold anyway
        for statement in (_NIGHTS, _RUNS, _PAIRS, _AGGREGATES):
            numbers = {"$1": schedule_id, "$2": first, "$3": last}
            for name, value in numbers.items():
                statement = statement.replace(name, str(value))
            await connection.execute(statement.replace("$4", str(names)), timeout=600)


_NIGHTS = """
    INSERT INTO nights (schedule_id, night, due_at, state, watched_models, nights_per_false_alarm)
    SELECT $1, date '2025-01-01' + n, timestamptz '2025-01-01 02:00Z' + n * interval '1 day', 'ran',
           cardinality(array $4), 365
    FROM generate_series($2, $3) n
"""
_RUNS = """
    INSERT INTO runs (id, kind, state, suite_version_id, models, repeats, parameters, labels, client_versions,
                      request_hash, planned_pairs, created_at, planned_at, finished_at, schedule_id, night,
                      attempt)
    SELECT gen_random_uuid(), 'nightly', 'completed', (SELECT max(id) FROM suite_versions), array $4, 1,
           '{"temperature": 0}', '{}', '{}', '', 1, at, at, at, $1, date '2025-01-01' + n, 0
    FROM generate_series($2, $3) n,
         LATERAL (SELECT timestamptz '2025-01-01 02:00Z' + n * interval '1 day') t (at)
"""
_PAIRS = """
    INSERT INTO pairs (run_id, model, question_id, repeat, state, attempts, response, latency_seconds,
                       input_tokens, output_tokens, cost_usd, score, passed, refused, format_failed,
                       answered_at, closed_at)
    SELECT r.id, m, q.id, 1, 'scored', 1, 'an answer', 0.5 + random(), 50, 20 + (random() * 9)::int, 0.0001,
           is_right::int, is_right, false, random() < 0.01, r.planned_at, r.finished_at
    FROM runs r, unnest(array $4) m, questions q,
         -- Naming all three has it drawn anew for each answer.
         LATERAL (SELECT random() < 1 - (q.id % 5) / 8.0 + 0 * r.attempt * length(m)) t (is_right)
    WHERE r.night BETWEEN date '2025-01-01' + $2 AND date '2025-01-01' + $3
    ORDER BY r.id, m, q.id
"""
_AGGREGATES = """
    INSERT INTO run_aggregates (run_id, model, category, planned, answered, scored, coverage, questions,
                                accuracy, accuracy_lower, accuracy_upper, perfect, partial, failed, unscored,
                                input_tokens, output_tokens)
    SELECT r.id, m, 'all', 200, 200, 200, 1, 200, 0.8, 0.7, 0.9, 160, 0, 40, 0, 0, 0
    FROM runs r, unnest(array $4) m
    WHERE r.night BETWEEN date '2025-01-01' + $2 AND date '2025-01-01' + $3
"""


async def _refold(connection: Connection, schedule_id: int) -> int:
    async with connection.transaction():
        last = await find_last_seen(connection, schedule_id)
        await refold(connection, await read_sequence(connection, schedule_id, (), last=last))
    count: int = await connection.fetchval("SELECT count(*) FROM detections")
    return count


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    sizes = [int(argument) for argument in sys.argv[1:]] or [MODELS, NIGHTS, QUESTIONS]
    print(json.dumps(asyncio.run(measure(*sizes))))


if __name__ == "__main__":
    main()
