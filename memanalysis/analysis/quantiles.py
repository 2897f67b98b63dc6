"""Quantiles and tails of Student's t, without SciPy: the engine may be loaded in a process that is being traced.

Under tracemalloc with 25 frames the import of scipy.stats takes about a minute in CPython 3.11; numpy's takes
seconds.
"""

import math
from statistics import NormalDist

import numpy as np

from memanalysis.analysis.arrays import FloatArray

__all__ = ["student_t_p_value", "student_t_quantile"]

MIN_FREEDOM_OF_THE_EXPANSION = 3.0
"""For fewer degrees of freedom the exact quantile of 2 is given, which is no narrower."""

TERMS = 500
PRECISION = 1e-12
"""Terms of a continued fraction at the most, and the change of it from which no more are taken."""

_TINY = 1e-300
"""In place of a denominator of zero."""


def student_t_quantile(probability: float, freedom: FloatArray) -> FloatArray:
    """Quantile of Student's t for each number of degrees of freedom.

    Parameters
    ----------
    probability : float
        Between 0.5 and 1.
    freedom : array of float
        At least 2; need not be whole.

    Notes
    -----
    Hill (1970), Algorithm 396, Comm. ACM 13, 619-620; within 0.01 % of SciPy from 3 degrees of
    freedom on.
    """
    normal = NormalDist().inv_cdf(probability)
    tails = 2 * (1 - probability)
    of_two = np.sqrt(2 / (tails * (2 - tails)) - 2)
    a = 1 / (freedom - 0.5)
    b = 48 / (a * a)
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * np.sqrt(a * np.pi / 2) * freedom
    y = (d * tails) ** (2 / freedom)
    far = y > 0.05 + a
    quantile = np.sqrt(freedom * np.where(far, _central(normal, a, b, c, d, freedom), _tail(y, freedom, d, c)))
    return np.where(freedom < MIN_FREEDOM_OF_THE_EXPANSION, of_two, quantile)


def _central(
    normal: float, a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray, freedom: FloatArray
) -> FloatArray:
    """Asymptotic inverse expansion about the normal quantile."""
    x = -normal
    square = x * x
    c = np.where(freedom < 5, c + 0.3 * (freedom - 4.5) * (x + 0.6), c)
    c = (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b + c
    y = (((((0.4 * square + 6.3) * square + 36) * square + 94.5) / c - square - 3) / b + 1) * x
    expansion: FloatArray = np.expm1(a * y * y)
    return expansion


def _tail(y: FloatArray, freedom: FloatArray, d: FloatArray, c: FloatArray) -> FloatArray:
    """Expansion far out, for few degrees of freedom."""
    inner = 1 / (((freedom + 6) / (freedom * y) - 0.089 * d - 0.822) * (freedom + 2) * 3) + 0.5 / (freedom + 4)
    return (inner * y - 1) * (freedom + 1) / (freedom + 2) + 1 / y


def student_t_p_value(value: float, freedom: float) -> float:
    """Return how likely Student's t is at least so far from zero, on either side.

    Notes
    -----
    The regularized incomplete beta function by its continued fraction: Abramowitz and Stegun (1964), 26.5.8 and 26.7.1.
    """
    a, b = freedom / 2, 0.5
    x = freedom / (freedom + value * value)
    if x >= (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, 1 - x)
    return _incomplete_beta(a, b, x)


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Return the regularized incomplete beta function where its fraction converges fast: x below (a + 1) / (a + b + 2).

    The fraction is evaluated as Lentz (1976), Appl. Opt. 15, 668-671, does it.
    """
    if x <= 0:
        return 0.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    result, c, d = 1.0, 1.0, 0.0
    for step in range(TERMS):
        m = step // 2
        if step == 0:
            term = 1.0
        elif step % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / (_TINY if 1 + term * d == 0 else 1 + term * d)
        c = 1 + term / c or _TINY
        factor = c * d
        result *= factor
        if step and abs(factor - 1) < PRECISION:
            break
    return min(1.0, front * (result - 1) / a)
