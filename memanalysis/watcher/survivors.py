"""Which sites kept memory in every tracing window? Added up window by window; who misses one is no suspect any more."""

from collections.abc import Iterable, Sequence

from memanalysis.capture.grouping import RawFrames, RawGroup

__all__ = ["Survivors"]

Sites = dict[RawFrames, tuple[int, int]]
"""Bytes and blocks of each site."""

MAX_SITES = 500
"""Sites whose survivors are remembered, the biggest: a megabyte at 25 frames."""


class Survivors:
    """What survived the windows so far, by site.

    A window may be traced in several slices. A site that kept memory in one of them kept it in the window. What
    survived an early window is added to what sites kept later, and drops nobody: growth may begin after it.
    """

    def __init__(self) -> None:
        self.n_windows = 0
        self.window_bytes = 0
        self._window: Sites = {}
        self._sites: Sites = {}
        self._early: Sites = {}

    def add_slice(self, groups: Sequence[RawGroup]) -> None:
        """Take what survived a slice of the window that is under way, the most bytes first."""
        self.window_bytes += sum(size for _, size, _ in groups)
        _add_up(self._window, ((frames, (size, count)) for frames, size, count in groups[:MAX_SITES]))

    def end_early_window(self) -> None:
        """End a window that was opened before growth was believed; it is not counted."""
        _add_up(self._early, _largest(self._window))
        self._early = dict(_largest(self._early))
        self._window, self.window_bytes = {}, 0

    def end_window(self) -> None:
        """End the window: whoever kept nothing in it is dropped."""
        self.n_windows += 1
        known = self._sites
        self._sites = {}
        for frames, (size, count) in _largest(self._window):
            if self.n_windows == 1 or frames in known:
                size_before, count_before = known.get(frames, (0, 0))
                self._sites[frames] = size_before + size, count_before + count
        self._window, self.window_bytes = {}, 0

    @property
    def suspect_bytes(self) -> int:
        """What the suspects kept in all windows, without early ones."""
        return sum(size for size, _ in self._sites.values())

    def find_suspects(self) -> list[RawGroup]:
        """Sites that kept memory in every window, with their bytes and blocks of all of them; the most bytes first.

        Before the first window these are the sites of the early ones.
        """
        sites = dict(self._sites) if self.n_windows else {}
        _add_up(
            sites, ((frames, kept) for frames, kept in self._early.items() if frames in sites or not self.n_windows)
        )
        found = [(frames, size, count) for frames, (size, count) in sites.items()]
        return sorted(found, key=lambda group: group[1:], reverse=True)


def _largest(sites: Sites) -> list[tuple[RawFrames, tuple[int, int]]]:
    return sorted(sites.items(), key=lambda entry: entry[1], reverse=True)[:MAX_SITES]


def _add_up(sites: Sites, groups: Iterable[tuple[RawFrames, tuple[int, int]]]) -> None:
    for frames, (size, count) in groups:
        size_before, count_before = sites.get(frames, (0, 0))
        sites[frames] = size_before + size, count_before + count
