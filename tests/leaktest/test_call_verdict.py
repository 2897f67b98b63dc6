"""What three readings show together: where a leak comes from, and whether lines may explain it."""

import pytest

from memanalysis.leaktest.call_growth import CallGrowthDetails
from memanalysis.leaktest.call_verdict import GrowthChecks, describe_finding
from memanalysis.leaktest.finding import LeakSite
from memanalysis.leaktest.sequential_test import CallGrowth

SITE = LeakSite(
    file="app.py", line=3, function="f", bytes_per_call=40.0, blocks_per_call=1.0, traceback=(("app.py", 3),)
)


def grows(bytes_per_call: float, *, is_leak: bool | None) -> CallGrowth:
    return CallGrowth(
        is_leak=is_leak, shape="growing", bytes_per_call=bytes_per_call, low=bytes_per_call, high=bytes_per_call,
        rises=12, windows=12, stake=0.0, step=0.0,
    )  # fmt: skip


@pytest.mark.parametrize(("traced", "is_named"), [(40.0, True), (10.0, True), (9.0, False), (0.0, False)])
def test_native_growth_is_explained_by_lines_from_a_tenth_of_it_on(traced: float, is_named: bool):
    checks = GrowthChecks(traced=grows(traced, is_leak=None), native=grows(100.0, is_leak=True), rss=None)

    assert (checks.origin, checks.has_traced_part) == ("native", is_named)


@pytest.mark.parametrize(
    ("sites", "ends"), [((SITE,), " of native memory (100"), ((), ", which has no line here (100")]
)
def test_a_sentence_on_native_memory_says_whether_there_is_a_line(sites: tuple[LeakSite, ...], ends: str):
    checks = GrowthChecks(traced=grows(40.0, is_leak=None), native=grows(100.0, is_leak=True), rss=None)
    kept = CallGrowthDetails(sites=sites, types=(), containers=(), holders=())

    finding = describe_finding(checks, is_leak=True, kept=kept, blocks_per_call=None, min_per_call=4.0, calls=100)

    assert finding.sites == sites
    assert ends in finding.sentence
