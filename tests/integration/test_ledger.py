"""The terms of runs as they are stored; of imports, without what they leave out."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from shared.db import imports, prompts, suites
from shared.db.ledger import read_terms
from shared.db.pool import Connection, open_pool
from shared.domain.answers.judging import Judge
from shared.domain.causes.ledger import changes_between, comparability, tell
from shared.domain.imports import parse_results
from shared.domain.questions.imported_suites import learn
from shared.domain.questions.prompts import Message, Prompt
from shared.domain.questions.suites import Scorer, SuiteContent
from shared.domain.runs import RunId, RunKind
from shared.settings import Settings
from tests.factories import make_question, submit_run

JUDGED = [make_question(number, scorer=Scorer("llm-rubric")) for number in (1, 2)]
CHECKED = [make_question(number) for number in (3, 4, 5)]
CLIENTS = {"litellm": "1.106.2", "driftwarden": "0.1.0"}
PARAMETERS = {"temperature": 0, "max_tokens": 256}
STRICT = Judge("sim-judge", "sim-judge", "Be strict.", {"temperature": 0})
MILD = Judge("sim-judge", "sim-judge", "Be mild.", {"temperature": 0})


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    async with open_pool(Settings(database_url=database_url)) as pool, pool.acquire() as connection:  # type: ignore[arg-type]
        yield connection


async def submit(connection: Connection, *questions: Any, **changed: Any) -> RunId:
    """A run of the suite `golden`, in a new version if it has other questions than before."""
    version, _ = await suites.store_suite(connection, "golden", SuiteContent(questions))
    fields = {"judge": STRICT, "parameters": PARAMETERS, "client_versions": CLIENTS, **changed}
    return await submit_run(connection, suite_version_id=version.id, **fields)


async def changes(connection: Connection, before: RunId, after: RunId) -> str:
    terms = await read_terms(connection, [before, after])
    return tell(changes_between(terms[before], terms[after]))


async def test_two_runs_on_the_same_terms_differ_in_nothing(connection: Connection) -> None:
    before, after = [await submit(connection, *JUDGED, *CHECKED) for _ in range(2)]
    assert await changes(connection, before, after) == "Nothing on your side changed."
    terms = await read_terms(connection, [before, after])
    assert comparability(terms[before]) == comparability(terms[after])
    assert terms[before].questions is terms[after].questions
    assert list(terms[before].questions) == ["q-1", "q-2", "q-3", "q-4", "q-5"]


async def test_another_prompt_begins_a_new_epoch(connection: Connection) -> None:
    versions = []
    for words in ("Be brief.", "Be kind."):
        prompt = Prompt("support", (Message("user", words + " {{input}}"),))
        async with connection.transaction():
            stored, _ = await prompts.store_prompt(connection, prompt)
        versions.append(await submit(connection, *CHECKED, prompt_id=stored.id))
    alone = await submit(connection, *CHECKED)
    assert await changes(connection, *versions) == "You changed the prompt: support v1 -> support v2."
    assert await changes(connection, versions[1], alone) == "You changed the prompt: support v2 -> none."
    terms = await read_terms(connection, [*versions, alone])
    assert len({comparability(each) for each in terms.values()}) == 3


async def test_every_change_is_read_from_what_is_stored(connection: Connection) -> None:
    before = await submit(connection, *JUDGED, *CHECKED)
    edited = [
        make_question(3, scorer=Scorer("equals")),
        make_question(4, target="nine"),
        make_question(5, input="5 and 5?"),
        make_question(6),
    ]
    after = await submit(
        connection,
        *JUDGED,
        *edited,
        judge=MILD,
        parameters={"temperature": 1, "max_tokens": 256},
        client_versions={**CLIENTS, "litellm": "1.106.3"},
    )
    assert (await changes(connection, before, after)).split(". ") == [
        "You changed the judge: sim-judge version 1 -> 2",
        "You changed the parameters: temperature 0 -> 1",
        "You changed the questions of golden (version 1 -> 2): 1 question added",
        "You rewrote 1 question: q-5",
        "You changed the target of 1 question: q-4",
        "You changed the scorer of 1 question: q-3",
        "The client changed, a possible cause: LiteLLM 1.106.2 -> 1.106.3.",
    ]


async def test_imported_runs_leave_judge_and_parameters_open(connection: Connection) -> None:
    row = b'{"run_at": "2026-01-01T02:00:00Z", "model": "bright", "suite": "golden", "question_id": "q-1", '
    row += b'"score": 1}'
    (run,) = parse_results("history.jsonl", row)
    content = learn({}, run.questions)
    version, _ = await suites.store_suite(connection, "golden", content, is_imported=True)
    (stored,) = await suites.read_questions(connection, version.id)
    imported = await imports.store_import(connection, run, run.identity, version.id, {"q-1": stored.number})
    ours = await submit(connection, make_question(1, category="general"))
    terms = (await read_terms(connection, [imported]))[imported]
    assert (terms.judge, terms.parameters, terms.is_imported) == (None, None, True)
    question = terms.questions["q-1"]
    assert (question.input, question.target, question.scorer) == (None, None, None)
    assert await changes(connection, imported, ours) == "Nothing on your side changed."


async def test_a_rejudged_run_keeps_the_terms_of_its_answers(connection: Connection) -> None:
    asked = await submit(connection, *JUDGED)
    again = await submit(
        connection,
        *JUDGED,
        judge=MILD,
        kind=RunKind.RERUN,
        rejudges=asked,
        client_versions={"litellm": "2.0"},
        parameters={},
        git_commit="f" * 40,
    )
    assert await changes(connection, asked, again) == "You changed the judge: sim-judge version 1 -> 2."


async def test_runs_of_one_suite_version_share_its_questions(connection: Connection) -> None:
    run_ids = [await submit(connection, *JUDGED, *CHECKED) for _ in range(10)]
    other = await submit(connection, *CHECKED)
    terms = await read_terms(connection, [*run_ids, other, RunId(uuid4())])
    assert terms.keys() == {*run_ids, other}
    assert len({id(terms[run_id].questions) for run_id in run_ids}) == 1
    assert list(terms[other].questions) == ["q-3", "q-4", "q-5"]
