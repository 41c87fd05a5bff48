"""A control goes through queue, worker and provider like any model; no byte of its answers may change."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.db.controls import compare_controls, read_control_answers
from shared.domain.causes.controls import ControlFinding
from shared.domain.errors import ErrorKind
from shared.domain.questions.suites import Scorer, SuiteContent
from shared.domain.runs import RunId
from tests.factories import make_question, make_suite
from tests.integration.pipeline import JUDGE, Installation, install

CONTENT = make_suite(6)
FLEET: dict[str, Any] = {"control": {"kind": "control", "reply": "digest"}, "bright": {}}


@pytest.fixture
def places(database_url: str, redis_url: str, tmp_path: Path) -> tuple[str, str, Path]:
    return database_url, redis_url, tmp_path


async def run_night(here: Installation, night: int, content: SuiteContent = CONTENT, **changed: Any) -> RunId:
    async with httpx.AsyncClient(base_url=here.provider_url) as client:
        (await client.put("/admin/night", json={"night": night})).raise_for_status()
    run_id = await here.submit(content, "control", "bright", **changed)
    await here.work()
    return run_id


async def test_the_harness_stands_still_until_one_answer_changes(places: tuple[str, str, Path]) -> None:
    async with install(*places, CONTENT, FLEET) as here, here.pool.acquire() as connection:
        first = await run_night(here, 1)
        second = await run_night(here, 300, repeats=2)
        found = await compare_controls(connection, first, second, ["control"])
        assert found == {"control": ControlFinding(6, ())}

        edited = SuiteContent(
            (*CONTENT.questions[:5], make_question(6, input="What is six twice?", target="12"))
        )
        third = await run_night(here, 301, edited)
        found = await compare_controls(connection, second, third, ["control"])
        assert found == {"control": ControlFinding(5, ())}

        async with httpx.AsyncClient(base_url=here.provider_url) as client:
            (await client.patch("/admin/models/control", json={"output": "fenced"})).raise_for_status()
        fourth = await run_night(here, 302)
        found = await compare_controls(connection, third, fourth, ["control"])
        assert found["control"] == ControlFinding(5, ("q-1", "q-2", "q-3", "q-4", "q-5"))


async def test_answers_that_differ_within_a_night_are_no_common_digest(places: tuple[str, str, Path]) -> None:
    async with install(*places, CONTENT, FLEET) as here, here.pool.acquire() as connection:
        one, two = [await run_night(here, night, repeats=2) for night in (1, 2)]
        await connection.execute("ALTER TABLE pairs DISABLE TRIGGER USER")
        await connection.execute(
            "UPDATE pairs SET response = response || ' '"
            " WHERE run_id = $1 AND model = 'control' AND repeat = 2",
            two,
        )
        found = await compare_controls(connection, one, two, ["control"])
        assert found["control"].changed == ("q-1", "q-2", "q-3", "q-4", "q-5", "q-6")


async def test_what_was_not_answered_is_not_compared(places: tuple[str, str, Path]) -> None:
    down = {"control": {**FLEET["control"], "faults": {"server_error": 1}}, "bright": {}}
    async with (
        install(*places, CONTENT, down, max_attempts=1) as here,
        here.pool.acquire() as connection,
    ):
        one, two = [await run_night(here, night) for night in (1, 2)]
        assert await read_control_answers(connection, one, ["control", "stranger"]) == {
            "control": {},
            "stranger": {},
        }
        assert await compare_controls(connection, one, two, ["control"]) == {"control": ControlFinding(0, ())}


async def test_no_judge_is_paid_for_what_a_control_says(places: tuple[str, str, Path]) -> None:
    judged = make_suite(4, scorer=Scorer("llm-rubric"))
    async with install(*places, judged, FLEET) as here:
        run_id = await run_night(here, 1, judged, judge=JUDGE)
        assert await here.requests("judge") == 4
        totals = await here.totals(run_id)
        assert totals["bright"].coverage == 1.0
        assert totals["control"].accuracy is None
        assert totals["control"].errors == {ErrorKind.CONTROL: 4}
        async with here.pool.acquire() as connection:
            answers = await read_control_answers(connection, run_id, ["control"])
        assert len(answers["control"]) == 4
