"""The leaderboard, and a model's history."""

from typing import Any
from uuid import uuid4

import pytest

from shared.domain.answers.judging import Judge
from shared.domain.questions.suites import Scorer
from tests.factories import make_suite, plan_run
from tests.integration.importing import import_rows, make_row, make_rows
from tests.integration.serving import Api, finished_run

MODELS = "/api/v1/models"
CHECK = "/api/v1/models:check"


async def board(api: Api, **query: str) -> dict[str, Any]:
    response = await api.client.get(MODELS, params=query)
    assert response.status_code == 200, response.text
    told: dict[str, Any] = response.json()
    return told


async def test_without_a_run_the_board_is_empty(api: Api) -> None:
    assert await board(api) == {"suite": None, "category": "all", "items": []}


async def test_models_whose_intervals_overlap_share_their_places(api: Api) -> None:
    await import_rows(
        api,
        *make_rows(95, 5, model="best"),
        *make_rows(60, 40, model="second"),
        *make_rows(55, 45, model="third"),
        *make_rows(5, 95, model="worst"),
    )
    items = (await board(api))["items"]
    assert [(each["model"], each["rank"]) for each in items] == [
        ("best", 1),
        ("second", 2),
        ("third", 3),
        ("worst", 4),
    ]
    assert [(each["rank_best"], each["rank_worst"], each["tied"]) for each in items] == [
        (1, 1, False),
        (2, 3, True),
        (2, 3, True),
        (4, 4, False),
    ]
    assert [(each["n"], each["coverage"], each["note"]) for each in items] == [(100, 1.0, None)] * 4


async def test_a_control_has_no_place_on_the_board(api: Api) -> None:
    await import_rows(api, *make_rows(3, model="echo"), *make_rows(2, 1, model="bright"))
    assert [row["model"] for row in (await board(api))["items"]] == ["bright"]


async def test_equal_accuracy_is_an_equal_rank(api: Api) -> None:
    scores = {"b": (2, 2), "a": (2, 2), "c": (1, 3)}
    await import_rows(
        api, *(row for model, counts in scores.items() for row in make_rows(*counts, model=model))
    )
    items = (await board(api))["items"]
    assert [(each["model"], each["rank"]) for each in items] == [("a", 1), ("b", 1), ("c", 3)]


async def test_a_model_that_was_not_measured_comes_last_with_the_reason(api: Api) -> None:
    await import_rows(
        api,
        *make_rows(0, unscored=5, model="a-silent"),
        *make_rows(0, unscored=2, model="unread", error_kind="judge_unparsable"),
        *make_rows(0, 4, model="wrong"),
    )
    wrong, silent, unread = (await board(api))["items"]
    assert (wrong["model"], wrong["rank"], wrong["accuracy"]) == ("wrong", 1, 0.0)
    for each in (silent, unread):
        assert (each["rank"], each["rank_best"], each["rank_worst"], each["tied"]) == (
            None,
            None,
            None,
            False,
        )
        assert (each["accuracy"], each["n"], each["coverage"]) == (None, 0, 0.0)
    assert (silent["model"], silent["note"]) == ("a-silent", "no answer: 5 × timeout")
    assert (unread["model"], unread["note"]) == ("unread", "no score: 2 × judge unparsable")


async def test_missing_scores_are_told_beside_the_rank(api: Api) -> None:
    cut_off = make_row(9, score=None, error_kind="truncated")
    await import_rows(api, *make_rows(4, 1, unscored=3), cut_off)
    (item,) = (await board(api))["items"]
    assert (item["rank"], item["coverage"], item["note"]) == (1, 5 / 9, "3 × timeout, 1 × truncated")


async def test_the_newest_run_of_each_model_counts(api: Api) -> None:
    first = [*make_rows(4), *make_rows(3, 1, model="dim")]
    second = make_rows(1, 3, run_at="2025-03-02T02:00:00Z")
    old, new = await import_rows(api, *first, *second)
    await import_rows(api, *make_rows(1, suite="other"))
    items = (await board(api, suite="golden"))["items"]
    assert [(each["model"], each["accuracy"], each["run_id"]) for each in items] == [
        ("dim", 0.75, old["run_id"]),
        ("bright", 0.25, new["run_id"]),
    ]
    items = (await board(api, run=old["run_id"]))["items"]
    assert [(each["model"], each["accuracy"]) for each in items] == [("bright", 1.0), ("dim", 0.75)]


async def test_the_suite_of_the_newest_completed_run_is_the_default(api: Api) -> None:
    await import_rows(api, make_row(suite="late", run_at="2025-03-09T00:00:00Z"), make_row(suite="early"))
    assert (await board(api))["suite"] == "late"
    await finished_run(api)
    assert (await board(api))["suite"].startswith("suite-")


async def test_a_category_has_a_board_of_its_own(api: Api) -> None:
    await import_rows(api, *make_rows(2, 2), make_row(7, category="prose", score=0))
    (item,) = (await board(api, category="prose"))["items"]
    assert (item["accuracy"], item["n"]) == (0.0, 1)
    assert (await board(api, category="none"))["items"] == []


async def test_another_yardstick_is_said_aloud(api: Api) -> None:
    later: dict[str, Any] = {"run_at": "2025-03-02T02:00:00Z", "model": "new"}
    await import_rows(api, *make_rows(3), *make_rows(3, **later), make_row(4, **later))
    notes = {each["model"]: each["note"] for each in (await board(api))["items"]}
    assert notes == {"new": None, "bright": "suite version 1"}


async def test_another_grader_is_said_aloud(api: Api) -> None:
    judged = make_suite(3, scorer=Scorer("llm-rubric"))
    judge = Judge("strict", "openai/judge")
    run_id = await finished_run(api, content=judged, judge=judge, models=("judged-here",))
    suite = (await api.client.get(f"/api/v1/runs/{run_id}")).json()["suite"]
    row = {"run_at": "2025-03-01T02:00:00Z", "suite": suite, "question_id": "q-1", "score": 1}
    await import_rows(api, {**row, "model": "judged-elsewhere"})
    notes = {each["model"]: each["note"] for each in (await board(api))["items"]}
    assert notes == {"judged-here": "1 × timeout", "judged-elsewhere": "imported scores"}


async def test_only_completed_runs_are_ranked(api: Api) -> None:
    open_run = (await plan_run(api.desk.pool))[0].run_id
    response = await api.client.get(MODELS, params={"run": str(open_run)})
    assert (response.status_code, response.json()["title"]) == (409, "Run not completed")
    assert (await board(api))["items"] == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"run": str(uuid4())}, 404),
        ({"suite": "unknown"}, 404),
        ({"run": "1"}, 422),
        ({"suites": "golden"}, 422),
        ({"category": "\u0000"}, 422),
    ],
)
async def test_what_is_not_there_has_no_board(api: Api, query: dict[str, str], status: int) -> None:
    assert (await api.client.get(MODELS, params=query)).status_code == status


async def test_a_run_has_one_suite(api: Api) -> None:
    (run,) = await import_rows(api, make_row())
    assert (await board(api, run=run["run_id"], suite="golden"))["suite"] == "golden"
    response = await api.client.get(MODELS, params={"run": run["run_id"], "suite": "other"})
    assert response.status_code == 422


async def test_a_history_is_paged_from_the_newest_on(api: Api) -> None:
    days = [f"2025-03-{day:02}T02:00:00Z" for day in range(1, 8)]
    await import_rows(api, *(make_row(run_at=day) for day in days))
    found: list[dict[str, Any]] = []
    cursor = None
    while cursor or not found:
        params = {"model": "bright", "limit": "3", **({"cursor": cursor} if cursor else {})}
        page = (await api.client.get(f"{MODELS}/history", params=params)).json()
        found += page["items"]
        cursor = page["next_cursor"]
    assert [each["finished_at"] for each in found] == days[::-1]
    assert {(each["kind"], each["suite"], each["suite_version"], each["accuracy"]) for each in found} == {
        ("imported", "golden", 1, 1.0)
    }


async def test_a_history_is_filtered(api: Api) -> None:
    prose = make_row(9, category="prose", score=0)
    await import_rows(api, *make_rows(2), prose, make_row(suite="other"))

    async def accuracies(**query: str) -> list[float]:
        page = (await api.client.get(f"{MODELS}/history", params={"model": "bright", **query})).json()
        return [each["accuracy"] for each in page["items"]]

    assert sorted(await accuracies()) == [pytest.approx(2 / 3), 1.0]
    assert await accuracies(suite="golden", category="prose") == [0.0]
    assert await accuracies(model="nobody") == []


async def test_a_measurement_names_its_judge(api: Api) -> None:
    await finished_run(
        api, content=make_suite(3, scorer=Scorer("llm-rubric")), judge=Judge("strict", "o/judge")
    )
    (item,) = (await api.client.get(f"{MODELS}/history", params={"model": "bright"})).json()["items"]
    assert (item["judge"], item["judge_version"]) == ("strict", 1)
