"""Comparing runs: paired by question, and refused where the yardstick changed."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.worker.finalize import finalize_run
from shared.db import pairs, suites
from shared.db.pairs import PairStep
from shared.domain.answers.judging import Judge
from shared.domain.answers.scoring import Verdict
from shared.domain.questions.suites import Question, Scorer, SuiteContent
from shared.domain.runs import PairKey, PairState, RunId
from tests.factories import make_answer, make_question, make_suite, plan_run
from tests.integration.importing import import_rows, make_row, make_rows
from tests.integration.serving import Api, finished_run

COMPARE = "/api/v1/compare"
JUDGED = make_suite(3, scorer=Scorer("llm-rubric"))
LATER = "2025-03-02T02:00:00Z"


async def ask(api: Api, baseline: object, candidate: object, /, **query: Any) -> httpx.Response:
    query = {"baseline": str(baseline), "candidate": str(candidate), **query}
    return await api.client.get(COMPARE, params=query)


async def compare(api: Api, baseline: object, candidate: object, **query: Any) -> dict[str, Any]:
    response = await ask(api, baseline, candidate, **query)
    assert response.status_code == 200, response.text
    comparison: dict[str, Any] = response.json()
    return comparison


async def import_two(api: Api, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[str]:
    runs = await import_rows(api, *before, *({**row, "run_at": LATER} for row in after))
    return [run["run_id"] for run in runs]


async def scored_run(api: Api, scores: dict[str, float], **changed: Any) -> RunId:
    """A completed run in which each question's answers got this score."""
    keys = await plan_run(api.desk.pool, **changed)
    async with api.desk.connection() as connection:
        run = await connection.fetchrow("SELECT suite_version_id FROM runs WHERE id = $1", keys[0].run_id)
        stored = await suites.read_questions(connection, run["suite_version_id"])
        names = {each.number: each.question.id for each in stored}
        await pairs.record_steps(connection, [_score(key, scores[names[key.question_id]]) for key in keys])
    await finalize_run(api.desk.pool, keys[0].run_id)
    return keys[0].run_id


def _score(key: PairKey, score: float) -> PairStep:
    answer, outcome = make_answer(response=f"worth {score}"), Verdict(score, score >= 0.5, "")
    return PairStep(key, PairState.PENDING, PairState.SCORED, answer=answer, outcome=outcome)


async def test_runs_are_paired_by_question_over_suite_versions(api: Api) -> None:
    questions = [make_question(number) for number in range(1, 6)]
    moved = Question(**{**_fields(questions[0]), "id": "renamed"})
    edited = make_question(2, input="Rewritten.")
    before = await scored_run(
        api, {f"q-{number}": 1.0 for number in range(1, 6)}, content=SuiteContent(tuple(questions))
    )
    after = await scored_run(
        api,
        {"renamed": 0.0, "q-2": 0.0, "q-3": 1.0, "q-4": 0.25, "new": 1.0},
        content=SuiteContent((moved, edited, *questions[2:4], make_question(9, id="new"))),
    )
    comparison = await compare(api, before, after)
    (model,) = comparison["models"]
    assert (model["questions"], model["baseline_only"], model["candidate_only"]) == (3, 2, 2)
    assert (model["baseline_accuracy"], model["candidate_accuracy"]) == (1.0, pytest.approx(1.25 / 3))
    assert (model["worse"], model["better"], model["unchanged"], model["broke"]) == (2, 0, 1, 2)
    assert [
        (flip["question"], flip["score_before"], flip["score_after"]) for flip in comparison["flips"]["items"]
    ] == [
        ("renamed", 1.0, 0.0),
        ("q-4", 1.0, 0.25),
    ]
    assert comparison["flips"]["items"][1]["answer_before"] == "worth 1.0"
    assert comparison["flips"]["items"][1]["answer_after"] == "worth 0.25"


def _fields(question: Question) -> dict[str, Any]:
    return {name: getattr(question, name) for name in question.__slots__}


async def test_every_model_of_both_runs_is_compared(api: Api) -> None:
    before, after = await import_two(
        api,
        [*make_rows(40), *make_rows(20, 20, model="dim"), *make_rows(1, model="gone")],
        [*make_rows(0, 40), *make_rows(20, 20, model="dim"), *make_rows(1, model="new")],
    )
    comparison = await compare(api, before, after)
    assert [(each["candidate_model"], each["verdict"]) for each in comparison["models"]] == [
        ("bright", "fail"),
        ("dim", "inconclusive"),
    ]
    assert comparison["not_compared"] == [
        {"model": "gone", "reason": "only in the baseline"},
        {"model": "new", "reason": "only in the candidate"},
    ]
    assert comparison["verdict"] == "fail"
    assert comparison["pooled"]["questions"] == 80
    only = await compare(api, before, after, model="dim")
    assert ([each["candidate_model"] for each in only["models"]], only["not_compared"]) == (["dim"], [])


async def test_a_model_without_a_shared_score_is_not_compared(api: Api) -> None:
    before, after = await import_two(
        api,
        [*make_rows(2), *make_rows(2, model="dim")],
        [*make_rows(2), *make_rows(0, unscored=2, model="dim")],
    )
    comparison = await compare(api, before, after)
    assert [each["candidate_model"] for each in comparison["models"]] == ["bright"]
    (silent,) = comparison["not_compared"]
    assert (silent["model"], "2 in the baseline alone" in silent["reason"]) == ("dim", True)


async def test_two_models_are_compared_across_runs(api: Api) -> None:
    before, after = await import_two(
        api, make_rows(3, 1, model="old", response="yes"), make_rows(4, model="new", response="no")
    )
    response = await ask(api, before, after)
    assert (response.status_code, "baseline_model" in response.json()["detail"]) == (409, True)
    comparison = await compare(api, before, after, baseline_model="old", candidate_model="new")
    (model,) = comparison["models"]
    assert (model["baseline_model"], model["candidate_model"]) == ("old", "new")
    assert model["difference"] == pytest.approx(0.25)
    (flip,) = comparison["flips"]["items"]
    assert (flip["model"], flip["answer_before"], flip["answer_after"]) == ("new", "yes", "no")


async def test_the_margin_decides_the_verdict(api: Api) -> None:
    before, after = await import_two(api, make_rows(90, 10), make_rows(90, 10))
    assert (await compare(api, before, after, margin=0.1))["verdict"] == "pass"
    assert (await compare(api, before, after, margin=0.001))["verdict"] == "inconclusive"


async def test_categories_are_compared_on_their_own(api: Api) -> None:
    def prose(score: int) -> list[dict[str, Any]]:
        return [make_row(number, category="prose", score=score) for number in range(50, 70)]

    before, after = await import_two(api, [*make_rows(20), *prose(1)], [*make_rows(20), *prose(0)])
    (model,) = (await compare(api, before, after))["models"]
    assert [(each["category"], each["questions"], each["is_worse"]) for each in model["categories"]] == [
        ("math", 20, False),
        ("prose", 20, True),
    ]


async def test_of_many_flips_both_kinds_are_shown(api: Api) -> None:
    before, after = await import_two(
        api,
        [*make_rows(300, 0), *make_rows(0, 300, model="dim")],
        [*make_rows(0, 300), *make_rows(150, 150, model="dim")],
    )
    flips = (await compare(api, before, after))["flips"]
    shown = [flip["score_after"] for flip in flips["items"]]
    assert (flips["broke"], flips["fixed"], shown) == (300, 150, [0.0] * 100 + [1.0] * 100)


async def test_of_several_answers_the_first_is_shown(api: Api) -> None:
    def ask_twice(score: int) -> list[dict[str, Any]]:
        return [make_row(repeat=repeat, score=score, response=f"answer {repeat}") for repeat in (2, 1)]

    before, after = await import_two(api, ask_twice(0), ask_twice(1))
    (flip,) = (await compare(api, before, after))["flips"]["items"]
    assert (flip["answer_before"], flip["answer_after"]) == ("answer 1", "answer 1")


async def test_another_judge_is_another_yardstick(api: Api) -> None:
    strict, lenient = (Judge(name, "openai/judge", prompt=name) for name in ("strict", "lenient"))
    scores = {"q-1": 1.0, "q-2": 1.0, "q-3": 0.0}
    one = await scored_run(api, scores, content=JUDGED, judge=strict)
    same = await scored_run(api, scores, content=JUDGED, judge=strict)
    other = await scored_run(api, scores, content=JUDGED, judge=lenient)
    assert (await compare(api, one, same))["pooled"]["difference"] == 0.0
    problem = (await ask(api, one, other)).json()
    assert (problem["status"], problem["title"]) == (409, "Not comparable")
    for word in ("strict v1", "lenient v1", "Measure both again with one judge"):
        assert word in problem["detail"]


async def test_another_judge_does_not_matter_to_what_it_does_not_judge(api: Api) -> None:
    scores = {"q-1": 1.0, "q-2": 1.0, "q-3": 0.0}
    one, other = [
        await scored_run(api, scores, judge=Judge(name, "openai/judge", prompt=name)) for name in ("a", "b")
    ]
    assert (await compare(api, one, other))["pooled"]["questions"] == 3


async def test_imported_runs_must_name_the_same_evaluator(api: Api) -> None:
    rows = make_rows(2)
    one, two, three = [
        (await import_rows(api, *({**row, "run_id": name, "evaluator": evaluator} for row in rows)))[0][
            "run_id"
        ]
        for name, evaluator in (("one", "numeric v3"), ("two", "numeric v3"), ("three", "numeric v4"))
    ]
    assert (await compare(api, one, two))["pooled"]["questions"] == 2
    problem = (await ask(api, one, three)).json()
    assert (problem["status"], "numeric v4" in problem["detail"]) == (409, True)


async def test_an_imported_run_is_compared_on_questions_that_ask_no_judge(api: Api) -> None:
    for scorer, status in ((Scorer("numeric"), 200), (Scorer("llm-rubric"), 409)):
        judge = Judge("strict", "openai/judge")
        mine = await scored_run(
            api, {"q-1": 1.0, "q-2": 1.0, "q-3": 0.0}, content=make_suite(3, scorer=scorer), judge=judge
        )
        async with api.desk.connection() as connection:
            suite = await connection.fetchval("SELECT name FROM suites ORDER BY id DESC LIMIT 1")
        told = {"run_at": LATER, "model": "bright", "suite": suite, "evaluator": "theirs v1", "score": 1}
        rows = [{**told, "question_id": f"q-{number}"} for number in (1, 2, 3)]
        (theirs,) = await import_rows(api, *rows)
        assert (await ask(api, theirs["run_id"], mine)).status_code == status


async def test_runs_without_a_common_question_are_not_compared(api: Api) -> None:
    one = await scored_run(api, {"q-1": 1.0}, content=make_suite(1))
    other = await scored_run(api, {"q-1": 1.0}, content=make_suite(1, input="Another one?"))
    problem = (await ask(api, one, other)).json()
    assert (problem["status"], problem["title"]) == (409, "Not comparable")
    assert "No question has a score in both runs" in problem["detail"]


async def test_an_open_run_is_not_compared(api: Api) -> None:
    finished, open_run = await finished_run(api), (await plan_run(api.desk.pool))[0].run_id
    for pair in ((finished, open_run), (open_run, finished)):
        problem = (await ask(api, *pair)).json()
        assert (problem["status"], f"{open_run} is running" in problem["detail"]) == (409, True)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"model": "nobody"}, "model"),
        ({"baseline_model": "bright"}, "candidate_model"),
        ({"candidate_model": "bright"}, "baseline_model"),
        ({"baseline_model": "nobody", "candidate_model": "bright"}, "baseline_model"),
        ({"baseline_model": "bright", "candidate_model": "nobody"}, "candidate_model"),
        ({"model": "bright", "baseline_model": "bright", "candidate_model": "bright"}, "model"),
        ({"margin": "0"}, "margin"),
        ({"margin": "nan"}, "margin"),
        ({"margin": "1.5"}, "margin"),
        ({"candidate": "1"}, "candidate"),
        ({"limit": "5"}, "limit"),
    ],
)
async def test_what_can_not_be_compared_is_refused_by_its_field(
    api: Api, query: dict[str, str], field: str
) -> None:
    run = await finished_run(api)
    response = await ask(api, run, run, **query)
    assert response.status_code == 422, response.text
    assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_a_run_that_is_not_there_is_not_found(api: Api) -> None:
    assert (await ask(api, await finished_run(api), uuid4())).status_code == 404
