"""Which lines of a run hold more than at its start? Read while it goes on, from what its engine knows by now."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

from memanalysis.capture.notebook_cells import display_file
from memanalysis.capture.user_frames import find_user_frame
from memanalysis.errors import CaptureError
from memanalysis.schema import MemorySnapshot
from memanalysis.units import MIB
from memanalysis.watcher.sampled_sites import MIN_SIGMAS, SampledSites

__all__ = ["GrowingLine", "find_growing_lines"]

MIN_GROWTH_BYTES = MIB // 4
"""Growth from which a line is shown: two samples of the sampler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowingLine:
    """A line that holds more than when it was first counted.

    Parameters
    ----------
    file : str
    line : int
    growth_bytes : float
    error_bytes : float or None
        Two standard errors of the growth; None where every allocation was followed.
    """

    file: str
    line: int
    growth_bytes: float
    error_bytes: float | None


def find_growing_lines(
    sampled: SampledSites | None, snapshots: Iterable[MemorySnapshot], *, top: int
) -> list[GrowingLine]:
    """Return the lines that grew most, the first one most; none where the run follows no lines.

    Parameters
    ----------
    sampled : SampledSites or None
        The sampler of the run. Without one the full snapshots are compared.
    snapshots : iterable of MemorySnapshot
        Those that are remembered, the oldest first.
    top : int
        Lines, at most.
    """
    lines = _find_traced(snapshots) if sampled is None else _find_sampled(sampled)
    large = [line for line in lines if line.growth_bytes >= MIN_GROWTH_BYTES]
    return sorted(large, key=lambda line: -line.growth_bytes)[:top]


def _find_sampled(sampled: SampledSites) -> list[GrowingLine]:
    """Add up the stacks of each line of the user's code; a line within the error of the sample has not grown."""
    growth: defaultdict[tuple[str, int], float] = defaultdict(float)
    variance: defaultdict[tuple[str, int], float] = defaultdict(float)
    try:
        stacks = sampled.read_growth()
    except CaptureError:  # the run ends meanwhile
        return []
    for frames, growth_bytes, stderr_bytes in stacks:
        frame = find_user_frame(tuple(frames)) or frames[0]
        growth[frame] += growth_bytes
        variance[frame] += stderr_bytes**2
    errors = {frame: MIN_SIGMAS * sqrt(variance[frame]) for frame in growth}
    return [
        GrowingLine(file=display_file(frame[0]), line=frame[1], growth_bytes=size, error_bytes=errors[frame])
        for frame, size in growth.items()
        if size > errors[frame]
    ]


def _find_traced(snapshots: Iterable[MemorySnapshot]) -> list[GrowingLine]:
    """Compare the first and the last full snapshot that are remembered; they hold the largest lines."""
    tables = [snapshot.tracemalloc_stats["top"] for snapshot in snapshots if snapshot.tracemalloc_stats]
    if len(tables) < 2:
        return []
    first, last = (_add_up(table) for table in (tables[0], tables[-1]))
    return [
        GrowingLine(file=file, line=line, growth_bytes=size - first.get((file, line), 0.0), error_bytes=None)
        for (file, line), size in last.items()
    ]


def _add_up(table: list[dict[str, object]]) -> dict[tuple[str, int], float]:
    sizes: defaultdict[tuple[str, int], float] = defaultdict(float)
    for row in table:
        sizes[str(row["file"]), int(str(row["line"]))] += float(str(row["size_mb"])) * MIB
    return dict(sizes)
