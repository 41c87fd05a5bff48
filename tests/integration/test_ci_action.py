"""The GitHub Action and the workflows: their shell steps run as GitHub would run them, their YAML read."""

import os
import re
import site as python_site
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.actions import ACTION, Runner
from tests.integration.commands import ROOT
from tests.integration.fake_github import TOKEN, FakeGitHub, serve_github
from tests.integration.gating import Site, open_site

CI = ROOT / "deploy" / "ci"
FEW = "--model=bright\n--sample=30\n--margin=0.1\n"
ON_MAIN = FEW + "--label=branch=main\n"


@pytest.fixture(scope="module")
async def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RUNNER_TEMP in which the Action has installed the command; its libraries are those of the tests."""
    temp = tmp_path_factory.mktemp("runner")
    libraries = {
        "PYTHONPATH": os.pathsep.join(python_site.getsitepackages()),
        "PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0",
    }  # fmt: skip
    ended = await Runner(temp, temp, {**os.environ, **libraries}).install()
    assert ended.code == 0, ended.log
    assert (temp / "driftwarden" / "bin" / "driftwarden").exists()
    return temp


@pytest.fixture
async def site(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(database_url, redis_url, tmp_path) as site:
        yield site


@pytest.fixture
async def github() -> AsyncIterator[FakeGitHub]:
    async with serve_github() as github:
        yield github


@pytest.fixture
def runner(site: Site, github: FakeGitHub, installed: Path) -> Runner:
    path = os.pathsep.join([*python_site.getsitepackages(), str(ROOT)])
    event = site.terminal.write("event.json", '{"pull_request": {"number": 7}}')
    told = {"PYTHONPATH": path, "GITHUB_EVENT_PATH": str(event)}
    environment = {**site.terminal.environment, **github.environment(token="unused"), **told}
    return Runner(installed, site.terminal.folder, environment)


def inputs(site: Site, **changed: str) -> dict[str, str]:
    return {
        "suite": "golden.csv",
        "server_url": site.terminal.environment["DRIFTWARDEN_URL"],
        "api_key": site.terminal.environment["DRIFTWARDEN_API_KEY"],
        "baseline_label": "branch=main",
        "arguments": ON_MAIN,
        "github_token": TOKEN,
        **changed,
    }


async def test_a_pull_request_is_gated_commented_and_stopped(
    site: Site, github: FakeGitHub, runner: Runner
) -> None:
    first = await runner.use(**inputs(site))
    assert (first.code, first.outputs["exit-code"]) == (0, "3"), first.log
    assert "::warning title=Driftwarden gate::Inconclusive or not measured" in first.log
    assert github.comments == []
    strict = await runner.use(**inputs(site, baseline_label="branch=other", fail_on_inconclusive="true"))
    assert strict.code == 3

    second = await runner.use("pull_request", **inputs(site))
    assert (second.code, second.outputs["exit-code"]) == (0, "0"), second.log
    assert second.summary.startswith("### Driftwarden gate: PASS")
    assert "gate: PASS" in github.comments[0].body
    assert Path(second.outputs["results"]).exists()

    await site.change("bright", skill=0.2)
    third = await runner.use("pull_request", **inputs(site, arguments=FEW))
    assert (third.code, third.outputs["exit-code"]) == (1, "1")
    assert "::error title=Driftwarden gate::Regression" in third.log
    [comment] = github.comments
    assert "gate: REGRESSION" in comment.body


async def test_a_mistake_stops_the_job_and_what_is_given_is_never_run(
    site: Site, github: FakeGitHub, runner: Runner, tmp_path: Path
) -> None:
    planted = tmp_path / "planted"
    nasty = f'"; touch {planted}; $(touch {planted}) `touch {planted}`'
    ended = await runner.use("pull_request", **inputs(site, suite=nasty, comment_name="quick"))
    assert ended.code == 2
    assert "::error title=Driftwarden gate::Usage or configuration" in ended.log
    assert not planted.exists()
    assert "gate: NOT RUN" in github.comments[0].body


@pytest.mark.slow
async def test_a_fork_that_may_not_comment_is_gated_all_the_same(
    site: Site, github: FakeGitHub, runner: Runner
) -> None:
    ended = await runner.use("pull_request", **inputs(site, github_token="ghs_read"))
    assert (ended.code, github.comments) == (0, [])
    assert "GitHub does not let this job comment" in ended.log

    away = replace(runner, environment={**runner.environment, "GITHUB_REPOSITORY": "octo/absent"})
    assert (await away.use("pull_request", **inputs(site, quick="true"))).code == 0


def workflows() -> list[Path]:
    return sorted((CI / "github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", workflows(), ids=lambda path: path.stem)
def test_workflows_use_the_action_as_it_is(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    action = yaml.safe_load(ACTION.read_text())
    steps: list[dict[str, Any]] = workflow["jobs"]["gate"]["steps"]
    [used] = [step for step in steps if "driftwarden" in step.get("uses", "")]
    assert used["uses"].split("@")[0].endswith("/" + str(ACTION.parent.relative_to(ROOT)))
    assert used["with"].keys() <= action["inputs"].keys()
    needed = {name for name, declared in action["inputs"].items() if declared.get("required")}
    assert needed <= used["with"].keys()
    outputs = set(re.findall(r"steps\.driftwarden\.outputs\.([a-z-]+)", path.read_text()))
    assert outputs <= action["outputs"].keys()
    assert "timeout-minutes" in workflow["jobs"]["gate"]


def test_the_full_gate_keeps_its_reports_and_stands_before_the_deployment() -> None:
    jobs = yaml.safe_load((CI / "github" / "workflows" / "gate-full.yml").read_text())["jobs"]
    [upload] = [step for step in jobs["gate"]["steps"] if "upload-artifact" in step.get("uses", "")]
    assert upload["with"]["retention-days"] == 30
    assert jobs["deploy"]["needs"] == "gate"


@pytest.mark.slow
async def test_the_gitlab_jobs_run_as_they_stand(site: Site, installed: Path) -> None:
    pipeline = yaml.safe_load((CI / "gitlab" / "driftwarden.gitlab-ci.yml").read_text())
    assert pipeline[".driftwarden"]["allow_failure"] == {"exit_codes": 3}
    variables = {**pipeline["variables"], "DRIFTWARDEN_SUITE": "golden.csv"}
    path = os.pathsep.join([str(installed / "driftwarden" / "bin"), os.environ["PATH"]])
    terminal = replace(
        site.terminal,
        environment={
            **site.terminal.environment, **variables, "PATH": path,
            "PYTHONPATH": os.pathsep.join([*python_site.getsitepackages(), str(ROOT)]),
            "CI_COMMIT_REF_NAME": "main", "CI_DEFAULT_BRANCH": "main",
        },
    )  # fmt: skip
    codes = []
    for job in ("driftwarden-full", "driftwarden-quick"):
        [script] = pipeline[job]["script"]
        codes.append(await _run_in_bash(script, terminal.folder, terminal.environment))
    assert codes == [3, 0]
    assert (terminal.folder / "gate.xml").exists()


async def _run_in_bash(script: str, folder: Path, environment: dict[str, str]) -> int:
    import asyncio

    process = await asyncio.create_subprocess_exec("bash", "-ec", script, cwd=folder, env=environment)
    async with asyncio.timeout(180):
        return await process.wait()
