"""Stored answers scored again by another judge: nobody else is asked, and the original stays as it was."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared.db import runs
from shared.db.invariants import count_broken
from shared.db.keys import Scope
from shared.domain.runs import RunId, RunKind, RunState
from shared.queue import enqueue_run_job
from tests.integration.anchoring import Nights, make_judged_suite, open_nights
from tests.integration.serving import Api, open_api
from tests.integration.submitting import refused_fields

COPIED = (
    "response", "finish_reason", "served_model", "system_fingerprint", "request_id", "latency_seconds",
    "input_tokens", "output_tokens", "cost_usd", "attempts", "answered_at", "refused",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Desk:
    """A night that is over, the API to ask, and who was asked since."""

    nights: Nights
    api: Api
    source: RunId

    async def rejudge(
        self, run_id: RunId, headers: dict[str, str] | None = None, **body: Any
    ) -> httpx.Response:
        path = f"/api/v1/runs/{run_id}/rejudge"
        return await self.api.client.post(path, json={"judge": "strict", **body}, headers=headers)

    async def rejudged(self, run_id: RunId, **body: Any) -> RunId:
        """The finished run that scores this one's answers again."""
        response = await self.rejudge(run_id, **body)
        assert response.status_code == 202, response.text
        await self.nights.here.work()
        return RunId(UUID(response.json()["id"]))

    async def rejudge_nights(self, **body: Any) -> list[dict[str, Any]]:
        path = "/api/v1/schedules/nightly/rejudge"
        response = await self.api.client.post(path, json={"judge": "strict", **body})
        assert response.status_code == 202, response.text
        told: list[dict[str, Any]] = response.json()["runs"]
        return told

    async def compare(self, baseline: RunId, candidate: RunId) -> httpx.Response:
        query = {"baseline": str(baseline), "candidate": str(candidate)}
        return await self.api.client.get("/api/v1/compare", params=query)

    async def scored_by(self) -> list[RunId]:
        """The runs whose scores count, entry by entry."""
        async with self.api.desk.connection() as connection:
            rows = await connection.fetch("SELECT scored_by_run FROM sequence_entries ORDER BY sequence")
        return [row["scored_by_run"] for row in rows]

    async def asked(self) -> dict[str, int]:
        return {
            name: await self.nights.here.requests(name) for name in ("bright", "wrong", "judge", "strict")
        }


@pytest.fixture
async def desk(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_nights(database_url, redis_url, tmp_path, max_attempts=1) as nights:
        source = await nights.run()
        await nights.forget_requests()
        async with open_api(nights.here.settings) as api:
            yield Desk(nights, api, source)


async def test_only_the_judge_is_asked_and_the_original_stays_as_it_was(desk: Desk) -> None:
    here = desk.nights.here
    before, run_before = await here.results(desk.source), await here.run(desk.source)
    rerun = await desk.rejudged(desk.source)
    assert await desk.asked() == {"bright": 0, "wrong": 0, "judge": 0, "strict": 40}
    assert await here.results(desk.source) == before
    assert await here.run(desk.source) == run_before

    run = await here.run(rerun)
    assert (run.kind, run.state, run.rejudges) == (RunKind.RERUN, RunState.COMPLETED, desk.source)
    assert (run.judge, run.planned_pairs) == ("strict", 42)
    after = await here.results(rerun)
    assert [[row[name] for name in COPIED] for row in after] == [
        [row[name] for name in COPIED] for row in before
    ]
    for old, new in zip(before, after, strict=True):
        if new["judge_cost_usd"] is None:
            assert (new["score"], new["reason"]) == (old["score"], old["reason"]), "no judge was asked"
        else:
            assert new["score"] in (0.8, 0.4, 0.2, 0.0), "what the strict judge gives"


async def test_a_rerun_has_spent_what_its_judge_cost_and_nothing_else(desk: Desk) -> None:
    rerun = await desk.rejudged(desk.source)
    results = await desk.nights.here.results(rerun)
    judged = sum(row["judge_cost_usd"] or 0 for row in results)
    assert (await desk.nights.here.run(rerun)).spent_usd == judged > 0
    assert sum(row["cost_usd"] or 0 for row in results) > 0, "what the answers cost is still told"
    now = datetime.now(UTC)
    async with desk.api.desk.connection() as connection:
        broken = await count_broken(connection, open_since=now, finished_since=now - timedelta(hours=1))
    assert set(broken.values()) == {0}


async def test_what_no_judge_can_score_is_copied_as_it_is(desk: Desk) -> None:
    faults = {"truncated": 0.2, "empty": 0.2, "server_error": 0.2, "content_filter": 0.1}
    await desk.nights.change("bright", faults=faults)
    await desk.nights.change("judge", formats={"unparsable": 0.7})
    source = await desk.nights.run()
    await desk.nights.forget_requests()
    rerun = await desk.rejudged(source)
    then, now = [
        {(r["model"], r["question"]): r for r in await desk.nights.here.results(run)}
        for run in (source, rerun)
    ]
    kinds = {row["error_kind"] for row in then.values()}
    assert {"truncated", "empty", "unavailable", "judge_unparsable"} <= kinds
    again = 0
    for key, old in then.items():
        if old["error_kind"] in (None, "judge_unparsable"):
            assert now[key]["state"] == "scored"
            again += now[key]["judge_cost_usd"] is not None
        else:
            assert [now[key][name] for name in ("state", "error_kind", "error_detail", "response")] == [
                old[name] for name in ("state", "error_kind", "error_detail", "response")
            ]
    assert await desk.asked() == {"bright": 0, "wrong": 0, "judge": 0, "strict": again}


async def test_a_rerun_is_no_new_measurement_of_the_models(desk: Desk) -> None:
    """Else a judge's second look at an old night would be the newest thing known of a model."""
    rerun = await desk.rejudged(desk.source)

    async def told(path: str, **query: str) -> Any:
        return (await desk.api.client.get(f"/api/v1/{path}", params=query)).json()

    assert {item["run_id"] for item in (await told("models"))["items"]} == {str(desk.source)}
    [history] = (await told("models/history", model="bright"))["items"]
    assert history["run_id"] == str(desk.source)
    assert (await told("stats"))["summary"]["items"] == 42
    assert {item["run_id"] for item in (await told("models", run=str(rerun)))["items"]} == {str(rerun)}


async def test_a_rerun_planned_twice_has_its_pairs_once(desk: Desk) -> None:
    run_id = RunId(UUID((await desk.rejudge(desk.source)).json()["id"]))
    await desk.nights.here.work()
    await enqueue_run_job(desk.nights.here.redis, "plan_run", run_id)
    await desk.nights.here.work()
    assert len(await desk.nights.here.results(run_id)) == 42
    assert (await desk.asked())["strict"] == 40


async def test_two_judges_of_the_same_answers_are_compared_and_named_as_such(desk: Desk) -> None:
    rerun = await desk.rejudged(desk.source)
    told = (await desk.compare(desk.source, rerun)).json()
    assert told["same_answers"] is True
    assert (told["baseline"]["judge"], told["candidate"]["judge"]) == ("judge", "strict")
    assert told["pooled"]["difference"] < 0
    same = (await desk.compare(desk.source, desk.source)).json()
    assert same["same_answers"] is False, "there is one judge only"


async def test_other_answers_by_another_judge_are_still_not_compared(desk: Desk) -> None:
    rerun, other = await desk.rejudged(desk.source), await desk.nights.run()
    assert (await desk.compare(other, rerun)).status_code == 409
    names = {"baseline_model": "wrong", "candidate_model": "bright"}
    query = {"baseline": str(desk.source), "candidate": str(rerun), **names}
    assert (await desk.api.client.get("/api/v1/compare", params=query)).status_code == 409


async def test_answers_that_were_judged_again_have_one_source(desk: Desk) -> None:
    first = await desk.rejudged(desk.source)
    second = await desk.rejudged(first, judge="judge")
    assert (await desk.nights.here.run(second)).rejudges == desk.source
    assert (await desk.compare(first, second)).json()["same_answers"] is True
    assert await desk.scored_by() == [second]


async def test_the_same_request_under_the_same_key_is_accepted_once(desk: Desk) -> None:
    key = {"Idempotency-Key": "once"}
    first, second = await desk.rejudge(desk.source, key), await desk.rejudge(desk.source, key)
    assert first.json()["id"] == second.json()["id"]
    assert first.headers["Location"] == f"/api/v1/runs/{first.json()['id']}"
    assert first.json()["rejudges"] == str(desk.source)
    assert (await desk.rejudge(desk.source, key, judge="judge")).status_code == 409


async def test_what_cannot_be_judged_again_is_refused_with_the_reason(desk: Desk) -> None:
    assert (await desk.rejudge(RunId(uuid4()))).status_code == 404
    still_open = await desk.nights.open()
    refused = await desk.rejudge(still_open)
    assert refused.status_code == 409
    assert "submitted" in refused.json()["detail"]
    assert refused_fields(await desk.rejudge(desk.source, judge="nobody")) == ["judge"]
    assert refused_fields(await desk.rejudge(desk.source, judge="bright")) == ["judge"]
    assert refused_fields(await desk.rejudge(desk.source, who="me")) == ["who"]
    assert (await desk.rejudge(desk.source, await desk.api.key(Scope.READ))).status_code == 403
    assert (await desk.rejudge(desk.source, judge="bright", allow_self_judging=True)).status_code == 202


async def test_a_run_without_a_judge_has_nothing_to_judge_again(desk: Desk) -> None:
    content = make_judged_suite(0)
    run_id = await desk.nights.here.submit(content, "bright")
    await desk.nights.here.work()
    refused = await desk.rejudge(run_id)
    assert refused.status_code == 409
    assert "asks a judge" in refused.json()["detail"]


async def test_a_model_that_is_gone_is_judged_again_all_the_same(desk: Desk) -> None:
    async with desk.api.desk.connection() as connection:
        run_id = await desk.nights.open(models=["retired"])
        await desk.nights.plan(run_id)
        await connection.execute(
            "UPDATE pairs SET state = 'scored', response = 'The sum is 2.', score = 1, passed = true,"
            " answered_at = now(), closed_at = now() WHERE run_id = $1",
            run_id,
        )
        await runs.close_run(connection, run_id)
    rerun = await desk.rejudged(run_id)
    assert {row["state"] for row in await desk.nights.here.results(rerun)} == {"scored"}


async def test_a_schedules_last_nights_count_as_scored_by_the_new_judge(desk: Desk) -> None:
    nights = [desk.source, await desk.nights.run(), await desk.nights.run()]
    assert await desk.scored_by() == nights
    accepted = await desk.rejudge_nights(nights=2)
    assert [run["rejudges"] for run in accepted] == [str(run_id) for run_id in nights[1:]]
    assert await desk.rejudge_nights(nights=2) == accepted, "they are at work already"
    assert await desk.scored_by() == nights, "an open rerun says nothing yet"
    await desk.nights.here.work()
    assert await desk.scored_by() == [nights[0], *(UUID(run["id"]) for run in accepted)]
    assert await desk.rejudge_nights(nights=2) == []
    [oldest] = await desk.rejudge_nights()
    assert oldest["rejudges"] == str(nights[0])


async def test_nights_go_back_to_their_first_judge_when_it_is_asked(desk: Desk) -> None:
    await desk.rejudged(desk.source)
    [back] = await desk.rejudge_nights(judge="judge")
    await desk.nights.here.work()
    assert await desk.scored_by() == [UUID(back["id"])]


async def test_who_had_what_judged_again_is_on_record(desk: Desk) -> None:
    run_id = (await desk.rejudge(desk.source)).json()["id"]
    await desk.rejudge_nights()
    async with desk.api.desk.connection() as connection:
        rows = await connection.fetch("SELECT actor, act, subject, facts FROM audit_log ORDER BY id")
    assert [(row["actor"], row["act"], row["subject"]) for row in rows] == [
        ("a admin key", "run.rejudged", str(desk.source)),
        ("a admin key", "schedule.rejudged", "nightly"),
    ]
    assert rows[0]["facts"]["rerun"] == run_id


async def test_a_schedule_that_is_not_there_is_not_found(desk: Desk) -> None:
    response = await desk.api.client.post("/api/v1/schedules/weekly/rejudge", json={"judge": "strict"})
    assert response.status_code == 404
