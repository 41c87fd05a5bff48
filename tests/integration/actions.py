"""The `run:` steps of a composite GitHub Action, run by bash as the runner runs them.

Of expressions it knows what ours use: one looked-up name, and `==` of such names with texts, joined by `&&`.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.integration.commands import ROOT

INSTALL = "Install Driftwarden"
ACTION = ROOT / "deploy" / "ci" / "github" / "action.yml"
SECONDS = 180.0
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job that used the Action ended: the code of the step that failed, or 0; what all steps said."""

    code: int
    log: str
    outputs: Mapping[str, str]
    summary: str


@dataclass(frozen=True, slots=True)
class Runner:
    """`temp` is the job's RUNNER_TEMP; the environment is the job's."""

    temp: Path
    workspace: Path
    environment: Mapping[str, str]

    async def install(self) -> Ended:
        """Run the one step that need not be run again for every use."""
        return await self._run_steps("push", {"suite": "none"}, lambda step: step["name"] == INSTALL)

    async def use(self, event: str = "push", **inputs: str) -> Ended:
        """Run all other steps; an input is given with dashes as underscores."""
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        return await self._run_steps(event, given, lambda step: step["name"] != INSTALL)

    async def _run_steps(
        self, event: str, given: Mapping[str, str], is_wanted: Callable[[Mapping[str, Any]], bool]
    ) -> Ended:
        action = yaml.safe_load(ACTION.read_text())
        unknown = given.keys() - action["inputs"].keys()
        assert not unknown, f"the Action has no input {unknown}"
        looked_up = {"github.event_name": event, "github.token": "ghs_job"}
        for name, declared in action["inputs"].items():
            assert name in given or not declared.get("required"), f"{name} is required"
            default = EXPRESSION.sub(lambda found: looked_up[found[1]], str(declared.get("default", "")))
            looked_up[f"inputs.{name}"] = given.get(name, default)
        summary = self.temp / "summary.md"
        summary.write_text("")
        log, code = "", 0
        for step in action["runs"]["steps"]:
            if "run" not in step or not is_wanted(step) or not _holds(step, looked_up):
                continue
            assert step["shell"] == "bash", "a composite action names the shell of every step"
            ended, said, outputs = await self._run(step, looked_up, summary)
            log += said
            looked_up |= {f"steps.{step.get('id')}.outputs.{name}": value for name, value in outputs.items()}
            if ended != 0 and not step.get("continue-on-error"):
                code = ended
                break
        outputs = {name: _fill(declared["value"], looked_up) for name, declared in action["outputs"].items()}
        return Ended(code, log, outputs, summary.read_text())

    async def _run(
        self, step: Mapping[str, Any], looked_up: Mapping[str, str], summary: Path
    ) -> tuple[int, str, dict[str, str]]:
        script, output = self.temp / "step.sh", self.temp / "output"
        script.write_text(step["run"])
        output.write_text("")
        process = await asyncio.create_subprocess_exec(
            *BASH, str(script),
            cwd=self.workspace,
            env={
                **self.environment,
                "RUNNER_TEMP": str(self.temp),
                "GITHUB_ACTION_PATH": str(ACTION.parent),
                "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(summary),
                **{name: _fill(value, looked_up) for name, value in step.get("env", {}).items()},
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(SECONDS):
            said, _ = await process.communicate()
        assert process.returncode is not None
        outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
        return process.returncode, said.decode(), outputs


def _fill(text: str, looked_up: Mapping[str, str]) -> str:
    return EXPRESSION.sub(lambda found: looked_up.get(found[1], ""), str(text))


def _holds(step: Mapping[str, Any], looked_up: Mapping[str, str]) -> bool:
    condition = str(step.get("if", ""))
    if not condition:
        return True
    sides = [re.fullmatch(r"\s*(\S+) == '([^']*)'\s*", part) for part in condition.split("&&")]
    return all(side is not None and looked_up[side[1]] == side[2] for side in sides)
