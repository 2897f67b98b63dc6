"""Combine what three readings show of a call into one answer, and write the sentence that gives it."""

from dataclasses import dataclass, replace

from memanalysis.analysis.verdict import Origin
from memanalysis.leaktest.call_growth import CallGrowthDetails
from memanalysis.leaktest.finding import LeakFinding
from memanalysis.leaktest.retained_bound import bound_events
from memanalysis.leaktest.sequential_test import CallGrowth
from memanalysis.leaktest.untraced_calls import UntracedCheck
from memanalysis.units import format_bytes, format_bytes_per_call

__all__ = ["GrowthChecks", "describe_cleared", "describe_finding"]

MIN_EXPLAINED_SHARE = 0.5
"""Native growth is what the traced bytes explain less of than this share."""

MIN_LEAKED_SHARE = 0.1
"""Where the traced bytes leak too, it is native when they explain less than this share."""

JUDGED = 7 / 8
"""Share of the calls that is judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthChecks:
    """What the traced bytes, those of the C allocator, and the resident size show; None where it is not known.

    ``is_native_cleared`` is True where the C allocator's bytes were quiet before tracing began, and ``is_rss_open``
    where resident memory grows that no allocator knows of: a call may map memory itself.
    """

    traced: CallGrowth
    native: CallGrowth | None
    rss: CallGrowth | None
    is_native_cleared: bool = False
    is_rss_open: bool = False

    @property
    def origin(self) -> Origin | None:
        """Where most of a leak comes from; None when none is shown."""
        if self._native_leak() is not None:
            return "native"
        return "python" if self.traced.is_leak else None

    @property
    def is_quiet(self) -> bool:
        """Whether all that is exact shows no leak."""
        return self.traced.is_leak is False and not self._is_native_open and not self.is_rss_open

    @property
    def decisive(self) -> CallGrowth:
        """The readings that the answer is about: of the leak, or of what is still open."""
        found = self._native_leak()
        if found is not None:
            return found
        if self.traced.is_leak is False:
            if self.native is not None and self._is_native_open:
                return self.native
            if self.rss is not None and self.is_rss_open:
                return self.rss
        return self.traced

    @property
    def has_traced_part(self) -> bool:
        """Whether enough of the growth is traced for lines to explain it."""
        traced, all_of_it = self.traced.bytes_per_call, self.decisive.bytes_per_call
        return traced is not None and all_of_it is not None and traced >= MIN_LEAKED_SHARE * all_of_it

    @property
    def _is_native_open(self) -> bool:
        if self.native is None or self.native.is_leak is False:
            return False
        return self.native.is_leak is True or not self.is_native_cleared

    def _native_leak(self) -> CallGrowth | None:
        for growth in (self.native, self.rss):
            if growth is not None and growth.is_leak and not self._is_explained(growth):
                return growth
        return None

    def _is_explained(self, growth: CallGrowth) -> bool:
        traced, all_of_it = self.traced.bytes_per_call, growth.bytes_per_call
        share = MIN_LEAKED_SHARE if self.traced.is_leak else MIN_EXPLAINED_SHARE
        return traced is None or all_of_it is None or traced > share * all_of_it


def describe_cleared(check: UntracedCheck, *, min_per_call: float, calls: int) -> LeakFinding:
    """Put the answer together for a call that the allocators' figures cleared."""
    growth = CallGrowth(
        is_leak=False,
        shape="stable",
        bytes_per_call=check.bytes_per_call,
        low=0.0,
        high=check.max_per_call,
        rises=0,
        windows=0,
        stake=0.0,
        step=check.step,
    )
    finding = describe_finding(
        GrowthChecks(traced=growth, native=None, rss=None),
        is_leak=False,
        kept=None,
        blocks_per_call=check.blocks_per_call,
        min_per_call=min_per_call,
        calls=calls,
    )
    return replace(finding, traced_bytes_per_call=None)  # only the number of blocks is known


def describe_finding(
    checks: GrowthChecks,
    *,
    is_leak: bool | None,
    kept: CallGrowthDetails | None,
    blocks_per_call: float | None,
    min_per_call: float,
    calls: int,
) -> LeakFinding:
    """Put the answer together; name and duration are the caller's to fill in."""
    growth = checks.decisive
    missing = _missing(growth, kept, min_per_call, calls) if is_leak is None else None
    origin = checks.origin or "unknown" if is_leak else "unknown"
    sentence = (
        _describe_leak(checks, origin, has_line=bool(kept and kept.sites)) if is_leak else _describe_none(growth, calls)
    )
    shown = None if is_leak is False else kept
    return LeakFinding(
        name="",
        is_leak=is_leak,
        shape=growth.shape,
        origin=origin,
        bytes_per_call=growth.bytes_per_call,
        low=growth.low,
        high=growth.high,
        traced_bytes_per_call=checks.traced.bytes_per_call,
        resident_bytes_per_call=checks.rss.bytes_per_call if checks.rss else None,
        blocks_per_call=blocks_per_call,
        min_bytes_per_call=min_per_call,
        calls=calls,
        duration_s=0.0,
        sites=shown.sites if shown else (),
        types=shown.types if shown else (),
        containers=shown.containers if shown else (),
        holders=shown.holders if shown else (),
        missing=missing,
        sentence=f"Not decided yet: needs {missing}." if missing else sentence,
    )


def _describe_leak(checks: GrowthChecks, origin: Origin, *, has_line: bool) -> str:
    growth = checks.decisive
    where = "" if origin == "python" else f" of native memory{'' if has_line else ', which has no line here'}"
    return (
        f"A leak: each call keeps {format_bytes_per_call(growth.bytes_per_call)}{where} "
        f"({_format_interval(growth)}){_describe_both(checks)}; it rose at {growth.rises} of {growth.windows} readings."
    )


def _describe_both(checks: GrowthChecks) -> str:
    """Traced and resident growth, the larger first; nothing where one of them is not known."""
    known = (("traced", checks.traced), ("resident", checks.rss))
    rates = [(growth.bytes_per_call, name) for name, growth in known if growth and growth.bytes_per_call is not None]
    if len(rates) < len(known):
        return ""
    both = " and ".join(f"{name} {format_bytes_per_call(max(0.0, rate))}" for rate, name in sorted(rates, reverse=True))
    return f", {both} a call"


def _describe_none(growth: CallGrowth, calls: int) -> str:
    most = format_bytes_per_call(max(0.0, growth.high or 0.0))
    rare = max(1, round(calls * JUDGED / bound_events(1 if growth.step else 0)))
    step = f" beside {format_bytes(growth.step)} that came at once" if growth.step else ""
    return (
        f"No leak: a call keeps {most} at most{step}. "
        f"A leak in fewer than one of {rare:,} calls would not have been seen."
    )


def _missing(growth: CallGrowth, kept: CallGrowthDetails | None, min_per_call: float, calls: int) -> str:
    if kept is not None and kept.is_filling:
        cache = next(row for row in kept.containers if row.remaining_capacity is not None)
        capacity = (
            f"can take {cache.remaining_capacity:,} entries more"
            if cache.remaining_capacity
            else "was full only at the end"
        )
        return f"more calls: {cache.text} was still filling, and {capacity}"
    if growth.bytes_per_call is None or growth.high is None:
        return f"more calls or more time: {calls:,} were made"
    rate = format_bytes_per_call(growth.bytes_per_call)
    if growth.shape in ("plateauing", "slowing"):
        return f"more calls: what they keep, {rate} each, is levelling off, as in a cache that fills"
    if growth.is_rising:
        return f"more calls: {rate} a call were kept, but not steadily"
    more = round(calls * max(1.0, growth.high / min_per_call))
    return f"about {more:,} calls in all: so far a call keeps between {_format_interval(growth)}"


def _format_interval(growth: CallGrowth) -> str:
    if growth.low is None or growth.high is None:
        return "not known"
    return f"{format_bytes_per_call(growth.low)} to {format_bytes_per_call(growth.high)}"
