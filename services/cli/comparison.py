"""Two runs compared, as sentences and tables."""

from collections.abc import Iterator

from rich.console import RenderableType

from services.cli.numbers import count, many, points, points_interval, score, share
from services.cli.render import sentence, table
from services.cli.server import Json

SHOWN_FLIPS = 10
DIFFERENCE_HEADS = (">before", ">after", ">points", ">interval", ">broke", ">fixed")
FINDINGS = {"pass": "not worse", "fail": "worse", "inconclusive": "open"}
JUDGES_FINDINGS = {**FINDINGS, "pass": "not stricter", "fail": "stricter"}


def describe_comparison(comparison: Json) -> Iterator[RenderableType]:
    """The verdict, each model's difference, where it lies, and the questions that flipped."""
    yield sentence(_tell_verdict(comparison))
    if told := _tell_prompts(comparison):
        yield sentence(told)
    models = comparison["models"]
    findings = JUDGES_FINDINGS if comparison["same_answers"] else FINDINGS
    yield table(
        ["~model", *DIFFERENCE_HEADS, "so"],
        [[_name_model(model), *write_difference(model), findings[model["verdict"]]] for model in models],
    )
    categories = [
        [_name_model(model), category["category"], *write_difference(category)]
        for model in models
        for category in model["categories"]
        if category["is_worse"] or len(models) == 1
    ]
    if categories:
        yield table(["~model", "~category", *DIFFERENCE_HEADS], categories)
    for missing in comparison["not_compared"]:
        yield sentence(f"{missing['model']} was not compared: {missing['reason']}.")
    yield from _describe_flips(comparison["flips"])


def _tell_verdict(comparison: Json) -> str:
    """The finding over all models, with what would decide it where it is open."""
    pooled, margin = comparison["pooled"], 100 * comparison["margin"]
    fits = f"anything from {points_interval(pooled['lower'], pooled['upper'])} points fits the data"
    on = f"on {many(pooled['questions'], 'pair')} of answers"
    if comparison["same_answers"]:
        before, after = (_name_judge(comparison[side]) for side in ("baseline", "candidate"))
        return (
            f"TWO JUDGES: both runs score the same answers, so what differs is the judges' doing, not the"
            f" models'. {before} gives {share(pooled['baseline_accuracy'])}, {after}"
            f" {share(pooled['candidate_accuracy'])} {on}; {fits}."
        )
    match comparison["verdict"]:
        case "pass":
            return f"PASS: the candidate is not worse by {margin:.1f} points or more, {on}; {fits}."
        case "fail":
            return f"REGRESSION: the candidate is worse, {on}; over all models {fits}."
        case _:
            return (
                f"INCONCLUSIVE: {on}, {fits}, and {margin:.1f} points would matter. "
                f"About {count(pooled['questions_needed'])} pairs would settle it, "
                f"or {count(pooled['questions_needed_with_4_repeats'])} asked four times each."
            )


def _tell_prompts(comparison: Json) -> str | None:
    """Whether another prompt made the answers better, where that is what differs."""
    before, after = (_name_prompt(comparison[side]) for side in ("baseline", "candidate"))
    if before == after:
        return None
    pooled = comparison["pooled"]
    change = f"The prompt was changed, from {before} to {after}."
    if pooled["lower"] > 0:
        return f"{change} It made the answers better by {points(pooled['difference'])} points."
    if pooled["upper"] < 0:
        return f"{change} It made the answers worse by {points(-pooled['difference'])} points."
    return f"{change} No improvement is shown: it may as well have changed nothing."


def _name_prompt(run: Json) -> str:
    return f"{run['prompt']} v{run['prompt_version']}" if run["prompt"] else "the question alone"


def _name_judge(run: Json) -> str:
    return f"{run['judge']} v{run['judge_version']}"


def _name_model(model: Json) -> str:
    before, after = model["baseline_model"], model["candidate_model"]
    return str(after) if before == after else f"{before} → {after}"


def write_difference(compared: Json) -> list[str]:
    """Before, after, points, interval, broke, fixed."""
    return [
        share(compared["baseline_accuracy"]),
        share(compared["candidate_accuracy"]),
        points(compared["difference"]),
        points_interval(compared["lower"], compared["upper"]),
        count(compared["broke"]),
        count(compared["fixed"]),
    ]


def _describe_flips(flips: Json) -> Iterator[RenderableType]:
    shown = flips["items"][:SHOWN_FLIPS]
    if not shown:
        return
    yield table(
        ["~question", "~model", ">before", ">after", "~answer before", "~answer after"],
        [
            [
                flip["question"],
                flip["model"],
                score(flip["score_before"]),
                score(flip["score_after"]),
                flip["answer_before"] or "",
                flip["answer_after"] or "",
            ]
            for flip in shown
        ],
    )
    unseen = flips["broke"] + flips["fixed"] - len(shown)
    if unseen:
        yield sentence(f"{count(unseen)} more questions flipped; --json shows more of them.")
