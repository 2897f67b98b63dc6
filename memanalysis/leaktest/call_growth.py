"""Lines, types and containers that grow with each call, from one bout of calls measured before and after."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass

from memanalysis.capture.containers import GrownContainers, find_grown_containers, read_container_lengths
from memanalysis.capture.grouping import RawFrames, RawGroup
from memanalysis.capture.holders import HolderChain, find_growing_type, find_holders, find_object_holders
from memanalysis.capture.objects import read_object_census
from memanalysis.capture.sites import make_rows, read_site_table
from memanalysis.capture.tracing import TracingUse
from memanalysis.capture.wrapper_frames import register_wrapper_frame
from memanalysis.leaktest.finding import ContainerGrowth, LeakSite, TypeGrowth
from memanalysis.leaktest.measurements import WRAPPER_FILE, collect_garbage

__all__ = ["CallGrowthDetails", "find_call_growth"]

register_wrapper_frame(__file__)

MIN_SHARE = 0.005
"""What grows at fewer than one call of 200 is left out: it is not what was measured."""

MIN_MORE = 5
"""And by fewer than five in all."""

LITTLE = 0.1
"""Other containers may take up this share of what one with a bound does."""

MAX_ROWS = 20
"""Rows of each table."""

MAX_CONTAINERS = 5
"""Containers whose holders are searched for: each takes some walks over all objects."""

HOLDERS_S = 1.0
"""Seconds that the search for holders may take, for each of the two searches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallGrowthDetails:
    """What a bout of calls kept, a call."""

    sites: tuple[LeakSite, ...]
    types: tuple[TypeGrowth, ...]
    containers: tuple[ContainerGrowth, ...]
    holders: tuple[HolderChain, ...]

    @property
    def is_filling(self) -> bool:
        """Whether what grows are containers with a bound, full by now or not, and hardly any others."""
        filling = sum(row.entries_per_call for row in self.containers if row.remaining_capacity is not None)
        return filling > 0 and self._all_entries() <= (1 + LITTLE) * filling

    def _all_entries(self) -> float:
        return sum(row.entries_per_call for row in self.containers)


def find_call_growth(
    run: Callable[[], int], *, collect: bool, holders: bool, tracing: TracingUse | None = None
) -> CallGrowthDetails:
    """Measure, make the calls, measure again.

    Parameters
    ----------
    run : callable
        Makes the calls, and gives how many were made.
    collect : bool
        Collect garbage before each measurement.
    holders : bool
        Search for who holds the type that grows most.
    tracing : TracingUse, optional
        Tracing that may be turned off and on: walks over all objects are then several times as fast, and tracebacks
        deeper. Without it tracing runs on as it is.
    """
    if tracing is not None:
        tracing.stop()
    if collect:
        collect_garbage()
    counts_before, lengths_before = _count_types(), read_container_lengths()
    calls = 0
    if tracing is not None:
        tracing.start()
        calls = run()  # what lives for a few calls only is then there before the first measurement
        if collect:
            collect_garbage()  # as before the second: garbage of the first calls would hide what the others keep
    sites_before = pickle.dumps(_read_sites())  # as bytes: its tuples would be counted as types that grow
    traced_calls = run()
    calls += traced_calls
    if collect:
        collect_garbage()
    counts = _count_types()
    sites_after = _read_sites()
    if tracing is not None:
        tracing.stop()
    least = max(MIN_MORE, int(MIN_SHARE * calls))
    ours = (sites_after, counts_before, counts)
    grown = find_grown_containers(lengths_before, least=least, most=MAX_CONTAINERS, ours=ours)
    containers = _describe_containers(grown, calls)
    earlier = pickle.loads(sites_before)  # noqa: S301  our own
    sites = _compare_sites(earlier, sites_after, traced_calls)  # what naming them remembers is no growth
    more = ((kind, count - counts_before.get(kind, 0)) for kind, count in counts.items())
    types = sorted(((kind, added) for kind, added in more if added >= least), key=lambda entry: -entry[1])
    census = [{"type": kind, "count": count} for kind, count in counts.items()]
    guilty = find_growing_type(counts_before, census, least=least) if holders else None
    newest = dict(types).get(guilty) if guilty and collect else None  # uncollected ones may be in any generation
    return CallGrowthDetails(
        sites=sites,
        types=tuple(TypeGrowth(type=kind, objects_per_call=added / calls) for kind, added in types[:MAX_ROWS]),
        containers=containers,
        holders=tuple(find_holders(guilty, seconds=HOLDERS_S, newest=newest)) if guilty else (),
    )


def _count_types() -> dict[str, int]:
    return {str(row["type"]): int(row["count"]) for row in read_object_census()}


def _read_sites() -> dict[RawFrames, tuple[int, int]]:
    """Bytes and blocks of the program by the frames beyond the wrapper frame."""
    totals: dict[RawFrames, tuple[int, int]] = {}
    for frames, size, count in read_site_table().groups:
        inner = _cut_at_wrapper(frames)
        size_before, count_before = totals.get(inner, (0, 0))
        totals[inner] = size_before + size, count_before + count
    return totals


def _cut_at_wrapper(frames: RawFrames) -> RawFrames:
    """Frames (most recent first) up to the wrapper frame, without it; all of them where there is none."""
    for place, (file, _) in enumerate(frames):
        if file == WRAPPER_FILE:
            return frames[:place]
    return frames


def _compare_sites(
    before: dict[RawFrames, tuple[int, int]], after: dict[RawFrames, tuple[int, int]], calls: int
) -> tuple[LeakSite, ...]:
    grown: list[RawGroup] = []
    for frames, (size, count) in after.items():
        size_before, count_before = before.get(frames, (0, 0))
        if size > size_before and frames:
            grown.append((frames, size - size_before, count - count_before))
    total = sum(size for _, size, _ in grown)
    grown = [group for group in sorted(grown, key=lambda group: -group[1]) if group[1] >= MIN_SHARE * total]
    return tuple(
        LeakSite(
            file=row["file"],
            line=row["line"],
            function=row["function"],
            bytes_per_call=row["size_bytes"] / calls,
            blocks_per_call=row["live_allocations"] / calls,
            traceback=tuple((file, line) for file, line, *_ in row["traceback"]),
        )
        for row in make_rows(grown[:MAX_ROWS])
    )


def _describe_containers(grown: GrownContainers, calls: int) -> tuple[ContainerGrowth, ...]:
    described: dict[str, ContainerGrowth] = {}
    for added, capacity in zip(grown.added, grown.remaining_capacity, strict=True):
        chosen = [grown.containers.pop(0)]  # the search passes over this list, and over no other of ours
        text = find_object_holders(chosen, seconds=HOLDERS_S)[0].text
        described.setdefault(
            text, ContainerGrowth(text=text, entries_per_call=added / calls, remaining_capacity=capacity)
        )
    return tuple(described.values())
