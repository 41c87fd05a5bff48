"""/metrics tells of the whole installation what the database and the queue say, and no more than that."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from services.api.measures import QUALITY_SECONDS, MeasureBoard
from services.standalone import postgres
from shared.db import runs
from shared.db.migrate import migrate
from shared.domain.runs import RunId, RunKind
from shared.queue import enqueue_pairs, enqueue_run_job
from tests.factories import make_suite, plan_run
from tests.integration.anchoring import open_nights
from tests.integration.browsing import FALL, FALLEN, FALLS_ON, GONE, SOUND, live_through
from tests.integration.scraping import Scrape, scrape
from tests.integration.serving import Api, finished_run, make_settings, open_api

# Each row again for every one of a thousand nights before it; `ago` counts them.
PAST = [
    (
        "runs",
        "'id', md5(id::text || ago)::uuid, 'night', night - ago,"
        " 'finished_at', finished_at - ago * '1 day'::interval",
    ),
    ("run_aggregates", "'run_id', md5(run_id::text || ago)::uuid"),
]


async def newest_runs(api: Api) -> set[RunId]:
    """The runs that count as the newest measurements."""
    async with api.desk.connection() as connection:
        return {row["run_id"] for row in await connection.fetch("SELECT run_id FROM newest_measurements")}


async def same_suite(api: Api, run_id: RunId) -> dict[str, Any]:
    async with api.desk.connection() as connection:
        run = await runs.find_run(connection, run_id)
    assert run is not None
    return {"suite_version_id": run.suite_version_id}


async def test_quality_drift_and_schedules_are_told_after_a_fall(api: Api) -> None:
    past = await live_through(api, FALLS_ON)

    told = await scrape(api.client)

    assert told.value("driftwarden_quality_up") == 1
    async with api.desk.connection() as connection:
        rows = await connection.fetch(
            "SELECT model, category, accuracy, accuracy_lower, accuracy_upper FROM newest_measurements"
            " WHERE accuracy IS NOT NULL"
        )
    assert {row["model"] for row in rows} == {SOUND, FALLEN}
    for row in rows:
        labels = {"model": row["model"], "suite": "golden", "category": row["category"]}
        assert told.value("driftwarden_accuracy_ratio", **labels) == row["accuracy"]
        assert told.value("driftwarden_accuracy_lower_ratio", **labels) == row["accuracy_lower"]
        assert told.value("driftwarden_accuracy_upper_ratio", **labels) == row["accuracy_upper"]
    assert len(told.having("driftwarden_accuracy_ratio")) == len(rows) == 2 * 4
    gone = {"model": GONE, "suite": "golden"}
    assert told.value("driftwarden_coverage_ratio", **gone, category="all") == 0
    assert told.value("driftwarden_measured_timestamp_seconds", **gone) == past.now.timestamp()

    fallen = {"schedule": "nightly", "subject": "model", "model": FALLEN}
    [(_, evidence)] = told.having("driftwarden_drift_evidence_ratio", **fallen, stream="accuracy")
    assert evidence > 1
    assert told.value("driftwarden_drift_state", **fallen, state="alert") == 1
    assert told.value("driftwarden_drift_state", **fallen, state="ok") == 0
    about_models = told.having("driftwarden_incidents_open", schedule="nightly", subject="model")
    assert sum(count for _, count in about_models) == 2
    assert all(not count for _, count in told.having("driftwarden_incidents_open", subject="judge"))
    assert told.value("driftwarden_last_night_timestamp_seconds", schedule="nightly") == past.now.timestamp()
    assert told.value("driftwarden_nights_missed", schedule="nightly") == 0


async def test_every_replica_tells_the_same(api: Api) -> None:
    await live_through(api, 4, FALL)
    one, other = MeasureBoard(), MeasureBoard()
    assert await one.tell(api.desk) == await other.tell(api.desk)


async def test_the_database_is_asked_once_in_a_while_however_many_scrape(api: Api) -> None:
    now = 0.0
    board = MeasureBoard(clock=lambda: now)

    async def count() -> float | None:
        return Scrape.of((await board.tell(api.desk)).decode()).value("driftwarden_runs_open")

    assert await count() == 0
    await plan_run(api.desk.pool)
    assert await count() == 0
    now += QUALITY_SECONDS
    assert await count() == 1


async def test_without_its_database_a_process_tells_only_of_itself(redis_url: str, tmp_path: Path) -> None:
    async with AsyncExitStack() as server:
        url = await server.enter_async_context(postgres.launch(tmp_path))
        await migrate(url)
        async with open_api(make_settings(url, redis_url, tmp_path)) as api:
            await finished_run(api)
            await server.aclose()
            told = await scrape(api.client)
    assert told.value("driftwarden_quality_up") == 0
    assert told.value("driftwarden_queue_up") == 1
    assert "process_cpu_seconds_total" in told.names()
    assert not {"driftwarden_runs_open", "driftwarden_accuracy_ratio"} & told.names()


async def test_without_redis_queues_are_not_told_as_empty(database_url: str, tmp_path: Path) -> None:
    async with open_api(make_settings(database_url, f"unix://{tmp_path}/nobody", tmp_path)) as api:
        told = await scrape(api.client)
    assert (told.value("driftwarden_quality_up"), told.value("driftwarden_queue_up")) == (1, 0)
    assert "driftwarden_queue_depth" not in told.names()


async def test_queues_are_told_with_their_models_limits(api: Api) -> None:
    keys = await plan_run(api.desk.pool, models=("bright",), content=make_suite(4))
    await enqueue_pairs(api.desk.redis, keys[0].run_id, keys)
    await enqueue_run_job(api.desk.redis, "plan_run", keys[0].run_id)

    told = await scrape(api.client)

    assert told.value("driftwarden_queue_depth", model="bright") == 4
    assert told.value("driftwarden_queue_depth", model="control") == 1
    assert told.value("driftwarden_queue_depth", model="dim") == 0
    assert told.value("driftwarden_pairs_in_flight", model="bright") == 0
    assert told.value("driftwarden_model_slots", model="bright") == api.desk.settings.model_slots
    oldest = told.value("driftwarden_queue_oldest_job_seconds", model="bright")
    assert oldest is not None
    assert 0 <= oldest < 30
    assert told.value("driftwarden_queue_oldest_job_seconds", model="dim") is None


async def test_what_was_submitted_by_hand_counts_if_it_asked_the_whole_suite(api: Api) -> None:
    older = await finished_run(api)
    suite = await same_suite(api, older)
    assert await newest_runs(api) == {older}
    newer = await finished_run(api, **suite)
    await finished_run(api, **suite, sample=1)
    await finished_run(api, **suite, kind=RunKind.GATE)
    await finished_run(api, **suite, kind=RunKind.IMPORTED)
    await plan_run(api.desk.pool, **suite)
    assert await newest_runs(api) == {newer}
    only_dim = await finished_run(api, **suite, models=("dim",))
    assert await newest_runs(api) == {newer, only_dim}


async def test_where_a_schedule_asks_the_suite_its_newest_night_counts(api: Api) -> None:
    past = await live_through(api, 2)
    async with api.desk.connection() as connection:
        last = await connection.fetchval("SELECT id FROM runs ORDER BY night DESC LIMIT 1")
    by_hand = await finished_run(api, **await same_suite(api, last))
    await past.confirm(2)
    assert await newest_runs(api) == {last}
    assert by_hand != last


async def test_the_newest_measurements_are_read_by_index_however_long_the_past_is(api: Api) -> None:
    await live_through(api, 1)
    async with api.desk.connection() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")  # no foreign keys
        for table, ids in PAST:
            await connection.execute(
                f"INSERT INTO {table} SELECT (jsonb_populate_record(t, jsonb_build_object({ids}))).*"
                f" FROM {table} t, generate_series(1, 1000) ago"
            )
        await connection.execute("ANALYZE")
        plan = "\n".join(
            row[0] for row in await connection.fetch("EXPLAIN SELECT * FROM newest_measurements")
        )
    assert "using run_aggregates_pkey" in plan
    assert " on pairs" not in plan
    assert "Seq Scan on run_aggregates" not in plan


async def test_a_night_that_another_judge_scored_again_is_told_by_its_scores(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with (
        open_nights(database_url, redis_url, tmp_path) as nights,
        open_api(nights.here.settings) as api,
    ):
        night = await nights.run()
        body = {"judge": "strict"}
        rerun = (await api.client.post(f"/api/v1/runs/{night}/rejudge", json=body)).json()["id"]
        await nights.here.work()
        scores = {model: each.accuracy for model, each in (await nights.here.totals(rerun)).items()}
        told = await scrape(api.client)
        first = (await nights.here.totals(night))["bright"]
    assert scores["bright"] != first.accuracy
    for model, accuracy in scores.items():
        labels = {"model": model, "suite": "golden", "category": "all"}
        assert told.value("driftwarden_accuracy_ratio", **labels) == accuracy


async def test_the_judge_is_told_by_its_anchors_and_by_people(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with (
        open_nights(database_url, redis_url, tmp_path) as nights,
        open_api(nights.here.settings) as api,
    ):
        await nights.run()
        chosen = await nights.choose()
        judge = {"judge": "judge", "anchors": "golden"}
        before = await scrape(api.client)
        assert before.value("driftwarden_judge_agreement_ratio", **judge) is None

        await nights.change("judge", shift=-0.2)
        run_id = await nights.run()
        await nights.judge(run_id)
        async with api.desk.connection() as connection:
            labelled = await connection.fetch("SELECT id, score FROM anchors WHERE set_id = $1", chosen.id)
        for anchor in labelled:
            label = {"score": 1.0 if anchor["score"] >= 0.5 else 0.0}
            await api.client.post(f"/api/v1/anchors/{anchor['id']}/label", json=label)
        agreement = (await api.client.get("/api/v1/anchors/agreement", params={"suite": "golden"})).json()
        told = Scrape.of((await MeasureBoard().tell(api.desk)).decode())
        moved = [row["score"] - row["frozen"] for row in await nights.judgements(run_id)]

    assert told.value("driftwarden_judge_agreement_ratio", **judge) == agreement["share"] < 1
    assert told.value("driftwarden_judge_kappa_ratio", **judge) == agreement["kappa"]["value"]
    shift = told.value("driftwarden_anchor_shift_ratio", schedule="nightly", judge="judge")
    assert shift == pytest.approx(sum(moved) / len(moved))
    assert shift < 0
