"""Drift in plain words: streams, evidence and budgets as a sentence says them to someone in a hurry.

It needs nothing else, so that a command that prints a sentence starts at once.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import date

HARDLY = 0.001  # of what an alarm takes; what is below has no use as a number
MANY = 10_000
NAMED = 4
NOTHING_CHANGED = "Nothing on your side changed."
CAUSES = {
    "model": "Probably the model itself.",
    "judge": "Probably the judge, not the model.",
    "mixed": "Both the model and the judge moved.",
    "undetermined": "Not determined: it may be the model or the judge.",
    "harness": "Probably the harness: what stands between us and the models.",
    "you": "Probably a change on your side.",
    "outage": "An outage: answers are missing.",
    "service": "Probably the service around the model, not what it knows.",
}
_NO_STATISTICS = {
    "coverage": "This is no matter of chance: the answers are missing.",
    "controls": "This is no matter of chance: a control answers the same until something around it changes.",
}
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


def tell_certainty(
    stream: str,
    evidence_ratio: float | None,
    nights_per_false_alarm: float,
    watched_models: int,
    overdispersion: float,
    *,
    is_noisy: bool,
) -> Iterator[str]:
    """How sure an alarm is, in sentences."""
    if evidence_ratio is None:
        yield _NO_STATISTICS.get(stream, "The evidence was not measured.")
        return
    yield f"On the night of the alarm the evidence was {tell_evidence(evidence_ratio)}."
    yield tell_budget(nights_per_false_alarm, watched_models)
    if is_noisy:
        yield (
            f"These nights are noisy: they vary {overdispersion:.1f} times as much as chance in the"
            " answers explains. The evidence allows for it."
        )


def name_some(names: Sequence[str]) -> str:
    """`a, b and c`; of many, the first few and how many more there are."""
    named = list(names if len(names) <= NAMED + 1 else names[:NAMED])
    more = len(names) - len(named)
    if more:
        return f"{', '.join(named)} and {more} more"
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"


def tell_percent(share: float | None) -> str:
    """`93.9`, without the sign."""
    return "–" if share is None else f"{100 * share:.1f}"


def tell_points(difference: float) -> str:
    """A difference between two shares in points, signed: `−3.2`."""
    rounded = round(100 * difference, 1)
    return f"{'−' if rounded < 0 else '+' if rounded > 0 else '±'}{abs(rounded):.1f}"


def tell_size(difference: float) -> str:
    """The same, whichever way: `3.2`."""
    return f"{abs(100 * difference):.1f}"


def tell_usd(dollars: float) -> str:
    """What has cost something never reads as 0.00."""
    if 0 < dollars < 0.0001:
        return "less than 0.0001"
    return f"{dollars:.{4 if 0 < dollars < 0.01 else 2}f}"


def tell_seconds(seconds: float) -> str:
    return f"{seconds:.{2 if seconds < 10 else 1}f}"


def tell_times(ratio: float) -> str:
    return f"{ratio:.{1 if ratio < 10 else 0}f}"


def tell_day(day: date) -> str:
    """`16 November`."""
    return f"{day.day} {day:%B}"
