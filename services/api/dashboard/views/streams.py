"""Streams by the short names that fit into a table's cell, and how a sentence says that one became worse."""

from shared.domain.drift.detections import ACCURACY, ANCHORS, CATEGORY, DECAY, WEIGHTED

_BRIEF = {
    ACCURACY: "all questions",
    WEIGHTED: "all, weighted",
    "refusal": "refusals",
    "format_failure": "format",
    "provider_error": "failed calls",
    "unscored": "unscored answers",
    "slow_calls": "slow calls",
    "latency": "latency",
    "output_tokens": "output tokens",
    "cost": "cost",
    ANCHORS: "anchors",
    "controls": "controls",
    "coverage": "coverage",
    DECAY: "slow decay",
}
_MEANS = {
    ACCURACY: "mean score of all questions",
    WEIGHTED: "all questions, stable ones count more",
    "refusal": "share of answers that decline",
    "format_failure": "share of answers that break the asked-for form",
    "provider_error": "share of calls without an answer",
    "unscored": "share of answers without a score",
    "slow_calls": "share above twice the question's usual time",
    "latency": "seconds per answer, against its usual",
    "output_tokens": "tokens per answer, against its usual",
    "cost": "USD per answer, against its usual",
    ANCHORS: "the judge's scores of frozen answers",
    DECAY: "the last seven nights against the baseline, once a month",
}
_WORSE = {
    "refusal": "has refused more often",
    "format_failure": "has broken the asked-for form more often",
    "provider_error": "has left more calls unanswered",
    "unscored": "has given more answers that can't be scored",
    "slow_calls": "has had more slow calls",
    "latency": "has answered more slowly",
    "output_tokens": "has given longer answers",
    "cost": "has cost more per answer",
    DECAY: "has slowly decayed",
}


def name_briefly(stream: str) -> str:
    """`category:math` -> `math`."""
    return stream.removeprefix(CATEGORY) if stream.startswith(CATEGORY) else _BRIEF.get(stream, stream)


def explain_stream(stream: str) -> str:
    return "category" if stream.startswith(CATEGORY) else _MEANS.get(stream, "")


def tell_worse(stream: str) -> str:
    """What a model has done, for a headline: `has answered worse`."""
    return _WORSE.get(stream, "has answered worse")
