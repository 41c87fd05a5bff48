"""The gate on recorded answers: GPT-4 and GPT-3.5 of 2023, and GPT-4o asked the same five times.

The recordings are LLMDrift's (L. Chen, M. Zaharia, J. Zou, arXiv 2307.09009) and those of B. Baldwin's
llm-stability; they are not part of this repository but may lie beside it.
"""

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from services.cli.gate.outcome import EXIT_CODES
from shared.domain.figures.comparison import DEFAULT_MARGIN, Comparison, compare_models
from shared.domain.figures.gate import Estimate, decide, judge_difference
from tests.e2e.test_prime import JUNE, MARCH, RECORDINGS, import_snapshot
from tests.integration.commands import Terminal, open_terminal
from tests.integration.importing import import_rows, make_row
from tests.integration.serving import Api, make_settings, serve_api

REPEATED = RECORDINGS.with_name("gpt4o_repeat5_three_tasks.jsonl.gz")
DRAWS, DRAWN_QUESTIONS = 400, 50  # draws for each of the 20 ordered pairs of runs
CLI_DRAWS = 4
MOST_FALSE_ALARMS = 0.055

repeated = pytest.mark.skipif(
    not REPEATED.exists(), reason="the recordings of five equal runs are not in ../shared/data"
)


@pytest.fixture
async def api(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serve_api(make_settings(database_url, redis_url, tmp_path)) as api:
        yield api


@pytest.fixture
def terminal(api: Api, tmp_path: Path) -> Terminal:
    return open_terminal(api, tmp_path / "work")


@pytest.mark.skipif(not RECORDINGS.exists(), reason="the LLMDrift recordings are not in ../shared/data")
async def test_gpt_4_of_june_2023_is_stopped_and_gpt_35_is_not(api: Api, terminal: Terminal) -> None:
    march, june = await import_snapshot(api, MARCH), await import_snapshot(api, JUNE)
    runs = ("--baseline", march, "--candidate", june)
    gpt_4 = await terminal("gate", *runs, "--model", "gpt-4")
    gpt_35 = await terminal("gate", *runs, "--model", "gpt-3.5")
    both = await terminal("gate", *runs)
    assert (gpt_4.code, gpt_35.code, both.code) == (1, 0, 1)
    assert "primes" in gpt_4.out


def read_runs() -> list[Mapping[str, float]]:
    """The score of each question over all three tasks, run by run."""
    runs: dict[int, dict[str, float]] = defaultdict(dict)
    with gzip.open(REPEATED, "rt") as recordings:
        for answer in map(json.loads, recordings):
            runs[answer["run"]][answer["question_id"]] = float(answer["correct"])
    return [runs[number] for number in sorted(runs)]


def gate(before: Mapping[str, float], after: Mapping[str, float]) -> int:
    """The exit code, as the command finds it."""
    fleet = compare_models({"gpt-4o": before}, {"gpt-4o": after})
    assert isinstance(fleet.pooled, Comparison)
    difference = Estimate(fleet.pooled.adjusted_difference, fleet.pooled.lower, fleet.pooled.upper)
    return EXIT_CODES[decide([judge_difference(fleet.verdict, difference, DEFAULT_MARGIN)])]


@repeated
def test_equal_runs_are_stopped_by_chance_as_rarely_as_stated(capsys: pytest.CaptureFixture[str]) -> None:
    runs = read_runs()
    questions = sorted(runs[0])
    rng = np.random.default_rng(20261121)
    codes: Counter[int] = Counter()
    for before, after in permutations(runs, 2):
        for _ in range(DRAWS):
            drawn = rng.choice(questions, DRAWN_QUESTIONS, replace=False)
            codes[gate({q: before[q] for q in drawn}, {q: after[q] for q in drawn})] += 1
    shares = {code: codes[code] / codes.total() for code in (0, 1, 3)}
    with capsys.disabled():
        told = ", ".join(f"{share:.2%} exit {code}" for code, share in shares.items())
        print(f"\nidentical GPT-4o runs, {codes.total()} draws of {DRAWN_QUESTIONS} questions: {told}")
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares[1] <= MOST_FALSE_ALARMS


@repeated
async def test_the_command_gives_the_same_code_on_the_same_draws(api: Api, terminal: Terminal) -> None:
    runs = read_runs()
    rng = np.random.default_rng(7)
    for draw in range(CLI_DRAWS):
        drawn = rng.choice(sorted(runs[0]), DRAWN_QUESTIONS, replace=False)
        before, after = (runs[number] for number in rng.choice(len(runs), 2, replace=False))
        ids = []
        for side, scores in (("before", before), ("after", after)):
            rows = [
                make_row(n, run_id=f"{draw} {side}", question_id=str(question), score=scores[question])
                for n, question in enumerate(drawn)
            ]
            [run] = await import_rows(api, *({**row, "suite": f"draw-{draw}"} for row in rows))
            ids.append(run["run_id"])
        done = await terminal("gate", "--baseline", ids[0], "--candidate", ids[1])
        expected = gate({q: before[q] for q in drawn}, {q: after[q] for q in drawn})
        assert done.code == expected, done.out
