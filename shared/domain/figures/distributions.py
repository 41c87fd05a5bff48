"""The normal and Student's t distribution, with tails that stay exact where probabilities underflow.

numpy and the standard library only. The normal functions work element by element on arrays of any shape and
take infinities; the functions of t take one number.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SQRT_2 = math.sqrt(2.0)
LOG_HALF = -math.log(2.0)
LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)

# W. J. Cody, Rational Chebyshev approximations for the error function, Math. Comp. 23 (1969). For x > 4,
# x exp(x^2) erfc(x) = 1/sqrt(pi) - y P(y)/Q(y) with y = 1/x^2. Highest power first.
CODY_P = (
    1.63153871373020978e-2,
    3.05326634961232344e-1,
    3.60344899949804439e-1,
    1.25781726111229246e-1,
    1.60837851487422766e-2,
    6.58749161529837803e-4,
)
CODY_Q = (
    1.0,
    2.56852019228982242,
    1.87295284992346725,
    5.27905102951428412e-1,
    6.05183413124413191e-2,
    2.33520497626869185e-3,
)
LOG_TAIL_BELOW = -6.0


def erfc(x: ArrayLike) -> Array:
    """The complementary error function."""
    return _map(math.erfc, x)


def normal_cdf(z: ArrayLike) -> Array:
    """P(Z <= z)."""
    return 0.5 * erfc(np.negative(z) / SQRT_2)


def normal_log_cdf(z: ArrayLike) -> Array:
    """log P(Z <= z), finite for every finite z; the log of the upper tail is `normal_log_cdf(-z)`."""
    z = np.asarray(z, dtype=float)
    with np.errstate(divide="ignore"):
        central = np.where(z > 0, np.log1p(-normal_cdf(-z)), np.log(normal_cdf(z)))
        if not np.any(z < LOG_TAIL_BELOW):
            return central
        x = np.maximum(-z, -LOG_TAIL_BELOW) / SQRT_2
        y = 1.0 / (x * x)
        scaled_erfc = (1.0 / math.sqrt(math.pi) - y * np.polyval(CODY_P, y) / np.polyval(CODY_Q, y)) / x
        return np.where(z < LOG_TAIL_BELOW, -0.5 * z * z + LOG_HALF + np.log(scaled_erfc), central)


def normal_log_mass(lower: ArrayLike, upper: ArrayLike) -> Array:
    """log P(lower < Z <= upper) for lower <= upper, from the shorter tail; -inf for an empty interval."""
    lower, upper = np.broadcast_arrays(np.asarray(lower, dtype=float), np.asarray(upper, dtype=float))
    lower, upper = np.where(lower > 0, -upper, lower), np.where(lower > 0, -lower, upper)
    with np.errstate(divide="ignore", invalid="ignore"):
        around_zero = np.log(0.5 * (_map(math.erf, upper / SQRT_2) - _map(math.erf, lower / SQRT_2)))
        log_upper = normal_log_cdf(upper)
        one_sided = log_upper + np.log(-np.expm1(normal_log_cdf(lower) - log_upper))
    return np.where(lower == upper, -np.inf, np.where(upper > 0, around_zero, one_sided))


def normal_quantile(p: ArrayLike) -> Array:
    """z with P(Z <= z) = p. For p close to 1, ask for the other tail instead: -normal_quantile(1 - p)."""
    with np.errstate(divide="ignore"):
        return normal_quantile_of_log(np.log(np.asarray(p, dtype=float)))


def normal_quantile_of_log(log_p: ArrayLike) -> Array:
    """z with log P(Z <= z) = log_p, however small the probability.

    Abramowitz and Stegun 26.2.23 gives the first guess (to 4.5e-4), two steps of Halley's method the rest.
    """
    log_p = np.asarray(log_p, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        is_upper = log_p > LOG_HALF
        short = np.where(is_upper, np.log(-np.expm1(log_p)), log_p)
        t = np.sqrt(-2.0 * short)
        guess = np.minimum(t, 1e8)  # beyond, t itself is exact
        z = np.polyval((0.010328, 0.802853, 2.515517), guess)
        z = z / np.polyval((0.001308, 0.189269, 1.432788, 1.0), guess) - t
        for _ in range(2):
            log_cdf = normal_log_cdf(z)
            hazard = np.exp(-0.5 * z * z - LOG_SQRT_2PI - log_cdf)
            step = (log_cdf - short) / hazard
            z = z - step / (1.0 + 0.5 * step * (z + hazard))
        z = np.where(np.isneginf(short), -np.inf, z)
    return np.where(is_upper, -z, z)


def student_t_cdf(t: float, df: float) -> float:
    """P(T <= t) with `df` > 0 degrees of freedom."""
    return math.exp(student_t_log_cdf(t, df))


def student_t_log_cdf(t: float, df: float) -> float:
    """log P(T <= t), through the incomplete beta function (its continued fraction, Lentz's method)."""
    if t > 0:
        return math.log1p(-student_t_cdf(-t, df))
    if t == 0:
        return LOG_HALF
    a, b = 0.5 * df, 0.5
    ratio = t * t / df
    x, rest = 1.0 / (1.0 + ratio), 1.0 / (1.0 + 1.0 / ratio) if ratio else 0.0
    if not rest:
        return LOG_HALF
    log_front = -a * math.log1p(ratio) + b * math.log(rest) - _log_beta_with_half(a)
    if x < (a + 1.0) / (a + b + 2.0):
        return LOG_HALF + log_front + math.log(_beta_fraction(a, b, x) / a)
    return LOG_HALF + math.log1p(-math.exp(log_front) * _beta_fraction(b, a, rest) / b)


@lru_cache(maxsize=4096)
def student_t_quantile(p: float, df: float) -> float:
    """t with P(T <= t) = p, for 0 < p < 1 and df > 0: Newton's method in log p and log t."""
    if p == 0.5:
        return 0.0
    if p > 0.5:
        return -student_t_quantile(1.0 - p, df)
    log_p, log_t = math.log(p), math.log(-float(normal_quantile(p)))
    log_density = -_log_beta_with_half(0.5 * df) - 0.5 * math.log(df)
    for _ in range(100):
        t = math.exp(log_t)
        log_cdf = student_t_log_cdf(-t, df)
        slope = -math.exp(log_t + log_density - 0.5 * (df + 1.0) * math.log1p(t * t / df) - log_cdf)
        step = (log_cdf - log_p) / slope
        log_t -= step
        if abs(step) < 1e-15:
            break
    return -math.exp(log_t)


def normal_score_of_t(t: float, df: float) -> float:
    """The standard normal value that is as extreme as t is under Student's t; finite for every finite t."""
    score = float(normal_quantile_of_log(student_t_log_cdf(-abs(t), df)))
    return math.copysign(score, t)


def _map(function: Callable[[float], float], values: ArrayLike) -> Array:
    """The C library's function, element by element: as exact as can be, no slower than a series in numpy."""
    values = np.asarray(values, dtype=float)
    return np.fromiter(map(function, values.ravel().tolist()), float, values.size).reshape(values.shape)


def _log_beta_with_half(a: float) -> float:
    """log B(a, 1/2). For large a by Stirling's series of gamma(a + 1/2) / gamma(a): lgamma would cancel."""
    if a < 200.0:
        return math.lgamma(a) + math.lgamma(0.5) - math.lgamma(a + 0.5)
    series = 1.0 - 1.0 / (8.0 * a) + 1.0 / (128.0 * a**2) + 5.0 / (1024.0 * a**3) - 21.0 / (32768.0 * a**4)
    return math.lgamma(0.5) - 0.5 * math.log(a) - math.log(series)


def _beta_fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function (DLMF 8.17.22), for x < (a + 1)/(a + b + 2)."""
    tiny = 1e-300
    c, d = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1.0) or tiny)
    fraction = d
    for m in range(1, 100_000):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / (1.0 + numerator * d or tiny)
            c = 1.0 + numerator / c or tiny
            fraction *= c * d
        if abs(c * d - 1.0) < 1e-16:
            break
    return fraction
