"""Which sites kept memory in every tracing window? Added up window by window; who misses one is no suspect any more."""

from collections.abc import Sequence

from memanalysis.capture.grouping import RawFrames, RawGroup

__all__ = ["Survivors"]

MAX_SITES = 500
"""Sites whose survivors are remembered, the biggest: a megabyte at 25 frames."""


class Survivors:
    """What survived the windows so far, by site.

    A window may be traced in several slices. A site that kept memory in one of them kept it in the window.
    """

    def __init__(self) -> None:
        self.n_windows = 0
        self.window_bytes = 0
        self._window: dict[RawFrames, tuple[int, int]] = {}
        self._sites: dict[RawFrames, tuple[int, int]] = {}

    def add_slice(self, groups: Sequence[RawGroup]) -> None:
        """Take what survived a slice of the window that is under way, the most bytes first."""
        self.window_bytes += sum(size for _, size, _ in groups)
        _add_up(self._window, groups[:MAX_SITES])

    def end_window(self) -> None:
        """End the window: whoever kept nothing in it is dropped."""
        self.n_windows += 1
        known = self._sites
        self._sites = {}
        window = sorted(self._window.items(), key=lambda entry: entry[1], reverse=True)[:MAX_SITES]
        for frames, (size, count) in window:
            if self.n_windows == 1 or frames in known:
                size_before, count_before = known.get(frames, (0, 0))
                self._sites[frames] = size_before + size, count_before + count
        self._window, self.window_bytes = {}, 0

    def find_suspects(self) -> list[RawGroup]:
        """Sites that kept memory in every window, with their bytes and blocks of all of them; the most bytes first."""
        found = [(frames, size, count) for frames, (size, count) in self._sites.items()]
        return sorted(found, key=lambda group: group[1:], reverse=True)


def _add_up(sites: dict[RawFrames, tuple[int, int]], groups: Sequence[RawGroup]) -> None:
    for frames, size, count in groups:
        size_before, count_before = sites.get(frames, (0, 0))
        sites[frames] = size_before + size, count_before + count
