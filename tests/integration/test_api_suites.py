"""Suites over the API: a file goes in whole or not at all, and comes out as it was stored."""

from typing import Any

import httpx
import pytest

from shared.db import suites
from tests.factories import make_suite
from tests.integration.serving import Api

SUITES = "/api/v1/suites"
CSV = "id,category,input,expected_output,scorer\nq-1,math,2 + 2?,4,numeric\nq-2,prose,Say hi.,hi,\n"


async def upload(
    api: Api, text: str | bytes = CSV, filename: str = "golden.csv", name: str = "golden"
) -> httpx.Response:
    return await api.client.post(SUITES, params={"name": name, "filename": filename}, content=text)


async def test_a_file_becomes_a_version_once(api: Api) -> None:
    first, again, changed = (
        await upload(api),
        await upload(api),
        await upload(api, CSV.replace("2 + 2", "3 + 1")),
    )
    told = [
        (answer.status_code, answer.json()["version"], answer.json()["is_new"])
        for answer in (first, again, changed)
    ]
    assert told == [(201, 1, True), (200, 1, False), (201, 2, True)]
    assert first.json()["questions"] == 2
    assert first.json()["asks_judge"] is True


@pytest.mark.parametrize(
    ("text", "filename", "field"),
    [
        (CSV + "q-1,math,again?,4,\n", "golden.csv", "golden.csv, line 4, id"),
        (CSV + "q-3,math\n", "golden.csv", "golden.csv, line 4, row"),
        (CSV, "golden.txt", "golden.txt"),
        ("", "golden.csv", "golden.csv, line 1, header"),
        (b"\xff\xfe\x00", "golden.csv", "golden.csv, encoding"),
    ],
)
async def test_a_bad_file_is_refused_by_file_and_line(
    api: Api, text: str | bytes, filename: str, field: str
) -> None:
    response = await upload(api, text, filename)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, field)
    assert (await api.client.get(SUITES)).json()["items"] == []


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": "-x"}, "name"),
        ({"name": ""}, "name"),
        ({"filename": ""}, "filename"),
        ({"filename": "\u0000"}, "filename"),
    ],
)
async def test_a_bad_name_is_refused(api: Api, changed: dict[str, str], field: str) -> None:
    params = {"name": "golden", "filename": "golden.csv", **changed}
    response = await api.client.post(SUITES, params=params, content=CSV)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize(
    "number", ["1e999", "1" + "0" * 30, "[" * 300 + "]" * 300], ids=["infinite", "huge", "deep"]
)
async def test_scorer_options_that_cannot_be_stored_are_refused(api: Api, number: str) -> None:
    scorer = f'{{"name": "numeric", "tolerance": {number}}}'
    row = f'{{"id": "q-1", "input": "?", "target": "4", "scorer": {scorer}}}'
    assert (await upload(api, row, "golden.jsonl")).status_code == 422


async def test_a_suite_shows_its_categories_and_versions(api: Api) -> None:
    await upload(api)
    await upload(api, CSV.replace("2 + 2", "3 + 1"))
    shown = (await api.client.get(f"{SUITES}/golden")).json()
    assert (shown["version"], [version["version"] for version in shown["versions"]]) == (2, [2, 1])
    assert shown["categories"] == [
        {"category": "math", "questions": 1},
        {"category": "prose", "questions": 1},
    ]
    first = (await api.client.get(f"{SUITES}/golden", params={"version": 1})).json()
    assert first["version"] == 1


async def test_questions_come_in_suite_order_in_pages(api: Api) -> None:
    async with api.desk.connection() as connection, connection.transaction():
        content = make_suite(7)
        await suites.store_suite(connection, "golden", content)
    items: list[dict[str, Any]] = []
    params: dict[str, Any] = {"limit": 3}
    while not items or params["cursor"]:
        page = (await api.client.get(f"{SUITES}/golden/questions", params=params)).json()
        items += page["items"]
        params["cursor"] = page["next_cursor"]
    assert [(item["id"], item["unit"], item["position"]) for item in items] == [
        (question.id, question.unit, position) for position, question in enumerate(content.questions, start=1)
    ]


async def test_questions_of_one_category(api: Api) -> None:
    await upload(api)
    page = (await api.client.get(f"{SUITES}/golden/questions", params={"category": "prose"})).json()
    assert [(item["id"], item["scorer"]) for item in page["items"]] == [("q-2", {"name": "llm-rubric"})]


async def test_suites_are_listed_by_name_in_pages(api: Api) -> None:
    for name in ("silver", "golden", "bronze"):
        await upload(api, name=name)
    await upload(api, CSV.replace("2 + 2", "3 + 1"), name="golden")
    first = (await api.client.get(SUITES, params={"limit": 2})).json()
    rest = (await api.client.get(SUITES, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    listed = [(suite["name"], suite["version"]) for suite in first["items"] + rest["items"]]
    assert listed == [("bronze", 1), ("golden", 2), ("silver", 1)]


@pytest.mark.parametrize(
    "path", ["/unknown", "/unknown/questions", "/golden?version=2", "/golden/questions?version=2"]
)
async def test_a_suite_that_is_not_there_is_not_found(api: Api, path: str) -> None:
    await upload(api)
    assert (await api.client.get(SUITES + path)).status_code == 404
