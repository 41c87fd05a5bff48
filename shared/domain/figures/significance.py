"""Exact tests in log space, and the control of false discoveries among many of them."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def sign_test(worse: int, better: int) -> float:
    """P(at least `worse` of the changed questions got worse) if a change went either way with equal chance.

    One-sided; for binary scores this is the exact McNemar test (Quinn McNemar, Psychometrika 12, 1947).
    """
    changed = worse + better
    return _sum_of_logs(
        [_log_choose(changed, k) for k in range(worse, changed + 1)], -changed * math.log(2.0)
    )


def fisher_decrease(passed_before: int, asked_before: int, passed_after: int, asked_after: int) -> float:
    """P(so few passes after, or fewer) if the rate of passing never changed: Fisher's one-sided test."""
    passed, asked = passed_before + passed_after, asked_before + asked_after
    fewest = max(0, passed - asked_before)
    terms = [
        _log_choose(asked_after, k) + _log_choose(asked_before, passed - k)
        for k in range(fewest, passed_after + 1)
    ]
    return _sum_of_logs(terms, -_log_choose(asked, passed))


def adjust_for_discoveries(p_values: Sequence[float]) -> NDArray[np.float64]:
    """Adjusted p-values: those that are at most q form a set of which on average a share q at most is false.

    Benjamini and Hochberg, J. R. Statist. Soc. B 57 (1995) 289-300.
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    scaled = p[order] * p.size / np.arange(1, p.size + 1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _sum_of_logs(terms: Sequence[float], log_scale: float) -> float:
    largest = max(terms)
    return min(1.0, math.exp(largest + log_scale) * math.fsum(math.exp(term - largest) for term in terms))
