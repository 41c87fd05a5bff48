"""What people do about incidents: seen, closed once, and the past computed anew where they say so."""

import asyncio
from uuid import uuid4

import pytest

from shared.db import schedules
from shared.db.keys import Scope
from shared.db.pool import Pool
from tests.integration.serving import Api
from tests.integration.submitting import refused_fields
from tests.integration.watched_api import (
    audited,
    begin_watch,
    dropping,
    get,
    is_fold_of_results_and_acts,
    only_incident,
    post,
)
from tests.integration.watching import Past, Story


@pytest.fixture
async def past(api: Api) -> Past:
    return await begin_watch(api)


async def state_of(api: Api, model: str = "dim") -> str:
    [standing] = (await get(api, "drift", model=model))["items"]
    state: str = standing["state"]
    return state


async def test_an_incident_tells_its_whole_story(api: Api, past: Past) -> None:
    await past.live(14, dropping("dim", 11, 0.5))
    incident = await only_incident(api)
    found = incident["findings"]
    assert (incident["status"], incident["severity"], incident["cause"]) == ("open", "critical", "model")
    assert (found["since"], found["night"], found["watched_models"]) == ("2026-01-11", "2026-01-11", 2)
    assert found["size"]["lower"] < found["size"]["value"] < found["size"]["upper"] < 0
    assert {where["category"] for where in found["categories"]} <= {f"cat-{n}" for n in range(4)}
    flipped = found["answers"][0]
    assert (flipped["before"]["response"], flipped["after"]["response"]) == ("right", "wrong")
    assert flipped["after"]["reason"] == "not as expected"
    assert incident["events"][0]["kind"] == "opened"
    assert incident["acts"] == ["acknowledge", "resolve", "dismiss", "accept-baseline"]


async def test_incidents_are_listed_newest_first_and_filtered(api: Api, past: Past) -> None:
    both = Story(lambda model, night: 0.4 if night >= {"dim": 8, "bright": 9}[model] else 0.8)
    await past.live(10, both)
    first = await get(api, "incidents", limit=1)
    second = await get(api, "incidents", limit=1, cursor=first["next_cursor"])
    [bright], [dim] = first["items"], second["items"]
    assert [bright["model"], dim["model"]] == ["bright", "dim"]
    assert second["next_cursor"] is None
    assert (await get(api, "incidents", model="dim", status="open"))["items"] == [dim]
    assert (await get(api, "incidents", status="closed"))["items"] == []
    assert (await get(api, "incidents", schedule="other"))["items"] == []
    assert (await get(api, "incidents", id_prefix=dim["id"][:8]))["items"] == [dim]


async def test_acknowledging_twice_is_one_act(api: Api, past: Past) -> None:
    await past.live(8, dropping("dim", 8, 0.2))
    incident = await only_incident(api)
    path = f"incidents/{incident['id']}/acknowledge"
    first = await post(api, path, {"note": "I look into it."})
    second = await post(api, path)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["status"] == second.json()["status"] == "acknowledged"
    assert second.json()["acts"] == ["resolve", "dismiss", "accept-baseline"]
    seen = [event for event in second.json()["events"] if event["kind"] == "acknowledged"]
    assert [(event["by"], event["note"]) for event in seen] == [("a admin key", "I look into it.")]
    assert await audited(api) == [("a admin key", "incident.acknowledged", incident["id"])]
    assert await state_of(api) == "alert"


@pytest.mark.parametrize(
    ("act", "resolution", "how"),
    [
        ("resolve", "resolved", "a admin key resolved it on "),
        ("dismiss", "dismissed", "a admin key dismissed it as a false alarm on "),
        ("accept-baseline", "baseline_accepted", "a admin key accepted a new baseline on "),
    ],
)
async def test_an_incident_is_closed_once(api: Api, past: Past, act: str, resolution: str, how: str) -> None:
    await past.live(12, dropping("dim", 11, 0.5))
    incident = await only_incident(api)
    closed = await post(api, f"incidents/{incident['id']}/{act}", {"note": "A known change."})
    assert closed.status_code == 200, closed.text
    assert (closed.json()["status"], closed.json()["resolution"]) == ("closed", resolution)
    assert (closed.json()["acts"], closed.json()["events"][-1]["kind"]) == ([], resolution)
    assert await state_of(api) == "ok"
    for again in ("acknowledge", "resolve", "dismiss", "accept-baseline"):
        refused = await post(api, f"incidents/{incident['id']}/{again}")
        assert refused.status_code == 409
        assert how in refused.json()["detail"]
        assert refused.json()["detail"].endswith("Note: A known change.")
    assert [act for _, act, _ in await audited(api)] == [f"incident.{resolution}"]
    assert await is_fold_of_results_and_acts(past)


async def test_an_accepted_baseline_begins_the_model_anew_with_the_night_of_the_change(
    api: Api, past: Past
) -> None:
    await past.live(14, dropping("dim", 11, 0.5))
    incident = await only_incident(api)
    before = await get(api, "drift/history", schedule="nightly", model="bright")
    await post(api, f"incidents/{incident['id']}/accept-baseline", {"note": "We chose the smaller one."})
    entries = (await get(api, "drift/history", schedule="nightly", model="dim"))["items"][::-1]
    assert [entry["series"] for entry in entries] == [1] * 10 + [2] * 4
    assert entries[10]["outcome"] != "alarm", "the drop is the new normal"
    assert entries[10]["baseline_accepted"]["note"] == "We chose the smaller one."
    assert await get(api, "drift/history", schedule="nightly", model="bright") == before
    assert await is_fold_of_results_and_acts(past)
    await past.live(6, dropping("dim", 11, 0.5))
    assert len((await get(api, "incidents"))["items"]) == 1, "nothing new moved"
    assert await is_fold_of_results_and_acts(past)


async def test_another_night_can_begin_the_new_baseline(api: Api, past: Past) -> None:
    await past.live(14, dropping("dim", 11, 0.5))
    path = f"incidents/{(await only_incident(api))['id']}/accept-baseline"
    unknown = await post(api, path, {"night": "2025-01-01"})
    done = await post(api, path, {"night": "2026-01-13"})
    assert refused_fields(unknown) == ["night"]
    assert done.json()["events"][-1]["facts"]["night"] == "2026-01-13"
    entries = (await get(api, "drift/history", schedule="nightly", model="dim"))["items"][::-1]
    assert [entry["series"] for entry in entries] == [1] * 12 + [2] * 2
    assert await is_fold_of_results_and_acts(past)


async def test_an_entry_that_the_watch_has_not_seen_waits_for_it(api: Api, past: Past) -> None:
    await past.live(12, dropping("dim", 11, 0.5))
    await past.measure(dropping("dim", 11, 0.5))
    done = await post(api, f"incidents/{(await only_incident(api))['id']}/accept-baseline")
    assert done.status_code == 200, done.text
    newest = (await get(api, "drift/history", schedule="nightly", model="dim"))["items"][0]
    assert newest["outcome"] is None, "the scheduler's to see"
    assert await past.watch() == 1
    assert await is_fold_of_results_and_acts(past)


async def test_of_two_who_act_at_once_the_second_is_told_what_the_first_did(api: Api, past: Past) -> None:
    await past.live(12, dropping("dim", 11, 0.5))
    path = f"incidents/{(await only_incident(api))['id']}"
    async with past.pool.acquire() as connection, asyncio.TaskGroup() as people, connection.transaction():
        await schedules.lock_schedule(connection, past.schedule.id)  # as the scheduler does
        acting = [people.create_task(post(api, f"{path}/{act}")) for act in ("resolve", "accept-baseline")]
        await _wait_until_blocked(past.pool, len(acting))
    answers = [act.result() for act in acting]
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    incident = await only_incident(api)
    ends = [
        event["kind"] for event in incident["events"] if event["kind"] in ("resolved", "baseline_accepted")
    ]
    assert ends == [incident["resolution"]]
    assert await is_fold_of_results_and_acts(past)


async def _wait_until_blocked(pool: Pool, many: int) -> None:
    """Return once so many connections wait for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    waiting += " AND wait_event_type = $1"
    async with asyncio.timeout(20), pool.acquire() as connection:
        while await connection.fetchval(waiting, "Lock") != many:
            await connection.execute("SELECT pg_sleep(0.01)")


async def test_acting_while_the_watch_looks_leaves_the_fold_of_results_and_acts(api: Api, past: Past) -> None:
    await past.live(12, dropping("dim", 11, 0.5))
    path = f"incidents/{(await only_incident(api))['id']}/accept-baseline"
    for _ in range(3):
        await past.measure(dropping("dim", 11, 0.5))
    seen, done = await asyncio.gather(past.watch(), post(api, path))
    assert (seen, done.status_code) == (3, 200)
    assert await is_fold_of_results_and_acts(past)
    assert (await only_incident(api))["resolution"] == "baseline_accepted"


async def test_missing_data_are_no_baseline(api: Api, past: Past) -> None:
    await past.live(8)
    async with past.pool.acquire() as connection:
        await past.live(1, dropping("dim", 9, 0.1))
        await connection.execute(
            "UPDATE incidents SET findings = jsonb_set(findings, '{stream}', '\"coverage\"')"
        )
    incident = await only_incident(api)
    refused = await post(api, f"incidents/{incident['id']}/accept-baseline")
    assert incident["acts"] == ["acknowledge", "resolve", "dismiss"]
    assert (refused.status_code, refused.json()["title"]) == (409, "No new baseline")


async def test_acts_need_a_key_that_may_and_an_incident_that_exists(api: Api, past: Past) -> None:
    await past.live(8, dropping("dim", 8, 0.2))
    path = f"incidents/{(await only_incident(api))['id']}/resolve"
    reader = await api.key(Scope.READ)
    assert (await post(api, path, headers=reader)).status_code == 403
    assert (await post(api, f"incidents/{uuid4()}/resolve")).status_code == 404
    assert refused_fields(await post(api, path, {"night": "2026-01-01"})) == ["night"]
    assert refused_fields(await post(api, path, {"note": "x" * 1001})) == ["note"]
    assert (await only_incident(api))["status"] == "open"
    assert (await post(api, path, headers=await api.key(Scope.SUBMIT))).status_code == 200


async def test_a_night_is_set_aside_by_hand(api: Api, past: Past) -> None:
    await past.live(12, dropping("dim", 11, 0.6, until=12))
    path = "schedules/nightly/nights/2026-01-11/quarantine"
    body = {"model": "dim", "note": "Our proxy was down."}
    first, second = await post(api, path, body), await post(api, path, {**body, "note": "Again."})
    assert first.status_code == 200, first.text
    assert first.json() == second.json(), "who did it first, and why"
    assert (first.json()["by"], first.json()["note"]) == ("a admin key", "Our proxy was down.")
    assert [act for _, act, _ in await audited(api)] == ["night.quarantined"]
    entry = (await get(api, "drift/history", schedule="nightly", model="dim"))["items"][1]
    assert (entry["outcome"], entry["quarantined"]["by"]) == ("set_aside", "a admin key")
    assert entry["told"] == "Set aside by a admin key. Our proxy was down."
    assert await is_fold_of_results_and_acts(past)
    await past.live(2)
    assert await is_fold_of_results_and_acts(past)


async def test_a_night_that_was_set_aside_counts_again(api: Api, past: Past) -> None:
    await past.live(12, dropping("dim", 11, 0.6, until=12))
    before = await get(api, "drift/history", schedule="nightly", model="dim")
    path = "schedules/nightly/nights/2026-01-11/quarantine"
    await post(api, path, {"model": "dim"})
    for _ in range(2):  # a second time changes nothing
        undone = await api.client.delete(f"/api/v1/{path}", params={"model": "dim"})
        assert undone.status_code == 204, undone.text
    assert await get(api, "drift/history", schedule="nightly", model="dim") == before
    assert [act for _, act, _ in await audited(api)] == ["night.quarantined", "night.admitted"]
    assert await is_fold_of_results_and_acts(past)


async def test_only_what_was_measured_can_be_set_aside(api: Api, past: Past) -> None:
    await past.live(2)
    path = "schedules/nightly/nights/{}/quarantine"
    late = await post(api, path.format("2026-01-09"), {"model": "dim"})
    confirmation = await post(api, path.format("2026-01-02"), {"model": "dim", "attempt": 1})
    stranger = await post(api, path.format("2026-01-02"), {"model": "other"})
    control = await post(api, path.format("2026-01-02"), {"model": "echo"})
    unknown = await post(api, "schedules/other/nights/2026-01-02/quarantine", {"model": "dim"})
    assert [late.status_code, confirmation.status_code, unknown.status_code] == [409, 409, 404]
    assert "Confirmation 1 of 2026-01-02 has no completed run" in confirmation.json()["detail"]
    assert refused_fields(stranger) == refused_fields(control) == ["model"]
    assert stranger.json()["errors"][0]["remedy"] == "Asked then: bright, dim."
    assert await audited(api) == []


async def test_a_night_can_be_set_aside_before_the_watch_has_seen_it(api: Api, past: Past) -> None:
    await past.live(10)
    await past.measure(dropping("dim", 11, 0.2))
    done = await post(api, "schedules/nightly/nights/2026-01-11/quarantine", {"model": "dim"})
    await past.watch()
    assert done.status_code == 200, done.text
    assert (await get(api, "incidents"))["items"] == []
    assert await is_fold_of_results_and_acts(past)


async def test_a_decision_holds_where_models_were_asked_different_questions(api: Api, past: Past) -> None:
    """A suite that has changed while only some models were asked."""
    past.models = ["bright"]
    await past.live(2)
    await begin_watch(api, questions=90, categories=3)
    past.models = ["bright", "dim"]
    await past.live(3)
    done = await post(api, "schedules/nightly/nights/2026-01-04/quarantine", {"model": "dim"})
    assert done.status_code == 200, done.text
    assert await is_fold_of_results_and_acts(past)
    await past.live(1)
    assert await is_fold_of_results_and_acts(past)


async def test_a_baseline_is_pinned_and_pinned_again(api: Api, past: Past) -> None:
    await past.live(20)
    body = {"schedule": "nightly", "model": "dim", "first_night": "2026-01-03", "last_night": "2026-01-12"}
    first = await post(api, "baselines", body)
    again = await post(api, "baselines", {**body, "first_night": "2026-01-05"})
    listed = (await get(api, "baselines", schedule="nightly"))["items"]
    assert first.status_code == 200, first.text
    assert (first.json()["first_night"], first.json()["by"]) == ("2026-01-03", "a admin key")
    assert listed == [again.json()]
    assert (await get(api, "baselines", model="bright"))["items"] == []
    assert [act for _, act, _ in await audited(api)] == ["baseline.pinned"] * 2
    assert await is_fold_of_results_and_acts(past)
    await past.live(15)
    assert await is_fold_of_results_and_acts(past)


async def test_a_baseline_must_be_measured_and_comparable(api: Api, past: Past) -> None:
    body = {"schedule": "nightly", "model": "dim", "first_night": "2026-01-01", "last_night": "2026-01-07"}
    early = await post(api, "baselines", body)
    await past.live(8)
    backwards = await post(api, "baselines", {**body, "last_night": "2025-12-01"})
    short = await post(api, "baselines", {**body, "last_night": "2026-01-06"})
    unknown = await post(api, "baselines", {**body, "schedule": "other"})
    past.parameters = {"temperature": 1}
    await past.live(2)
    other_epoch = await post(api, "baselines", body)
    assert [refused_fields(one) for one in (early, backwards, short, unknown, other_epoch)] == [
        ["schedule"], ["last_night"], ["first_night"], ["schedule"], ["first_night"],
    ]  # fmt: skip
    assert "only 6 entries" in short.json()["detail"]
    assert "a new series began on 2026-01-09" in other_epoch.json()["detail"]
    assert (await get(api, "baselines"))["items"] == []
