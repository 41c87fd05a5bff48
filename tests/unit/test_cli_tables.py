"""What tables look like on a terminal of 80 columns, and that nothing unmeasured reads as a zero."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from rich.console import Console, RenderableType

from services.cli.comparison import describe_comparison
from services.cli.leaderboard import describe_leaderboard
from services.cli.numbers import SPACE
from services.cli.results import describe_results
from services.cli.run_tables import describe_estimate, describe_run, describe_runs
from services.cli.server import Json
from services.cli.stats import describe_stats

RUN_ID = "0b7e3c0e-8d0f-4d8e-9a53-1f3f5a4b2c11"
LONG_NAME = "openrouter/anthropic/claude-sonnet-4-5-20250929"


def text_of(parts: Iterable[RenderableType], width: int = 80) -> str:
    """What is printed, with plain spaces."""
    console = Console(width=width, color_system=None, markup=False, emoji=False, highlight=False)
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return capture.get().replace(SPACE, " ")


def cells_of(text: str, beginning: str) -> list[str]:
    [line] = [line for line in text.splitlines() if line.split()[:1] == [beginning]]
    return line.split()


def place(**changed: Any) -> Json:
    return {
        "rank": 1, "rank_best": 1, "rank_worst": 1, "tied": False, "model": "bright", "accuracy": 0.8264,
        "accuracy_lower": 0.7312, "accuracy_upper": 0.8888, "n": 50, "coverage": 1.0, "pass_rate": 0.8,
        "latency_mean_seconds": 0.5, "latency_p95_seconds": 1.234, "cost_usd": 0.42, "run_id": RUN_ID,
        "finished_at": "2026-11-21T03:59:30Z", "note": None, **changed,
    }  # fmt: skip


UNMEASURED = place(
    rank=None, rank_best=None, rank_worst=None, model="dark", accuracy=None, accuracy_lower=None,
    accuracy_upper=None, n=0, coverage=0.0, latency_mean_seconds=None, cost_usd=None,
    note="no answer: 50 × timeout",
)  # fmt: skip


def board(*items: Json) -> Json:
    return {"suite": "golden", "category": "all", "items": list(items)}


def aggregate(**changed: Any) -> Json:
    return {
        "model": "bright", "category": "all", "accuracy": 0.8, "accuracy_lower": 0.7, "accuracy_upper": 0.9,
        "coverage": 0.96, "questions": 48, "latency_p95_seconds": 1.2, "cost_usd": 0.1, "errors": {},
        **changed,
    }  # fmt: skip


def run(**changed: Any) -> Json:
    return {
        "id": RUN_ID, "kind": "adhoc", "state": "completed", "suite": "golden", "suite_version": 3,
        "judge": None, "judge_version": None, "prompt": None, "prompt_version": None,
        "models": ["bright"], "repeats": 1, "sample": None,
        "max_cost_usd": None, "spent_usd": 0.1, "labels": {}, "git_commit": None,
        "stop_reason": None, "error": None, "planned_pairs": 50, "created_at": "2026-11-21T03:59:30Z",
        "finished_at": "2026-11-21T04:01:30Z", "schedule": None, "night": None, "attempt": None,
        "progress": None, "aggregates": [aggregate()], **changed,
    }  # fmt: skip


def test_a_place_is_told_with_its_interval_and_coverage() -> None:
    text = text_of(describe_leaderboard(board(place())))
    assert cells_of(text, "1") == ["1", "bright", "82.6", "%", "73.1–88.9", "100.0", "%", "0.50", "0.42"]
    assert "95 % interval" in text


def test_models_that_were_not_measured_have_dashes_and_a_reason() -> None:
    text = text_of(describe_leaderboard(board(place(), UNMEASURED)), width=200)
    assert cells_of(text, "–")[:8] == ["–", "dark", "–", "–", "0.0", "%", "–", "–"]
    assert "no answer: 50 × timeout" in text


def test_ties_are_ranges_and_explained() -> None:
    tied = place(rank=2, rank_best=2, rank_worst=4, tied=True)
    assert cells_of(text_of(describe_leaderboard(board(tied))), "2–4")
    assert "leaves open" in text_of(describe_leaderboard(board(tied)))
    assert "leaves open" not in text_of(describe_leaderboard(board(place())))


def test_an_empty_leaderboard_says_what_to_do() -> None:
    assert "driftwarden run" in text_of(describe_leaderboard({"suite": None, "category": "all", "items": []}))


def test_a_list_of_runs_shows_whole_ids_at_80_columns() -> None:
    page = {"items": [run(state="stopped_by_budget", suite="a-suite-with-a-long-name")], "next_cursor": "x"}
    text = text_of(describe_runs(page))
    assert RUN_ID in text
    assert "2026-11-21 03:59" in text
    assert "There are more" in text


def test_a_list_with_nights_still_shows_whole_ids_at_80_columns() -> None:
    night = run(schedule="nightly", night="2026-11-21", attempt=2)
    text = text_of(describe_runs({"items": [night, run()]}))
    assert text.count(RUN_ID) == 2
    for part in ("nightly,", "2026-11-21", "(2nd", "confirmation)", "golden v3"):
        assert part in text


def test_unmeasured_categories_tell_why() -> None:
    dark = aggregate(
        category="law", accuracy=None, accuracy_lower=None, accuracy_upper=None, coverage=0.0, questions=0,
        errors={"rate_limited": 3, "timeout": 9},
    )  # fmt: skip
    text = text_of(describe_run(run(aggregates=[aggregate(), aggregate(category="math"), dark])), width=200)
    [line] = [line for line in text.splitlines() if " law " in line]
    assert line.split()[2:6] == ["–", "–", "0.0", "%"]
    assert "9 × timeout, 3 × rate limited" in line


def test_an_estimate_without_prices_has_no_total() -> None:
    row = {
        "model": "own",
        "pairs": 50,
        "input_tokens": 1,
        "output_tokens": 2,
        "cost_usd": None,
        "note": "no price",
    }
    estimate = {
        "pairs": 50, "models": [row], "judge": None, "total_usd": None, "assumptions": ["One."],
        "duration_seconds": None, "detectable_difference": 0.12, "expected_accuracy": 0.8,
    }  # fmt: skip
    text = text_of(describe_estimate(estimate))
    assert "at a cost that is not known" in text
    assert "no price" in text
    assert "0.00" not in text


def test_repeats_of_a_question_are_told_apart() -> None:
    row = {
        "question": "q1", "model": "bright", "state": "failed", "passed": None, "score": None,
        "reason": None, "error_detail": None, "error_kind": "timeout",
    }  # fmt: skip
    text = text_of(describe_results({"items": [{**row, "repeat": 1}, {**row, "repeat": 2}]}))
    assert [line.split()[:2] for line in text.splitlines()[1:]] == [["q1", "bright"], ["q1", "#2"]]


def paired(**changed: Any) -> Json:
    return {
        "verdict": "inconclusive", "questions": 200, "baseline_accuracy": 0.84, "candidate_accuracy": 0.83,
        "difference": -0.01, "lower": -0.05, "upper": 0.03, "margin": 0.03, "questions_needed": 816,
        "questions_needed_with_4_repeats": 204, "broke": 5, "fixed": 3, "baseline_model": "bright",
        "candidate_model": "bright", "categories": [], **changed,
    }  # fmt: skip


def measured_run(**changed: Any) -> Json:
    return {"judge": "arbiter", "judge_version": 1, "prompt": None, "prompt_version": None, **changed}


def comparison(verdict: str, *models: Json, **changed: Any) -> Json:
    flips = {"broke": 0, "fixed": 0, "items": []}
    return {
        "verdict": verdict, "margin": 0.03, "pooled": paired(), "models": list(models), "not_compared": [],
        "flips": flips, "same_answers": False, "baseline": measured_run(), "candidate": measured_run(),
        **changed,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "stamp"), [("pass", "PASS"), ("fail", "REGRESSION"), ("inconclusive", "INCONCLUSIVE")]
)
def test_a_comparison_begins_with_its_verdict(verdict: str, stamp: str) -> None:
    assert text_of(describe_comparison(comparison(verdict, paired()))).startswith(stamp)


def test_two_judges_of_the_same_answers_are_not_told_as_better_and_worse_models() -> None:
    judges = {
        side: measured_run(judge=name, judge_version=2)
        for side, name in (("baseline", "mild"), ("candidate", "stern"))
    }
    told = comparison("fail", paired(verdict="fail"), same_answers=True, **judges)
    text = text_of(describe_comparison(told), width=300)
    assert text.startswith("TWO JUDGES")
    assert "mild v2 gives 84.0" in text.replace("\N{NO-BREAK SPACE}", " ")
    assert "REGRESSION" not in text
    assert "worse" not in text
    assert cells_of(text, "bright")[-1] == "stricter"


def test_a_change_of_the_prompt_is_told_with_what_it_was_worth() -> None:
    sides = {"baseline": measured_run(), "candidate": measured_run(prompt="support", prompt_version=2)}
    change = "The prompt was changed, from the question alone to support v2."
    for interval, told in (
        ({"lower": 0.01, "upper": 0.05, "difference": 0.03}, "It made the answers better by +3.0 points."),
        ({"lower": -0.05, "upper": -0.01, "difference": -0.03}, "It made the answers worse by +3.0 points."),
        ({}, "No improvement is shown"),
    ):
        pooled = paired(**interval)
        text = text_of(describe_comparison(comparison("pass", pooled, pooled=pooled, **sides)), width=300)
        assert f"{change} {told}" in text


def test_an_open_comparison_says_what_would_settle_it() -> None:
    text = text_of(describe_comparison(comparison("inconclusive", paired())), width=300)
    assert "from −5.0 to +3.0 points" in text
    assert "816" in text
    assert "204" in text
    assert cells_of(text, "bright") == [
        "bright",
        "84.0",
        "%",
        "83.0",
        "%",
        "−1.0",
        "−5.0",
        "to",
        "+3.0",
        "5",
        "3",
        "open",
    ]


def test_two_models_are_compared_by_both_names() -> None:
    text = text_of(describe_comparison(comparison("pass", paired(candidate_model="dim"))), width=200)
    assert "bright → dim" in text


def test_of_several_models_only_the_categories_that_got_worse_are_shown() -> None:
    categories = [
        {**paired(), "category": "math", "is_worse": True},
        {**paired(), "category": "law", "is_worse": False},
    ]
    one = text_of(describe_comparison(comparison("fail", paired(categories=categories))), width=200)
    two = text_of(describe_comparison(comparison("fail", paired(categories=categories), paired())), width=200)
    assert ("math" in one, "law" in one) == (True, True)
    assert ("math" in two, "law" in two) == (True, False)


def test_what_was_not_compared_is_named() -> None:
    missing = [{"model": "dark", "reason": "only in the baseline"}]
    text = text_of(describe_comparison(comparison("inconclusive", paired(), not_compared=missing)))
    assert "dark was not compared: only in the baseline." in text


def test_flips_show_both_answers_and_how_many_are_not_shown() -> None:
    flip = {
        "model": "bright", "question": "q7", "category": "math", "score_before": 1.0, "score_after": 0.0,
        "answer_before": "4", "answer_after": None,
    }  # fmt: skip
    flips = {"broke": 14, "fixed": 1, "items": [flip] * 12}
    text = text_of(describe_comparison(comparison("fail", paired(), flips=flips)), width=200)
    assert text.count("q7") == 10
    assert "5 more questions flipped" in text


def test_statistics_of_a_quiet_period_are_no_zeros_of_scores() -> None:
    nothing = {"perfect": 0, "partial": 0, "failed": 0, "unscored": 0}
    stats = {
        "period": "24h", "summary": {"runs": 0, "items": 0, "average_score": None}, "top_models": [],
        "score_distribution": nothing, "runs_over_time": [], "latency_over_time": [], "top_datasets": [],
    }  # fmt: skip
    assert cells_of(text_of(describe_stats(stats)), "average") == ["average", "score", "–"]


LONG = {"model": LONG_NAME, "errors": {"judge_unparsable": 12}, "category": "instruction following"}


@pytest.mark.parametrize(
    "make",
    [
        lambda: describe_leaderboard(board(place(model=LONG_NAME, note="no answer: 1 200 × rate limited"))),
        lambda: describe_run(run(aggregates=[aggregate(model=LONG_NAME), aggregate(**LONG), aggregate()])),
        lambda: describe_runs({"items": [run(state="stopped_by_budget", suite="a-suite-with-a-long-name")]}),
    ],
)
def test_long_names_wrap_and_nothing_is_cut_off_at_80_columns(
    make: Callable[[], Iterable[RenderableType]],
) -> None:
    narrow, wide = text_of(make()), text_of(make(), width=1000)
    assert all(len(line) <= 80 for line in narrow.splitlines())
    assert Counter("".join(narrow.split())) == Counter("".join(wide.split()))
