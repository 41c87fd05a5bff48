"""`driftwarden gate-comment` keeps one comment below a pull request, against a GitHub API over real HTTP."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.commands import ROOT, Terminal
from tests.integration.fake_github import FakeGitHub, refusal, serve_github

COMMAND = ("gate-comment", "gate.md", "--pull-request", "7")
MARKER = "<!-- driftwarden-gate: gate -->\n"


@pytest.fixture
async def github() -> AsyncIterator[FakeGitHub]:
    async with serve_github() as github:
        yield github


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    terminal = Terminal(tmp_path, {**outside, "PYTHONPATH": str(ROOT)})
    terminal.write("gate.md", "### Driftwarden gate: PASS")
    return terminal


async def test_the_first_gate_writes_and_the_next_ones_edit(github: FakeGitHub, terminal: Terminal) -> None:
    for number in range(250):
        github.write(f"comment {number}, which quotes <!-- driftwarden-gate: gate -->")
    first = await terminal(*COMMAND, **github.environment())
    github.write("a later one")
    terminal.write("gate.md", "### Driftwarden gate: REGRESSION")
    second = await terminal(*COMMAND, **github.environment())
    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert "wrote https://github.example/octo/app/pull/7#issuecomment-350" in first.err
    assert "edited https://github.example/octo/app/pull/7#issuecomment-350" in second.err
    assert len(github.comments) == 252
    assert github.comments[250].body == f"{MARKER}### Driftwarden gate: REGRESSION\n"


async def test_gates_by_other_names_have_comments_of_their_own(
    github: FakeGitHub, terminal: Terminal
) -> None:
    for name in ("quick", "full", "quick"):
        await terminal(*COMMAND, "--name", name, **github.environment())
    assert [comment.body.splitlines()[0] for comment in github.comments] == [
        "<!-- driftwarden-gate: quick -->",
        "<!-- driftwarden-gate: full -->",
    ]


async def test_a_fork_may_not_comment_and_that_is_told_kindly(github: FakeGitHub, terminal: Terminal) -> None:
    done = await terminal(*COMMAND, **github.environment(token="ghs_read"))
    assert done.code == 0
    assert "GitHub does not let this job comment (403 Resource not accessible by integration)" in done.err
    assert "For pull requests from forks that is usual" in done.err
    assert github.comments == []


async def test_github_being_busy_is_waited_for(github: FakeGitHub, terminal: Terminal) -> None:
    github.refusals = [
        refusal(403, "You have exceeded a secondary rate limit", retry_after="0"),
        refusal(429, "Too many requests", retry_after="0"),
        refusal(503, "Unavailable", retry_after="0"),
    ]
    done = await terminal(*COMMAND, **github.environment())
    assert done.code == 0, done.err
    assert len(github.comments) == 1


async def test_an_answer_that_got_lost_makes_no_second_comment(
    github: FakeGitHub, terminal: Terminal
) -> None:
    github.answers_to_lose = 1
    done = await terminal(*COMMAND, **github.environment())
    assert done.code == 0, done.err
    assert len(github.comments) == 1


async def test_github_being_away_gives_code_3(github: FakeGitHub, terminal: Terminal) -> None:
    github.refusals = [refusal(500, "Oops", retry_after="0") for _ in range(4)]
    done = await terminal(*COMMAND, **github.environment())
    assert done.code == 3
    assert "could not take the comment: 500 Oops" in done.err


async def test_a_huge_summary_is_cut(github: FakeGitHub, terminal: Terminal) -> None:
    terminal.write("gate.md", "x" * 100_000)
    done = await terminal(*COMMAND, **github.environment())
    assert done.code == 0, done.err
    assert github.comments[0].body.endswith("the whole text is in the job's summary.")


async def test_the_number_is_that_of_the_event(github: FakeGitHub, terminal: Terminal) -> None:
    event = terminal.write("event.json", json.dumps({"pull_request": {"number": 7}}))
    found = await terminal(
        "gate-comment", "gate.md", GITHUB_EVENT_PATH=str(event), **github.environment()
    )  # fmt: skip
    assert found.code == 0, found.err
    assert len(github.comments) == 1


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (("gate.md",), {}, "--pull-request: is missing"),
        (("gate.md", "--pull-request", "7"), {"GITHUB_TOKEN": ""}, "GITHUB_TOKEN: is not set"),
        (("gate.md", "--pull-request", "7"), {"GITHUB_TOKEN": "wrong"}, "GITHUB_TOKEN: GitHub does not know"),
        (("gate.md", "--pull-request", "8"), {}, "GitHub refused (404 Not Found)"),
        (("gate.md", "--pull-request", "7"), {"GITHUB_REPOSITORY": "app"}, "--repository: 'app'"),
        (("gate.md", "--pull-request", "7", "--name", "-->"), {}, "--name: '-->'"),
        (("absent.md", "--pull-request", "7"), {}, "absent.md: can't be read"),
    ],
)
async def test_a_mistake_gives_code_2_and_names_it(
    github: FakeGitHub,
    terminal: Terminal,
    arguments: tuple[str, ...],
    environment: dict[str, str],
    told: str,
) -> None:
    done = await terminal("gate-comment", *arguments, **{**github.environment(), **environment})
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert "ghs_" not in done.err
