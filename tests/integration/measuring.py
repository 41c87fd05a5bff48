"""Runs with outcomes as a test says, as the pages of runs are asked about them."""

from collections.abc import Sequence
from typing import Any

from services.worker.finalize import finalize_run
from shared.db import pairs
from shared.db.pairs import PairStep
from shared.domain.answers.scoring import Outcome, Unscored, Verdict
from shared.domain.errors import ErrorKind
from shared.domain.runs import PairKey, PairState, RunId
from tests.factories import make_answer, make_suite, plan_run
from tests.integration.browsing import Browser, Page
from tests.integration.serving import Api

RIGHT = Verdict(1.0, True, "as it should be")
HALF = Verdict(0.5, False, "half of it")
WRONG = Verdict(0.0, False, "not at all")
LATE = Unscored(ErrorKind.TIMEOUT, "No answer within 60 s.")


async def record(api: Api, keys: Sequence[PairKey], *outcomes: Outcome, **answer: Any) -> RunId:
    """Score the first of the pairs, one by one; the others stay open."""
    steps = []
    for key, outcome in zip(keys, outcomes, strict=False):
        scored = isinstance(outcome, Verdict)
        steps.append(
            PairStep(
                key, PairState.PENDING, PairState.SCORED if scored else PairState.FAILED,
                answer=make_answer(**answer) if scored else None, outcome=outcome,
            )
        )  # fmt: skip
    async with api.desk.connection() as connection:
        await pairs.record_steps(connection, steps)
    return keys[0].run_id


async def measure(api: Api, *outcomes: Outcome, answer: str = "42", **changed: Any) -> RunId:
    """A finished run with these outcomes, question by question; of several models, in turn."""
    keys = await plan_run(api.desk.pool, **{"content": make_suite(len(outcomes)), **changed})
    run_id = await record(api, keys, *outcomes, response=answer)
    await finalize_run(api.desk.pool, run_id)
    return run_id


async def open_run(browser: Browser, run_id: RunId, query: str = "") -> Page:
    return await browser.open(f"/runs/{run_id}{query}")


def in_order(page: Page, *words: str) -> bool:
    places = [page.text.index(word) for word in words]
    return places == sorted(places)
