"""What workers count: every answer by its outcome, every call by its role, nothing that was not measured."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from shared.domain.errors import ErrorKind
from shared.domain.questions.suites import Scorer, SuiteContent
from shared.domain.runs import RunState
from shared.metrics import MOST_MODELS, ModelLabels
from tests.factories import make_question, make_suite
from tests.integration.pipeline import JUDGE, install

CHECKED = make_suite(4)
JUDGED = SuiteContent(
    tuple(
        make_question(number, scorer=Scorer(), target=f"The sum is {2 * number}, twice {number}.")
        for number in range(1, 5)
    )
)
BRIGHT: dict[str, Any] = {"skill": 1.0, "noise": 0.0}
PRICED = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}


@pytest.fixture
def places(database_url: str, redis_url: str, tmp_path: Path) -> tuple[str, str, Path]:
    return database_url, redis_url, tmp_path


def counter(name: str, **labels: str) -> Callable[[], float | None]:
    """How much a counter has grown since now; None where it is not there, not even as zero."""
    before = REGISTRY.get_sample_value(name, labels)

    def grown() -> float | None:
        now = REGISTRY.get_sample_value(name, labels)
        return None if now is None else now - (before or 0)

    return grown


async def test_answers_calls_tokens_and_costs_are_counted_by_role(places: tuple[str, str, Path]) -> None:
    model = "counted"
    scored = counter("driftwarden_answers_total", model=model, outcome="scored")
    timed_out = counter("driftwarden_answers_total", model=model, outcome="timeout")
    closed = counter("driftwarden_runs_closed_total", state="completed")
    calls = {
        (name, role): counter("driftwarden_request_duration_seconds_count", model=name, role=role)
        for name, role in ((model, "answer"), ("judge", "judge"))
    }
    tokens = {
        (kind, role): counter("driftwarden_tokens_total", model=name, type=kind, role=role)
        for kind in ("input", "output")
        for name, role in ((model, "answer"), ("judge", "judge"))
    }
    unpriced = counter("driftwarden_cost_usd_total", model=model, role="answer")
    spent = counter("driftwarden_cost_usd_total", model="judge", role="judge")

    async with install(*places, JUDGED, {model: BRIGHT}, parameters={"judge": PRICED}) as here:
        run_id = await here.submit(JUDGED, model, judge=JUDGE)
        await here.work()
        results, run = await here.results(run_id), await here.run(run_id)

    assert (scored(), timed_out(), closed()) == (4, 0, 1)
    assert [grown() for grown in calls.values()] == [4, 4]
    assert tokens["input", "answer"]() == sum(row["input_tokens"] for row in results)
    assert tokens["output", "answer"]() == sum(row["output_tokens"] for row in results)
    assert (tokens["output", "judge"]() or 0) > 0
    assert unpriced() is None, "what has no price has not cost nothing"
    assert Decimal(str(spent())) == pytest.approx(run.spent_usd)


async def test_what_is_tried_again_is_counted_by_its_reason(places: tuple[str, str, Path]) -> None:
    retried = counter("driftwarden_retries_total", model="shaky", reason="unavailable")
    failed = counter("driftwarden_answers_total", model="shaky", outcome="unavailable")
    shaky = {**BRIGHT, "faults": {"server_error": 1.0}}
    async with install(*places, CHECKED, {"shaky": shaky}, max_attempts=2) as here:
        await here.submit(CHECKED, "shaky")
        await here.work()
    assert (retried(), failed()) == (8, 4)


@pytest.mark.parametrize(
    ("judge", "reason", "outcome", "times"),
    [
        ({"faults": {"server_error": 1.0}}, "unavailable", "judge_unavailable", 8),
        ({"formats": {"unparsable": 1.0}}, "judge_unparsable", "judge_unparsable", 8),
    ],
)
async def test_the_judges_failures_are_counted_as_the_judges(
    places: tuple[str, str, Path], judge: dict[str, Any], reason: str, outcome: str, times: int
) -> None:
    retried = counter("driftwarden_retries_total", model="judge", reason=reason)
    of_model = counter("driftwarden_retries_total", model="judged", reason=reason)
    unscored = counter("driftwarden_answers_total", model="judged", outcome=outcome)
    models = {"judged": BRIGHT, "judge": {"kind": "judge", **judge}}
    async with install(*places, JUDGED, models, max_attempts=2) as here:
        await here.submit(JUDGED, "judged", judge=JUDGE)
        await here.work()
    assert (retried(), of_model(), unscored()) == (times, 0, 4)


async def test_a_run_that_its_budget_stops_is_counted_as_that(places: tuple[str, str, Path]) -> None:
    stopped = counter("driftwarden_runs_closed_total", state=RunState.STOPPED_BY_BUDGET)
    dear = {"input_cost_per_token": 0, "output_cost_per_token": 0.01, "max_parallel_requests": 1}
    async with install(*places, CHECKED, {"dear": BRIGHT}, parameters={"dear": dear}) as here:
        await here.submit(CHECKED, "dear", max_cost_usd=Decimal("0.00001"))
        await here.work()
    assert stopped() == 1


async def test_before_the_first_answer_every_outcome_is_zero(places: tuple[str, str, Path]) -> None:
    """A series that begins with its first answers shows no increase for them."""
    async with install(*places, CHECKED, {"new-here": BRIGHT}) as here:
        await here.work()
    for outcome in ("scored", *ErrorKind):
        labels = {"model": "new-here", "outcome": outcome}
        assert REGISTRY.get_sample_value("driftwarden_answers_total", labels) == 0


def test_models_beyond_the_cap_share_one_label() -> None:
    labels = ModelLabels()
    names = [labels.name(f"m-{n}") for n in range(MOST_MODELS + 2)]
    assert names[-3:] == [f"m-{MOST_MODELS - 1}", "other", "other"]
    assert labels.name("m-0") == "m-0"
