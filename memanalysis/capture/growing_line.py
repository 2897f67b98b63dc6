"""Know which line of the user's code holds what was allocated since some code began to grow, by the sampler."""

import tracemalloc
from collections import Counter

from memanalysis.capture import sampler
from memanalysis.capture.user_frames import find_user_frame, is_library_file
from memanalysis.units import MIB

__all__ = ["GrowthSampling", "find_largest_line"]

SAMPLED_FROM_BYTES = 4 * MIB
"""Code that has grown by this is sampled, and code that has not costs nothing."""

MIN_BYTES = MIB
"""A line that holds less is not named."""


class GrowthSampling:
    """Sampling that begins with growth, and ends if it was begun here; does nothing where there is no sampler."""

    def __init__(self) -> None:
        self._first_rss_bytes: int | None = None
        self._is_ours = False

    def on_reading(self, rss_bytes: int | None) -> None:
        """Begin to sample where resident memory has grown since the first reading."""
        if self._first_rss_bytes is None:
            self._first_rss_bytes = rss_bytes
        elif not self._is_ours and rss_bytes is not None and rss_bytes - self._first_rss_bytes >= SAMPLED_FROM_BYTES:
            can_sample = sampler.why_unavailable() is None and not tracemalloc.is_tracing()  # one tracer at a time
            self._is_ours = can_sample and sampler.start()

    def stop(self) -> None:
        """End it, and begin with the next reading again."""
        if self._is_ours:
            sampler.stop()
        self._first_rss_bytes, self._is_ours = None, False

    def find_line(self) -> tuple[str, int] | None:
        """Return file and line of the user's code that hold the most of what was sampled; None where that is little."""
        return find_largest_line(sampler.read_live()) if sampler.is_running() else None


def find_largest_line(table: sampler.SampledTable, *, since_birth: int = 0) -> tuple[str, int] | None:
    """Return file and line of the user's code that hold the most of what was sampled; None where that is little.

    Parameters
    ----------
    since_birth : int
        Leave sites out that have made no block since there were this many: `SamplerStats.n_births`.
    """
    lines: Counter[tuple[str, int]] = Counter()
    for site in table.sites:
        if site.youngest < since_birth:
            continue
        first = site.frames[0]
        frame = find_user_frame(tuple(site.frames)) if is_library_file(first[0]) else first
        if frame is not None:
            lines[frame] += round(site.size_bytes)
    found = lines.most_common(1)
    return found[0][0] if found and found[0][1] >= MIN_BYTES else None
