"""Chance that can be repeated: every draw is a hash of what it is about, whatever was drawn before."""

import math
import random
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from statistics import NormalDist
from struct import unpack

# How hard questions are for a model of average skill: its chance to answer one rightly ~ Beta(1.2, 0.3).
_ALPHA, _BETA = 1.2, 0.3
_MOST_BENT = 1e6
_EASIEST = 1 - 2**-53  # not 1, which no power bends
_LEAST_SKILL = 1e-9
_NORMAL = NormalDist()


def key(*about: object) -> bytes:
    """One key for one event; parts of different lengths cannot run into each other."""
    return "\x1f".join(map(str, about)).encode("utf-8", "surrogatepass")


def uniforms(*about: object) -> tuple[float, float, float, float]:
    """Four independent draws from [0, 1)."""
    first, second, third, fourth = unpack("<4Q", blake2b(key(*about), digest_size=32).digest())
    return (
        (first >> 11) * 2**-53,
        (second >> 11) * 2**-53,
        (third >> 11) * 2**-53,
        (fourth >> 11) * 2**-53,
    )


def uniform(*about: object) -> float:
    """One draw from [0, 1)."""
    return uniforms(*about)[0]


def choose(shares: Iterable[tuple[str, float]], draw: float) -> str | None:
    """Which name a draw from [0, 1) falls on: the shares lie side by side, and beyond them is None."""
    for name, share in shares:
        if draw < share:
            return name
        draw -= share
    return None


def normal(*about: object) -> float:
    """One draw from the standard normal law."""
    return _NORMAL.inv_cdf(max(uniform(*about), 2**-53))


def lognormal(variation: float, *about: object) -> float:
    """One draw from the lognormal law of mean 1 and standard deviation `variation`."""
    variance = math.log1p(variation**2)
    return math.exp(math.sqrt(variance) * normal(*about) - variance / 2)


def gamma(variation: float, *about: object) -> float:
    """One draw from the gamma law of mean 1 and standard deviation `variation`."""
    return random.Random(key(*about)).gammavariate(variation**-2, variation**2)


def ease(*about: object) -> float:
    """How easy a question is, in [0, 1]: Beta(1.2, 0.3), mean 0.8, mostly near 1 and sometimes near 0."""
    return min(random.Random(key(*about)).betavariate(_ALPHA, _BETA), _EASIEST)


@lru_cache(maxsize=4096)
def bend(skill: float) -> float:
    """The power k for which the mean of ease**k is `skill`: 1 at 0.8, 0 at 1, and large near 0.

    One latent ease per question serves every skill: who loses skill loses it on every question at once and
    never gains on one. E[ease**k] = B(a + k, b) / B(a, b), solved by bisection.
    """
    if skill >= 1:
        return 0.0
    if skill < _LEAST_SKILL:
        return math.inf
    wanted = math.log(skill)
    if wanted < _log_mean_power(_MOST_BENT):  # beyond, the gamma functions cancel: use k**-b, their limit
        return math.exp((math.lgamma(_ALPHA + _BETA) - math.lgamma(_ALPHA) - wanted) / _BETA)
    easiest, hardest = 0.0, _MOST_BENT
    for _ in range(80):
        middle = (easiest + hardest) / 2
        if _log_mean_power(middle) > wanted:
            easiest = middle
        else:
            hardest = middle
    return (easiest + hardest) / 2


def _log_mean_power(power: float) -> float:
    return (
        math.lgamma(_ALPHA + power)
        - math.lgamma(_ALPHA + _BETA + power)
        - math.lgamma(_ALPHA)
        + math.lgamma(_ALPHA + _BETA)
    )
