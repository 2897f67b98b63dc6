"""What do repeated runs of one test keep, by the line that allocates? From tracemalloc, run by run.

Pytest keeps something of each run as well: reports, finalizers of wider fixtures, what a plugin counts. Only memory
counts that code of the suite allocated, directly or through libraries: between pytest's own frames and the allocation
stands a frame of the tests, of a ``conftest.py`` or of the program under test.
"""

import tracemalloc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from memanalysis.capture.functions import name_functions
from memanalysis.capture.grouping import RawFrames
from memanalysis.capture.sites import read_site_table
from memanalysis.capture.user_frames import is_library_file
from memanalysis.capture.wrapper_frames import is_own_file, make_portable, register_wrapper_frame
from memanalysis.leaktest.finding import LeakSite

__all__ = ["FRAMES", "RunReadings", "SteadyGrowth", "why_untraceable"]

register_wrapper_frame(__file__)

FRAMES = 48
"""Frames of a traceback: from deep in a library out to pytest's own."""

RUNNERS = ("_pytest", "pluggy", "xdist", "_hypothesis_pytestplugin.py", "_hypothesis_ftz_detector.py")
"""Packages and modules that run tests: what lies beyond their frames is not the test's."""

MAX_SITES = 20
Sizes = Mapping[RawFrames, tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyGrowth:
    """What every one of some runs kept.

    Parameters
    ----------
    bytes_per_run : tuple of int
        Bytes of each run, in their order.
    sites : tuple of LeakSite
        Lines of the suite's own code, the most bytes first.
    lines : frozenset of (file, line)
        Where the kept blocks were allocated, in a library too.
    """

    bytes_per_run: tuple[int, ...]
    sites: tuple[LeakSite, ...]
    lines: frozenset[tuple[str, int]] = frozenset()

    @property
    def low(self) -> int:
        """Bytes that a run kept at the least."""
        return min(self.bytes_per_run, default=0)


class RunReadings:
    """Traced memory after each of some runs of one test.

    Parameters
    ----------
    test_file : Path
        The file of the test, which may lie among installed packages.
    """

    def __init__(self, test_file: Path) -> None:
        self._test_folder = str(_find_top_folder(test_file))
        self._tables: list[Sizes] = []

    def __len__(self) -> int:
        return len(self._tables)

    def read(self) -> None:
        """Note what is alive after a run."""
        sizes: dict[RawFrames, tuple[int, int]] = {}
        for frames, size, count in read_site_table().groups:
            inner = self._cut_at_runner(frames)
            if inner:
                size_before, count_before = sizes.get(inner, (0, 0))
                sizes[inner] = size_before + size, count_before + count
        self._tables.append(sizes)

    def find_steady(self) -> SteadyGrowth:
        """Return the growth of the lines that grew in every run after the first that was traced."""
        steady = self._find_steady_sites()
        runs = [
            sum(after[frames][0] - before.get(frames, (0, 0))[0] for frames in steady)
            for before, after in zip(self._tables, self._tables[1:], strict=False)
        ]
        return SteadyGrowth(
            bytes_per_run=tuple(runs),
            sites=self._make_sites(steady),
            lines=frozenset(frames[0] for frames in steady),
        )

    def _find_steady_sites(self) -> list[RawFrames]:
        if len(self) < 2:
            return []
        pairs = list(zip(self._tables, self._tables[1:], strict=False))
        steady = [
            frames
            for frames in self._tables[-1]
            if all(after.get(frames, (0, 0))[0] > before.get(frames, (0, 0))[0] for before, after in pairs)
        ]
        return sorted(steady, key=lambda frames: -self._tables[-1][frames][0])

    def _make_sites(self, steady: Sequence[RawFrames]) -> tuple[LeakSite, ...]:
        first, last, runs = self._tables[0], self._tables[-1], max(1, len(self) - 1)
        users = [self._find_user(frames) or frames[0] for frames in steady[:MAX_SITES]]
        functions = name_functions(users)
        return tuple(
            LeakSite(
                file=make_portable(user[0]),
                line=user[1],
                function=functions[user],
                bytes_per_call=(last[frames][0] - first.get(frames, (0, 0))[0]) / runs,
                blocks_per_call=(last[frames][1] - first.get(frames, (0, 0))[1]) / runs,
                traceback=tuple((make_portable(file), line) for file, line in reversed(frames)),
            )
            for user, frames in zip(users, steady, strict=False)
        )

    def _cut_at_runner(self, frames: RawFrames) -> RawFrames:
        """Return the frames within the code of the suite (most recent first); none where pytest itself allocates."""
        is_suite = False
        for place, (file, _) in enumerate(frames):
            if _is_runner(file):
                return frames[:place] if is_suite else ()
            is_suite = is_suite or self._is_of_suite(file)
        return frames if is_suite or len(frames) >= FRAMES else ()

    def _find_user(self, frames: RawFrames) -> tuple[str, int] | None:
        return next((frame for frame in frames if self._is_of_suite(frame[0])), None)

    def _is_of_suite(self, file: str) -> bool:
        return not is_library_file(file) or file.startswith(self._test_folder)


def why_untraceable() -> str | None:
    """Return the reason why a test cannot be traced now; None where it can."""
    if tracemalloc.is_tracing() and tracemalloc.get_traceback_limit() < FRAMES:
        return f"tracemalloc runs already, with fewer than {FRAMES} frames of each traceback"
    return None


@cache
def _is_runner(file: str) -> bool:
    if is_own_file(file):
        return True
    return not set(RUNNERS).isdisjoint(Path(file).parts)


def _find_top_folder(test_file: Path) -> Path:
    """Return the folder of a test, or that of the outermost package around it."""
    folder = test_file.parent
    while (folder / "__init__.py").is_file() and (folder.parent / "__init__.py").is_file():
        folder = folder.parent
    return folder
