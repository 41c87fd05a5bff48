"""Submitting runs: checked in full, accepted once, whatever the queue is up to."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from shared.domain.questions.suites import Scorer
from tests.integration.serving import MODELS, Api, make_settings, open_api
from tests.integration.submitting import RUNS, count_runs, queued, refused_fields, store_suite, submit

JUDGED = Scorer("llm-rubric")


async def test_a_submitted_run_is_stored_and_its_planning_queued(api: Api) -> None:
    await store_suite(api)
    response = await submit(
        api,
        models=["bright", "openai/gpt-4o-mini"],
        repeats=3,
        sample=2,
        max_cost_usd=2.5,
        labels={"branch": "main"},
        git_commit="0123abc",
        kind="gate",
    )
    assert response.status_code == 202
    run = response.json()
    assert response.headers["location"] == f"{RUNS}/{run['id']}"
    assert await queued(api, "plan_run", run["id"])
    shown = (await api.client.get(response.headers["location"])).json()
    assert shown == {**run, "progress": [], "aggregates": None}
    told = (
        "state",
        "kind",
        "suite",
        "suite_version",
        "models",
        "repeats",
        "sample",
        "max_cost_usd",
        "labels",
    )
    assert [run[field] for field in told] == [
        *("submitted", "gate", "golden", 1, ["bright", "openai/gpt-4o-mini"], 3, 2, 2.5),
        {"branch": "main"},
    ]
    assert run["parameters"] == {"temperature": 0, "max_tokens": api.desk.settings.max_output_tokens}
    assert set(run["client_versions"]) == {"driftwarden", "litellm"}


async def test_without_models_the_whole_catalogue_runs_but_judge_and_controls(api: Api) -> None:
    await store_suite(api)
    assert (await submit(api)).json()["models"] == ["bright", "dim", "also-bright"]


async def test_a_run_beyond_what_may_be_open_is_told_to_come_back(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    settings = make_settings(database_url, redis_url, tmp_path, max_open_pairs=20)
    async with open_api(settings) as api:
        await store_suite(api)
        assert (await submit(api, models=["bright"], repeats=4)).status_code == 202
        refused = await submit(api, models=["bright"], repeats=4)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
        assert "pairs are in runs that are not finished, and 20 may be" in refused.json()["detail"]
        assert await count_runs(api) == 1
        async with api.desk.connection() as connection:
            await connection.execute("UPDATE runs SET state = 'cancelled', finished_at = now()")
        assert (await submit(api, models=["bright"], repeats=4)).status_code == 202


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"suite": "unknown"}, "suite"),
        ({"suite_version": 9}, "suite_version"),
        ({"models": ["bright", "nobody"]}, "models[1]"),
        ({"models": ["bright", "dim", "bright"]}, "models[2]"),
        ({"models": []}, "models"),
        ({"models": ["bright\u0000"]}, "models[0]"),
        ({"judge": "nobody"}, "judge"),
        ({"repeats": 0}, "repeats"),
        ({"repeats": "3"}, "repeats"),
        ({"repeats": True}, "repeats"),
        ({"repeats": 10**40}, "repeats"),
        ({"suite_version": 2**31}, "suite_version"),
        ({"sample": 0}, "sample"),
        ({"max_cost_usd": 0}, "max_cost_usd"),
        ({"max_cost_usd": "2"}, "max_cost_usd"),
        ({"labels": {"a": 1}}, "labels.a"),
        ({"labels": {"a": "\u0000"}}, "labels.a"),
        ({"git_commit": "main"}, "git_commit"),
        ({"kind": "nightly"}, "kind"),
        ({"allow_self_judging": "yes"}, "allow_self_judging"),
        ({"model": "bright"}, "model"),
    ],
)
async def test_what_is_wrong_is_refused_by_its_field(api: Api, changed: dict[str, Any], field: str) -> None:
    await store_suite(api)
    assert refused_fields(await submit(api, **changed)) == [field]
    assert await count_runs(api) == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"[]", "body"),
        (b"\xff", "body"),
        (b"[" * 100_000, "body"),
        (b'{"suite": "golden", "repeats": NaN}', "repeats"),
        (b'{"suite": "golden", "max_cost_usd": Infinity}', "max_cost_usd"),
        (b'{"suite": "golden", "repeats": ' + b"9" * 5000 + b"}", "body"),
        (b'{"suite": "golden", "labels": {"a": "\\ud800"}}', "labels.a"),
        (b'{"suite": "golden", "\\ud800": 1}', "body"),
        (b"{}", "suite"),
    ],
)
async def test_a_body_that_is_no_request_is_refused(api: Api, body: bytes, field: str) -> None:
    headers = {"Content-Type": "application/json"}
    assert refused_fields(await api.client.post(RUNS, content=body, headers=headers)) == [field]


async def test_a_body_without_its_type_is_refused_with_the_remedy(api: Api) -> None:
    response = await api.client.post(RUNS, content=b'{"suite": "golden"}')
    assert refused_fields(response) == ["body"]
    assert "application/json" in response.json()["errors"][0]["remedy"]


async def test_a_run_too_large_to_plan_is_refused(api: Api) -> None:
    await store_suite(api, size=60)
    response = await submit(api, models=[f"openai/m-{number}" for number in range(200)], repeats=100)
    assert refused_fields(response) == ["repeats"]


async def test_imported_questions_without_their_input_cannot_be_run(api: Api) -> None:
    await store_suite(api, input="")
    assert refused_fields(await submit(api)) == ["suite"]


async def test_judged_questions_get_the_default_judge(api: Api) -> None:
    await store_suite(api, scorer=JUDGED)
    run = (await submit(api)).json()
    assert (run["judge"], run["judge_version"]) == ("sim-judge", 1)
    assert (await submit(api)).json()["judge_version"] == 1


async def test_a_deterministic_suite_asks_no_judge(api: Api) -> None:
    await store_suite(api)
    assert (await submit(api, judge="openai/gpt-4o")).json()["judge"] is None


async def test_a_stored_judge_is_taken_by_its_name(api: Api) -> None:
    await store_suite(api, scorer=JUDGED)
    for prompt in ("Be strict.", "Be stricter."):
        body = {"name": "strict", "model": "openai/gpt-4o", "prompt": prompt}
        assert (await api.client.post("/api/v1/judges", json=body)).status_code == 201
    run = (await submit(api, judge="strict")).json()
    assert (run["judge"], run["judge_version"]) == ("strict", 2)


@pytest.mark.parametrize(("model", "judge"), [("bright", "bright"), ("bright", "also-bright")])
async def test_a_judge_does_not_judge_itself_unless_asked_to(api: Api, model: str, judge: str) -> None:
    await store_suite(api, scorer=JUDGED)
    assert refused_fields(await submit(api, models=[model], judge=judge)) == ["judge"]
    run = await submit(api, models=[model], judge=judge, allow_self_judging=True)
    assert run.json()["judge"] == judge


async def test_without_any_judge_judged_questions_are_refused(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "models.yaml").write_text(MODELS)
    async with open_api(make_settings(database_url, redis_url, tmp_path)) as api:
        await store_suite(api, scorer=JUDGED)
        assert refused_fields(await submit(api)) == ["judge"]


async def test_the_same_request_under_one_key_is_one_run(api: Api) -> None:
    await store_suite(api)
    key = {"Idempotency-Key": "night-1"}
    first = await submit(api, key, models=["bright"])
    again = await submit(api, key, models=["bright"], repeats=1)
    assert (again.status_code, again.json()) == (202, first.json())
    other = await submit(api, key, models=["dim"])
    assert (other.status_code, other.json()["type"]) == (
        409,
        "urn:driftwarden:problem:idempotency-key-reused",
    )
    assert await count_runs(api) == 1


async def test_a_repeated_request_finds_its_run_even_when_it_could_not_be_made_today(api: Api) -> None:
    await store_suite(api)
    first = await submit(api, {"Idempotency-Key": "k"}, models=["bright"])
    async with api.desk.connection() as connection:
        await connection.execute("UPDATE suite_versions SET is_runnable = false")
    again = await submit(api, {"Idempotency-Key": "k"}, models=["bright"])
    assert again.json()["id"] == first.json()["id"]


async def test_concurrent_twins_are_one_run(api: Api) -> None:
    await store_suite(api)
    key = {"Idempotency-Key": "twins"}
    twins = await asyncio.gather(*(submit(api, key) for _ in range(20)))
    assert {(twin.status_code, twin.json()["id"]) for twin in twins} == {(202, twins[0].json()["id"])}
    assert await count_runs(api) == 1


@pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 201])
async def test_an_idempotency_key_has_a_form(api: Api, key: str) -> None:
    await store_suite(api)
    assert refused_fields(await submit(api, {"Idempotency-Key": key.encode()})) == ["Idempotency-Key"]  # type: ignore[dict-item]


async def test_a_run_is_accepted_while_redis_is_away(database_url: str, tmp_path: Path) -> None:
    away = f"unix://{tmp_path}/nobody-listens"
    async with open_api(make_settings(database_url, away, tmp_path)) as api:
        await store_suite(api)
        assert (await submit(api)).status_code == 202
        assert await count_runs(api) == 1
