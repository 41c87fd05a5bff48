"""A comparison as it is told: domain values in, the API's answer out."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from services.api.comparison import Findings, Pairing, share_answers
from services.api.schemas import comparison as schemas
from shared.db.runs import Run
from shared.domain.figures.comparison import CategoryComparison, Comparison
from shared.domain.figures.comparison import NotCompared as Unpaired

COUNTED = ("worse", "better", "broke", "fixed")
"""What the domain lists and the answer counts."""


def describe(
    baseline: Run, candidate: Run, pairing: Pairing, findings: Findings, flips: Sequence[schemas.Flip]
) -> schemas.RunComparison:
    pooled = findings.pooled
    return schemas.RunComparison(
        baseline=schemas.ComparedRun(**asdict(baseline)),
        candidate=schemas.ComparedRun(**asdict(candidate)),
        same_answers=share_answers(baseline, candidate, pairing.matches),
        margin=pooled.margin,
        verdict=findings.fleet.verdict,
        pooled=schemas.Paired(**_tell(pooled)),
        models=list(_describe_models(pairing, findings)),
        not_compared=list(_name_not_compared(pairing, findings)),
        flips=schemas.Flips(broke=len(pooled.broke), fixed=len(pooled.fixed), items=list(flips)),
    )


def _describe_models(pairing: Pairing, findings: Findings) -> Iterator[schemas.PairedModel]:
    for each in pairing.matches:
        compared = findings.fleet.by_model[each.after]
        if isinstance(compared, Comparison):
            categories = [_describe_category(category) for category in findings.categories[each.after]]
            yield schemas.PairedModel(
                baseline_model=each.before,
                candidate_model=each.after,
                categories=categories,
                **_tell(compared),
            )


def _describe_category(each: CategoryComparison) -> schemas.PairedCategory:
    return schemas.PairedCategory(
        category=each.category,
        adjusted_p_worse=each.adjusted_p_worse,
        is_worse=each.is_worse,
        **_tell(each.comparison),
    )


def _name_not_compared(pairing: Pairing, findings: Findings) -> Iterator[schemas.NotCompared]:
    for each in pairing.matches:
        compared = findings.fleet.by_model[each.after]
        if isinstance(compared, Unpaired):
            reason = (
                f"no question has a score in both runs: {compared.baseline_only} in the baseline alone,"
                f" {compared.candidate_only} in the candidate alone"
            )
            yield schemas.NotCompared(model=each.after, reason=reason)
    for run, models in (("baseline", pairing.baseline_only), ("candidate", pairing.candidate_only)):
        yield from (schemas.NotCompared(model=model, reason=f"only in the {run}") for model in models)


def _tell(compared: Comparison) -> dict[str, Any]:
    counts = {name: len(getattr(compared, name)) for name in COUNTED}
    plain = schemas.Paired.model_fields.keys() - counts.keys()
    return {**counts, **{name: getattr(compared, name) for name in plain}}
