"""The verdict on two runs in words: what was found, and what would decide an open comparison."""

from collections.abc import Sequence
from typing import assert_never

from services.api.dashboard import numbers
from services.api.schemas.comparison import ComparedRun, RunComparison
from shared.domain.figures.comparison import GateVerdict
from shared.domain.telling.wording import name_some

REPEATS = 4


def write_headline(told: RunComparison) -> str:
    if told.same_answers:
        return "Two judges, the same answers"
    match told.verdict:
        case GateVerdict.PASS if told.pooled.lower > 0:
            return "The candidate is better"
        case GateVerdict.PASS:
            return f"Not worse by {numbers.size(told.margin)} points or more"
        case GateVerdict.FAIL:
            worse = [one.candidate_model for one in told.models if one.verdict is GateVerdict.FAIL]
            return (
                f"{name_some(worse)} {'answers' if len(worse) == 1 else 'answer'} worse" if worse else "Worse"
            )
        case GateVerdict.INCONCLUSIVE:
            return "Too few questions to tell"
        case never:
            assert_never(never)


def choose_stamp(told: RunComparison) -> tuple[str, str]:
    """Its words and its kind."""
    if told.same_answers:
        return "TWO JUDGES", ""
    match told.verdict:
        case GateVerdict.PASS:
            return "PASS", "pass"
        case GateVerdict.FAIL:
            return "REGRESSION", "regression"
        case GateVerdict.INCONCLUSIVE:
            return "INCONCLUSIVE", "inconclusive"
        case never:
            assert_never(never)


def tell_finding(told: RunComparison) -> list[str]:
    pooled, margin = told.pooled, numbers.size(told.margin)
    fits = (
        f"anything from {numbers.points(pooled.lower)} to {numbers.points(pooled.upper)} points fits the data"
    )
    if told.same_answers:
        return [
            "Both runs score the same answers, so what differs is the judges' doing:"
            " no model is better or worse.",
            f"{name_judge(told.baseline)} gives {numbers.share(pooled.baseline_accuracy)},"
            f" {name_judge(told.candidate)} {numbers.share(pooled.candidate_accuracy)}; {fits}.",
        ]
    together = (
        "The candidate" if len(told.models) == 1 else f"All {len(told.models)} models together: the candidate"
    )
    sentences = [f"{together} {_tell_size(pooled.difference)}, and {fits}."]
    match told.verdict:
        case GateVerdict.PASS:
            sentences.append(f"A loss of {margin} points doesn't fit them.")
        case GateVerdict.FAIL if pooled.verdict is not GateVerdict.FAIL:
            sentences.append("One model that is worse is enough for a regression, whatever the others do.")
        case GateVerdict.FAIL:
            sentences.append("Chance alone is not a sufficient reason.")
        case GateVerdict.INCONCLUSIVE:
            asked = numbers.many(pooled.questions, _unit(told))
            sentences.append(f"{asked} can't settle a margin of {margin} points.")
        case never:
            assert_never(never)
    then, now = _name_prompt(told.baseline), _name_prompt(told.candidate)
    if then != now:
        sentences.append(f"The prompt was changed in between, from {then} to {now}.")
    return sentences


def _name_prompt(run: ComparedRun) -> str:
    return f"{run.prompt} v{run.prompt_version}" if run.prompt else "the question alone"


def _tell_size(difference: float) -> str:
    size = numbers.size(difference)
    if size == "0.0":
        return "scores the same"
    return f"is {size} point{'' if size == '1.0' else 's'} {'lower' if difference < 0 else 'higher'}"


def tell_settling(told: RunComparison, costs: Sequence[float | None]) -> list[str]:
    """What would decide an open comparison, and for how much: both runs have to be asked again."""
    if told.same_answers or told.verdict is not GateVerdict.INCONCLUSIVE:
        return []
    pooled, unit = told.pooled, _unit(told)
    if pooled.verdict is not GateVerdict.INCONCLUSIVE:
        return ["A model was not compared; give it a score in both runs."]
    again = pooled.questions_needed_with_4_repeats
    more = f"{numbers.many(pooled.questions_needed, unit)}{_price(pooled.questions_needed, costs)}"
    if again <= pooled.questions:
        repeated = f"{REPEATS} repeats of these {numbers.count(pooled.questions)}"
        repeated += _price(REPEATS * pooled.questions, costs)
    else:
        repeated = f"{numbers.many(again, unit)} asked {REPEATS} times each{_price(REPEATS * again, costs)}"
    if pooled.questions_needed <= pooled.questions:
        return [f"{repeated}, in both runs: so many are enough in 8 of 10 cases, but these were not."]
    return [f"{more}, or {repeated}, in both runs."]


def _price(pairs: int, costs: Sequence[float | None]) -> str:
    before, after = costs
    if before is None or after is None:
        return " (cost not known)"
    return f" (about {numbers.usd(pairs * (before + after))} USD)"


def _unit(told: RunComparison) -> str:
    return "question" if len(told.models) == 1 else "pair"


def name_judge(run: ComparedRun) -> str:
    return f"{run.judge} v{run.judge_version}"
