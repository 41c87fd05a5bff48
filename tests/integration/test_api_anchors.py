"""Anchors over REST: chosen from stored answers, listed, labelled by people, compared with the judge."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.db import suites
from shared.db.keys import Scope
from shared.domain.answers.judging import Judge
from tests.integration.anchoring import Nights, make_judged_suite, open_nights
from tests.integration.pipeline import JUDGE
from tests.integration.serving import Api, open_api
from tests.integration.submitting import refused_fields, store_suite

ANCHORS = "/api/v1/anchors"
CHOSEN = {"suite": "golden", "borderline": 12, "clear": 12}


@pytest.fixture
async def nights(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Nights]:
    async with open_nights(database_url, redis_url, tmp_path) as nights:
        yield nights


@pytest.fixture
async def api(nights: Nights) -> AsyncIterator[Api]:
    """The API of an installation where one night is over."""
    await nights.run()
    async with open_api(nights.here.settings) as api:
        yield api


async def create(api: Api, **changed: Any) -> httpx.Response:
    return await api.client.post(ANCHORS, json={**CHOSEN, **changed})


async def listed(api: Api) -> list[dict[str, Any]]:
    answer = await api.client.get(ANCHORS, params={"suite": "golden", "limit": 500})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def agreement(api: Api) -> dict[str, Any]:
    answer = await api.client.get(f"{ANCHORS}/agreement", params={"suite": "golden"})
    told: dict[str, Any] = answer.json()
    return told


async def label(api: Api, anchor_id: int, score: object) -> httpx.Response:
    return await api.client.post(f"{ANCHORS}/{anchor_id}/label", json={"score": score})


async def test_anchors_are_chosen_from_what_the_judge_has_scored(api: Api, nights: Nights) -> None:
    created = await create(api)
    assert created.status_code == 201, created.text
    told = created.json()
    assert (told["suite"], told["borderline"], told["clear"], told["by"]) == ("golden", 12, 12, "a admin key")
    anchors = await listed(api)
    results = {
        (row["model"], row["question"]): row for row in await nights.here.results(anchors[0]["run_id"])
    }
    for anchor in anchors:
        given = results[anchor["model"], anchor["question"]]
        assert (anchor["response"], anchor["score"]) == (given["response"], given["score"])
        assert given["judge_cost_usd"] is not None, "no deterministic score is an anchor"
        is_between = 0.25 < given["score"] < 0.75
        assert anchor["stratum"] == ("borderline" if is_between else "clear")
    assert Counter(anchor["model"] for anchor in anchors) == {"bright": 12, "wrong": 12}
    judged = [row for row in results.values() if row["judge_cost_usd"] is not None]
    between = sum(0.25 < row["score"] < 0.75 for row in judged)
    assert told["borderline_share"] == pytest.approx(between / len(judged))


async def test_another_judges_scores_are_no_sign_of_wavering(api: Api, nights: Nights) -> None:
    """The second night's judge is stricter throughout; its own scores alone are looked at."""
    await nights.change("judge", borderline={"share": 0.0}, shift=0.0)
    strict = Judge("strict", "judge", "Be strict.", JUDGE.parameters)
    await nights.run(judge=strict)
    told = (await create(api, borderline=0, clear=24)).json()
    assert told["borderline_share"] == 0


async def test_too_few_answers_are_refused_with_their_number(api: Api) -> None:
    refused = await create(api, borderline=20, clear=0)
    assert refused.status_code == 409
    assert "borderline and" in refused.json()["detail"]
    assert "20 are needed" in refused.json()["detail"]


async def test_a_suite_that_no_judge_grades_needs_no_anchors(api: Api) -> None:
    await store_suite(api, "numbers")
    refused = await create(api, suite="numbers")
    assert refused.status_code == 409
    assert "asks a judge" in refused.json()["detail"]


async def test_what_is_asked_for_is_checked(api: Api) -> None:
    assert refused_fields(await create(api, borderline=10, clear=9)) == ["borderline"]
    assert refused_fields(await create(api, borderline=-1)) == ["borderline"]
    assert refused_fields(await create(api, runs=0)) == ["runs"]
    assert refused_fields(await create(api, nights=3)) == ["nights"]
    assert (await create(api, suite="nowhere")).status_code == 404
    for path in ("", "/agreement"):
        absent = await api.client.get(ANCHORS + path, params={"suite": "golden"})
        assert absent.status_code == 404
        assert "anchors create" in absent.json()["detail"]
    read_only = await api.key(Scope.READ)
    assert (await api.client.post(ANCHORS, json=CHOSEN, headers=read_only)).status_code == 403


async def test_the_newest_set_is_the_active_one(api: Api) -> None:
    first = (await create(api)).json()
    mine = [anchor["id"] for anchor in await listed(api)]
    second = (await create(api)).json()
    assert first["id"] != second["id"]
    again = await listed(api)
    assert not set(mine) & {anchor["id"] for anchor in again}


async def test_anchors_come_in_pages(api: Api) -> None:
    await create(api)
    seen: list[int] = []
    cursor = None
    while True:
        query = {"suite": "golden", "limit": 10, **({"cursor": cursor} if cursor else {})}
        page = (await api.client.get(ANCHORS, params=query)).json()
        seen += [anchor["id"] for anchor in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [anchor["id"] for anchor in await listed(api)]
    assert len(seen) == 24
    bad = await api.client.get(ANCHORS, params={"suite": "golden", "cursor": "AAAA"})
    assert refused_fields(bad) == ["cursor"]


async def test_a_label_is_kept_and_every_change_of_it_is_on_record(api: Api) -> None:
    await create(api)
    [anchor, *_] = await listed(api)
    assert anchor["label"] is None
    for score in (0.5, 1):
        assert (await label(api, anchor["id"], score)).json()["label"] == score
    [labelled, *_] = await listed(api)
    assert (labelled["label"], labelled["labelled_by"]) == (1.0, "a admin key")
    async with api.desk.connection() as connection:
        rows = await connection.fetch("SELECT act, subject, facts FROM audit_log ORDER BY id")
    assert [(row["act"], row["subject"]) for row in rows] == [
        ("anchors.created", "golden"),
        ("anchor.labelled", str(anchor["id"])),
        ("anchor.labelled", str(anchor["id"])),
    ]
    assert [row["facts"].get("score") for row in rows] == [None, 0.5, 1.0]


@pytest.mark.parametrize("score", [1.5, -0.1, "1", True, None])
async def test_a_label_lies_between_0_and_1(api: Api, score: object) -> None:
    assert refused_fields(await label(api, 1, score)) == ["score"]


async def test_an_anchor_that_is_not_there_is_not_found(api: Api) -> None:
    assert (await label(api, 10**9, 1.0)).status_code == 404
    assert (await label(api, 2**63, 1.0)).status_code == 422


async def test_agreement_is_that_of_the_labelled_anchors(api: Api) -> None:
    await create(api)
    told = await agreement(api)
    assert (told["n"], told["share"], told["kappa"]) == (0, None, None)
    anchors = await listed(api)
    for anchor in anchors:
        person = float(anchor["score"] >= 0.5)
        is_wrong = anchor["id"] in (anchors[0]["id"], anchors[-1]["id"])
        await label(api, anchor["id"], 1 - person if is_wrong else person)
    told = await agreement(api)
    assert (told["n"], told["share"]) == (24, pytest.approx(22 / 24))
    assert told["judge_only"] + told["person_only"] == 2
    assert told["kappa"]["lower"] < told["kappa"]["value"] < told["kappa"]["upper"]
    assert {name: each["n"] for name, each in told["by_stratum"].items()} == {"borderline": 12, "clear": 12}
    assert told["set"]["labelled"] == 24


async def test_agreement_is_that_of_the_judge_as_it_is_tonight(api: Api, nights: Nights) -> None:
    await create(api)
    for anchor in await listed(api):
        await label(api, anchor["id"], float(anchor["score"] >= 0.5))
    assert (await agreement(api))["share"] == 1
    await nights.change("judge", shift=-0.2, shift_on="borderline")
    await nights.run()
    told = await agreement(api)
    assert told["by_stratum"]["clear"]["share"] == 1
    assert told["by_stratum"]["borderline"]["person_only"] > 0


async def test_answers_of_earlier_versions_of_the_suite_are_looked_at(api: Api, nights: Nights) -> None:
    """Questions that stayed are the same ones under a new version."""
    async with nights.here.pool.acquire() as connection, connection.transaction():
        await suites.store_suite(connection, "golden", make_judged_suite(18))
    await nights.run()
    assert (await create(api)).status_code == 201
    anchors = await listed(api)
    assert len({(anchor["input"], anchor["model"]) for anchor in anchors}) == len(anchors)
