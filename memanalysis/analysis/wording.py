"""The one sentence that a verdict says to a person."""

from memanalysis.analysis.shape import ShapeFinding
from memanalysis.analysis.verdict import Verdict
from memanalysis.units import format_bytes, format_duration, format_rate

__all__ = ["describe_guilty", "describe_shape", "describe_time_left"]

_PLAIN = {
    "plateauing": "Rose and is levelling off, as a warm-up or a filling cache does: no leak was shown.",
    "stepped": "Changed in steps and kept still between them: no leak was shown.",
    "sawtooth": "Swings up and down and its floor does not rise: no leak was shown.",
    "shrinking": "Shrinks: no leak was shown.",
}


def describe_shape(finding: ShapeFinding) -> str:
    """Say what was measured, and a leak only where it was shown."""
    if finding.shape == "inconclusive":
        return f"Cannot be told yet: needs {finding.missing}."
    if finding.shape == "growing" and finding.fit is not None and finding.floors is not None:
        return (
            f"A leak: grew by {format_rate(finding.fit.slope_bytes_per_s)} "
            f"({format_rate(finding.fit.low_bytes_per_s)} to {format_rate(finding.fit.high_bytes_per_s)}) "
            f"and its floor rose in each of {finding.floors.values.size - 1} windows."
        )
    if finding.shape == "stable":
        trend = format_bytes(finding.growth_bytes, sign=True)
        return f"Stable: its trend over {format_duration(finding.judged_s)} is {trend}, within its noise."
    return _PLAIN[finding.shape]


def describe_time_left(verdict: Verdict) -> str:
    """Say when the limit is reached; empty where there is no limit or no leak."""
    if not verdict.is_leak or verdict.limit_bytes is None or verdict.time_to_exhaustion_s is None:
        return ""
    limit = format_bytes(verdict.limit_bytes)
    if verdict.time_to_exhaustion_s == 0:
        return f" It is at its limit of {limit}."
    return f" It reaches its limit of {limit} in about {format_duration(verdict.time_to_exhaustion_s)}."


def describe_guilty(file: str, line: int, function: str | None, share: float) -> str:
    """Say which line carries the growth."""
    inside = f" in {function}" if function else ""
    return f" {share:.0%} of the traced growth comes from {file}:{line}{inside}."
