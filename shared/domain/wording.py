"""Drift in plain words: streams, evidence and budgets as a sentence says them to someone in a hurry.

It needs nothing else, so that a command that prints a sentence starts at once.
"""

import math

HARDLY = 0.001  # of what an alarm takes; what is below has no use as a number
MANY = 10_000
_STREAMS = {
    "accuracy": "accuracy",
    "weighted": "accuracy on the steady questions",
    "refusal": "the share of refusals",
    "format_failure": "the share of malformed answers",
    "provider_error": "the share of calls without an answer",
    "unscored": "the share of answers that could not be scored",
    "slow_calls": "the share of slow calls",
    "latency": "latency",
    "output_tokens": "the length of answers",
    "cost": "the cost of an answer",
    "anchors": "what the judge says of its anchors",
    "controls": "the answers of the controls",
    "coverage": "how much could be measured",
    "decay": "accuracy against the pinned baseline",
}


def name_stream(stream: str) -> str:
    """`category:math` -> `accuracy in math`."""
    kind, is_category, name = stream.partition(":")
    return f"accuracy in {name}" if is_category and kind == "category" else _STREAMS.get(stream, stream)


def tell_evidence(ratio: float | None) -> str:
    """Evidence over what an alarm takes, for a sentence that goes on from `the evidence is …`."""
    if ratio is None:
        return "not measured"
    if ratio < HARDLY:
        return "less than a thousandth of what an alarm takes"
    if ratio < 1:
        percent = min(100 * ratio, 99.0)
        return f"{percent:.{1 if percent < 10 else 0}f} % of what an alarm takes"
    if ratio < MANY:
        return f"{ratio:.{1 if ratio < 10 else 0}f} times what an alarm takes"
    return f"about 10^{math.floor(math.log10(ratio))} times what an alarm takes"


def tell_budget(nights_per_false_alarm: float, watched_models: int) -> str:
    """How often chance alone raises an alarm: a promise about all models, not about this one."""
    models = "the one watched model" if watched_models == 1 else f"all {watched_models} watched models"
    return f"Chance alone raises at most one alarm in {nights_per_false_alarm:.0f} nights, over {models}."
