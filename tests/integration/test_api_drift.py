"""The watch over REST: where everything stands now, and how it came to that."""

from typing import Any

import pytest

from shared.db import schedules
from shared.domain.runs import RunId
from tests.integration.serving import Api
from tests.integration.submitting import refused_fields
from tests.integration.watched_api import V1, begin_watch, dropping, get
from tests.integration.watching import Past, Story


@pytest.fixture
async def past(api: Api) -> Past:
    return await begin_watch(api)


async def history(api: Api, model: str = "dim", **query: Any) -> list[dict[str, Any]]:
    """Oldest entry first."""
    page = await get(api, "drift/history", schedule="nightly", model=model, **query)
    items: list[dict[str, Any]] = page["items"]
    return items[::-1]


async def test_what_is_steady_and_what_moved_stand_side_by_side(api: Api, past: Past) -> None:
    await past.live(14, dropping("dim", 11, 0.5))
    shown = await get(api, "drift")
    bright, dim = shown["items"]
    assert (shown["nights_per_false_alarm"], shown["watched_models"]) == (365, 3)
    assert (bright["state"], bright["incident_id"], bright["last_night"]) == ("ok", None, "2026-01-14")
    assert bright["told"].startswith("No change was found. One night alone shows a drop of ")
    assert bright["accuracy"]["lower"] < bright["accuracy"]["value"] < bright["accuracy"]["upper"]
    assert (bright["accuracy"]["n"], 0 < bright["evidence_ratio"] < 1) == (120, True)
    assert (dim["state"], dim["since_night"]) == ("alert", "2026-01-11")
    assert dim["evidence_ratio"] > 1, "the alarm's, not what is left of it"
    assert dim["leading_stream"] == "accuracy"
    assert dim["told"].startswith("dim: accuracy fell by ")
    incident = await get(api, f"incidents/{dim['incident_id']}")
    assert incident["headline"] == dim["told"]


async def test_before_anything_varies_no_claim_is_made(api: Api, past: Past) -> None:
    assert (await get(api, "drift"))["items"] == []
    await past.live(1)
    [bright, _] = (await get(api, "drift"))["items"]
    assert bright["told"] == "Nothing has varied from night to night so far, so there is no change to tell."


async def test_what_was_not_measured_has_no_accuracy(api: Api, past: Past) -> None:
    await past.live(3, dropping("dim", 3, None))
    [_, dim] = (await get(api, "drift"))["items"]
    assert (dim["state"], dim["accuracy"]) == ("no_data", None)
    assert dim["told"].startswith("Not measured on 2026-01-03. dim ")
    entry = (await history(api))[-1]
    assert (entry["accuracy"], entry["coverage"], entry["outcome"]) == (None, 0.0, "set_aside")
    assert (entry["z_low"], entry["z_high"]) == (None, None)


async def test_the_state_can_be_asked_for_by_schedule_model_and_stream(api: Api, past: Past) -> None:
    await past.live(8)
    [one] = (await get(api, "drift", schedule="nightly", model="dim", stream="category:cat-1"))["items"]
    assert (one["model"], one["leading_stream"], one["accuracy"]["n"]) == ("dim", "category:cat-1", 30)
    assert (await get(api, "drift", schedule="other"))["items"] == []
    assert (await get(api, "drift", stream="anchors"))["items"] == []


async def test_a_paused_schedule_says_so(api: Api, past: Past) -> None:
    await past.live(2)
    async with past.pool.acquire() as connection:
        await schedules.pause_schedule(connection, past.schedule.id)
    [bright, _] = (await get(api, "drift"))["items"]
    assert (bright["state"], bright["told"]) == ("paused", "The schedule is paused: nothing is measured.")


async def test_a_model_that_is_asked_no_more_is_not_shown_as_steady(api: Api, past: Past) -> None:
    await past.live(2)
    past.models = ["bright"]
    await past.live(1)
    assert [one["model"] for one in (await get(api, "drift"))["items"]] == ["bright"]


async def test_history_tells_each_entry_in_order(api: Api, past: Past) -> None:
    await past.live(12, dropping("dim", 11, 0.5))
    entries = await history(api)
    assert [entry["night"] for entry in entries] == [f"2026-01-{day:02}" for day in range(1, 13)]
    alarm = entries[10]
    incident = (await get(api, "incidents"))["items"][0]
    assert (alarm["outcome"], alarm["incident_id"]) == ("alarm", incident["id"])
    assert alarm["evidence_worse"] > 1 > alarm["watch_from"]
    assert alarm["threshold"] == pytest.approx(365 * 2 / (0.6 * 0.2))
    assert alarm["z_low"] < alarm["z_high"]
    assert alarm["told"] == "Alarm: accuracy became worse, probably since 2026-01-11."
    assert alarm["accuracy"]["value"] < 0.65
    assert {entry["series"] for entry in entries} == {1}
    assert len({entry["epoch"] for entry in entries}) == 1


async def test_an_improvement_is_told(api: Api, past: Past) -> None:
    await past.live(14, dropping("dim", 11, 1.0))
    told = [entry for entry in await history(api) if entry["outcome"] == "improved"]
    assert told
    assert "accuracy became better, probably since 2026-01-1" in told[0]["told"]
    assert (await get(api, "incidents"))["items"] == []


async def test_a_change_of_ours_is_told_where_it_happened_and_begins_another_series(
    api: Api, past: Past
) -> None:
    await past.live(3)
    past.parameters = {"temperature": 1}
    await past.live(1)
    past.parameters = {"temperature": 0}
    await past.live(1)
    entries = await history(api)
    assert [entry["series"] for entry in entries] == [1, 1, 1, 2, 3]
    assert entries[2]["changes"] == []
    assert entries[3]["changes"] == ["You changed the parameters: temperature 0 -> 1."]
    assert entries[4]["changes"] == ["You changed the parameters: temperature 1 -> 0."]
    assert entries[4]["epoch"] == entries[0]["epoch"] != entries[3]["epoch"], "back, but not the same series"
    assert len(entries[0]["epoch"]) == 8


async def test_a_change_of_identity_is_told_where_it_was_seen(api: Api, past: Past) -> None:
    story = Story(served_model=lambda model, night: "v2" if night >= 3 else "v1")
    await past.live(4, story)
    told = [entry["identity_changes"] for entry in await history(api)]
    assert told == [[], [], ["The provider changed the model it serves: v1 -> v2."], []]


async def test_history_comes_in_pages(api: Api, past: Past) -> None:
    await past.live(5)
    nights, cursor = [], None
    for _ in range(3):
        page = await get(
            api,
            "drift/history",
            schedule="nightly",
            model="dim",
            limit=2,
            **({"cursor": cursor} if cursor else {}),
        )
        nights += [item["night"][-2:] for item in page["items"]]
        cursor = page["next_cursor"]
    assert (nights, cursor) == (["05", "04", "03", "02", "01"], None)
    assert (page["schedule"], page["subject"], page["stream"]) == ("nightly", "model", "accuracy")


async def test_an_entry_that_was_not_seen_yet_is_there_without_a_verdict(api: Api, past: Past) -> None:
    await past.live(2)
    await past.measure()
    entry = (await history(api))[-1]
    assert (entry["outcome"], entry["told"]) == (None, "The watch has not seen this entry yet.")
    assert entry["accuracy"]["n"] == 120


async def test_what_is_not_known_is_refused_by_name(api: Api, past: Past) -> None:
    await past.live(2)
    path = f"{V1}/drift/history"
    unknown = await api.client.get(path, params={"schedule": "other", "model": "dim"})
    stranger = await api.client.get(path, params={"schedule": "nightly", "model": "dimm"})
    stream = await api.client.get(
        path, params={"schedule": "nightly", "model": "dim", "stream": "category:x"}
    )
    cursor = await api.client.get(path, params={"schedule": "nightly", "model": "dim", "cursor": "bm8"})
    missing = await api.client.get(path, params={"schedule": "nightly"})
    assert (unknown.status_code, stranger.status_code) == (404, 404)
    assert stranger.json()["detail"] == "No night of 'nightly' asked 'dimm'. Asked so far: bright, dim."
    assert refused_fields(stream) == ["stream"]
    assert "category:cat-0" in stream.json()["errors"][0]["remedy"]
    assert refused_fields(cursor) == ["cursor"]
    assert refused_fields(missing) == ["model"]


async def test_runs_are_found_by_the_beginning_of_their_id(api: Api, past: Past) -> None:
    runs: list[RunId] = [await past.measure() for _ in range(3)]
    found = await get(api, "runs", id_prefix=str(runs[1])[:13].upper())
    short = await api.client.get(f"{V1}/runs", params={"id_prefix": "a-b-"})
    assert [run["id"] for run in found["items"]] == [str(runs[1])]
    assert refused_fields(short) == ["id_prefix"]
    assert refused_fields(await api.client.get(f"{V1}/runs", params={"id_prefix": "zzzz"})) == ["id_prefix"]
