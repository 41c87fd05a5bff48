"""Finding runs again, looking at them, and stopping them."""

import base64
import json
from uuid import UUID, uuid4

import pytest

from shared.db import runs
from shared.domain.runs import RunState
from tests.factories import plan_run
from tests.integration.serving import Api, finished_run
from tests.integration.submitting import RUNS, queued, refused_fields, store_suite, submit


def cursor(*place: str) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


async def test_runs_are_listed_newest_first_in_pages(api: Api) -> None:
    await store_suite(api)
    made = [(await submit(api)).json()["id"] for _ in range(5)][::-1]
    first = (await api.client.get(RUNS, params={"limit": 3})).json()
    rest = (await api.client.get(RUNS, params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [run["id"] for run in first["items"] + rest["items"]] == made
    assert rest["next_cursor"] is None


async def test_a_page_that_is_exactly_full_is_the_last(api: Api) -> None:
    await store_suite(api)
    for _ in range(2):
        await submit(api)
    page = (await api.client.get(RUNS, params={"limit": 2})).json()
    assert (len(page["items"]), page["next_cursor"]) == (2, None)


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        ({"suite": "golden"}, 1),
        ({"suite": "silver"}, 1),
        ({"model": "dim"}, 1),
        ({"state": "submitted"}, 2),
        ({"state": "completed"}, 0),
        ({"label": "branch=main"}, 1),
        ({"label": "branch="}, 0),
    ],
)
async def test_runs_are_filtered(api: Api, wanted: dict[str, str], number: int) -> None:
    await store_suite(api)
    await store_suite(api, "silver")
    await submit(api, models=["bright"], labels={"branch": "main", "by": "ci"})
    await submit(api, suite="silver", models=["dim"])
    assert len((await api.client.get(RUNS, params=wanted)).json()["items"]) == number


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": cursor("0001-01-01T00:00:00+14:00", str(UUID(int=0)))}, "cursor"),
        ({"cursor": cursor("2026-01-01T00:00:00Z")}, "cursor"),
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"state": "broken"}, "state"),
        ({"model": "a\u0000"}, "model"),
        ({"modell": "bright"}, "modell"),
    ],
)
async def test_a_wrong_or_unknown_parameter_is_refused_by_name(
    api: Api, wanted: dict[str, str], field: str
) -> None:
    assert refused_fields(await api.client.get(RUNS, params=wanted)) == [field]


async def test_an_open_run_shows_its_progress(api: Api) -> None:
    keys = await plan_run(api.desk.pool, models=("dim", "bright"))
    run = (await api.client.get(f"{RUNS}/{keys[0].run_id}")).json()
    idle = {"answered": 0, "scored": 0, "unscored": 0, "failed": 0, "skipped": 0}
    assert run["progress"] == [
        {"model": "dim", "pending": 3, **idle},
        {"model": "bright", "pending": 3, **idle},
    ]
    assert run["aggregates"] is None


async def test_a_finished_run_shows_what_it_came_to(api: Api) -> None:
    run_id = await finished_run(api, models=("bright",))
    run = (await api.client.get(f"{RUNS}/{run_id}")).json()
    assert (run["state"], run["progress"]) == ("completed", None)
    whole, *_ = run["aggregates"]
    assert (whole["category"], whole["planned"], whole["scored"], whole["accuracy"]) == ("all", 3, 2, 1.0)
    assert whole["errors"] == {"timeout": 1}


@pytest.mark.parametrize("path", ["", "/results", "/export", "/events"])
async def test_a_run_that_is_not_there_is_not_found(api: Api, path: str) -> None:
    response = await api.client.get(f"{RUNS}/{uuid4()}{path}")
    assert (response.status_code, response.json()["title"]) == (404, "Not found")


async def test_a_cancelled_run_is_asked_to_stop(api: Api) -> None:
    keys = await plan_run(api.desk.pool)
    for _ in range(2):
        response = await api.client.post(f"{RUNS}/{keys[0].run_id}/cancel")
        assert (response.status_code, response.json()["stop_reason"]) == (202, "cancelled")
    assert await queued(api, "stop_run", str(keys[0].run_id))


async def test_a_finished_run_cannot_be_cancelled(api: Api) -> None:
    run_id = await finished_run(api)
    response = await api.client.post(f"{RUNS}/{run_id}/cancel")
    assert response.status_code == 409
    async with api.desk.connection() as connection:
        run = await runs.find_run(connection, run_id)
    assert run is not None
    assert run.state is RunState.COMPLETED


async def test_an_unknown_run_cannot_be_cancelled(api: Api) -> None:
    assert (await api.client.post(f"{RUNS}/{uuid4()}/cancel")).status_code == 404
