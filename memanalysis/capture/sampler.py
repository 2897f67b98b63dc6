"""Which lines of code hold the memory, from a sample of the allocations: cheap enough to stay on.

The compiled module `_sampler` takes one allocation of every ``interval_bytes`` on average and remembers its stack until
it is freed. What this module gives are therefore estimates with a standard error. Since `start` it follows Python's
objects and buffers in the main interpreter and the data of numpy arrays, of all threads. Other native memory is not
followed.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from memanalysis.capture.grouping import RawFrames, RawGroup
from memanalysis.errors import CaptureError, InvalidArgumentError

_not_loaded = (
    "it was not compiled, which needs a C compiler and Python's headers (python3-dev) when memanalysis is installed: "
    "pip install -v shows what failed"
)
try:
    import memanalysis.capture._sampler as _sampler
except ModuleNotFoundError:
    _sampler = None  # type: ignore[assignment]
except ImportError as exc:
    _sampler = None  # type: ignore[assignment]
    _not_loaded = f"its compiled module does not load: {exc}"

__all__ = [
    "CELL_INTERVAL_BYTES",
    "DEFAULT_INTERVAL_BYTES",
    "NOTHING",
    "UNKNOWN_PLACE",
    "SampledSite",
    "SampledTable",
    "SamplerStats",
    "check",
    "is_running",
    "mark_peak",
    "read_live",
    "read_live_bytes",
    "read_peak",
    "read_peak_bytes",
    "read_stats",
    "refuse_above",
    "start",
    "stop",
    "why_unavailable",
]

DEFAULT_INTERVAL_BYTES = 512 * 1024
"""A live gigabyte is then known to 2 %, and a site of 50 MB to 10 %; costs some 2 % of processor time."""

CELL_INTERVAL_BYTES = 16 * 1024
"""For a notebook cell or a test, which allocate little: a site of 1.6 MB is known to 10 %."""

MAX_FRAMES = 128
"""Frames of one stack at most; the compiled module's own limit."""

UNKNOWN_PLACE = ("<unknown>", 0)
"""The frame of what was allocated outside of any Python code, as tracemalloc names it."""

SUM_COLUMNS = 5
"""Doubles that the compiled module gives for each stack: bytes, blocks, variance, number of frames, youngest block."""

NEEDED = (3, 11), (3, 13)
"""First and last version of CPython whose frames the compiled module reads."""


@dataclass(frozen=True, slots=True)
class SampledSite:
    """What one stack holds.

    Parameters
    ----------
    frames : sequence of (file, line)
        Most recent call first, as tracemalloc has them.
    functions : tuple of str
        Qualified names, one for each frame.
    size_bytes, live_allocations : float
        Estimates without bias.
    size_stderr_bytes : float
        Standard error of ``size_bytes``: 0 where each block is much larger than the sampling interval.
    youngest : int
        Grows with the order in which blocks were made; that of the site's youngest.
    """

    frames: RawFrames
    functions: tuple[str, ...]
    size_bytes: float
    live_allocations: float
    size_stderr_bytes: float
    youngest: int = 0


NOTHING = SampledSite((UNKNOWN_PLACE,), (UNKNOWN_PLACE[0],), 0.0, 0.0, 0.0)
"""The site of a table that has none."""


@dataclass(frozen=True, slots=True)
class SampledTable:
    """Memory by stack at one moment, the most bytes first.

    Parameters
    ----------
    sites : sequence of SampledSite
    interval_bytes : float
        Mean number of bytes between two samples.
    """

    sites: Sequence[SampledSite]
    interval_bytes: float

    @property
    def size_bytes(self) -> float:
        """Estimated bytes of all sites."""
        return sum(site.size_bytes for site in self.sites)

    @property
    def size_stderr_bytes(self) -> float:
        """Standard error of `size_bytes`; sites err independently of each other."""
        return sqrt(sum(site.size_stderr_bytes**2 for site in self.sites))

    def groups(self) -> list[RawGroup]:
        """Give the sites in the form of traced ones, whole bytes and blocks, from which rows of ``sites`` are made."""
        return [(site.frames, round(site.size_bytes), round(site.live_allocations)) for site in self.sites]


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerStats:
    """What the sampler does, and whether what it gives is whole.

    Parameters
    ----------
    is_running : bool
    interval_bytes : float
        Mean number of bytes between two samples, as it is now.
    times_raised : int
        How often the interval was doubled since the start because the tables were full.
    times_cut_off : int
        How often somebody had taken the hooks away; all blocks from before are forgotten then.
    is_numpy_followed : bool
        False as long as numpy is not loaded, or where its memory handler is not the known one.
    n_births : int
        Blocks sampled in the life of this process: `SampledSite.youngest` is counted so.
    n_sampled, n_live, n_stacks, n_frames : int
        Blocks sampled since the start; blocks, stacks and places in the code that the tables hold.
    memory_bytes : int
        What the tables take.
    """

    is_running: bool
    interval_bytes: float
    times_raised: int
    times_cut_off: int
    is_numpy_followed: bool
    n_births: int
    n_sampled: int
    n_live: int
    n_stacks: int
    n_frames: int
    memory_bytes: int


def why_unavailable() -> str | None:
    """Return the reason why this Python cannot sample, or None where it can."""
    if _sampler is not None:
        return None
    first, last = (".".join(map(str, version)) for version in NEEDED)
    found = f"{sys.implementation.name} {sys.version_info[0]}.{sys.version_info[1]}"
    if sys.implementation.name != "cpython" or not NEEDED[0] <= sys.version_info[:2] <= NEEDED[1]:
        return f"it reads the frames of CPython {first} to {last}, and this is {found}"
    import sysconfig  # slow to load, and only needed here

    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "it relies on the global interpreter lock, and this Python is free-threaded"
    if sys.platform == "win32":
        return "it needs POSIX threads, which Windows does not have"
    return _not_loaded


def start(*, interval_bytes: float = DEFAULT_INTERVAL_BYTES, max_frames: int = 32, seed: int | None = None) -> bool:
    """Start to sample. Return False where it runs already: then nothing changes.

    Parameters
    ----------
    interval_bytes : float
        Mean number of bytes between two samples.
    max_frames : int
        The innermost frames that are kept of a stack.
    seed : int, optional
        For a run that samples the same blocks as another one that allocates the same.

    Raises
    ------
    CaptureError
        This Python cannot sample.
    InvalidArgumentError
        A parameter is out of its range.
    """
    reason = why_unavailable()
    if reason is not None:
        raise CaptureError(f"The allocation sampler cannot start: {reason}. Trace in windows instead.")
    if not 1 <= interval_bytes <= 10**12:
        raise InvalidArgumentError(
            f"start needs interval_bytes of 1 to 10**12, but got {interval_bytes!r}. "
            f"Leave it out for {DEFAULT_INTERVAL_BYTES}."
        )
    if not 1 <= max_frames <= MAX_FRAMES:
        raise InvalidArgumentError(
            f"start needs max_frames of 1 to {MAX_FRAMES}, but got {max_frames!r}. Leave it out for 32."
        )
    chosen = int.from_bytes(os.urandom(8), "little") if seed is None else seed
    is_started: bool = _sampler.start(float(interval_bytes), max_frames, chosen)
    if is_started:
        _follow_numpy()
    return is_started


def stop() -> bool:
    """Stop to sample and forget all. Return False where it did not run."""
    was_running = is_running()
    if was_running:
        _sampler.stop()
    return was_running


def is_running() -> bool:
    """Return whether allocations are being sampled."""
    return _sampler is not None and bool(_sampler.stats()["running"])


def check() -> bool:
    """Follow numpy if it was loaded meanwhile, and return whether the hooks are still where they were.

    False means that somebody had taken them away (``tracemalloc.stop()`` does, if tracemalloc was started first). They
    are back then, and all blocks from before are forgotten, since some of them may have been freed unseen. To be called
    about once a second: it takes a microsecond.
    """
    if not is_running():
        return False
    _follow_numpy()
    return not _sampler.check()


def mark_peak() -> None:
    """Begin to look for the highest point: `read_peak` is about what follows."""
    if _sampler is not None:
        _sampler.mark_peak()


def read_live() -> SampledTable:
    """Read what is live now.

    Raises
    ------
    CaptureError
        The sampler does not run.
    """
    return _read(of_peak=False)


def read_live_bytes() -> int | None:
    """Return the estimated bytes that are live now, or None where the sampler does not run. Takes two microseconds."""
    raw = {} if _sampler is None else _sampler.stats()
    return round(raw["live_bytes"]) if raw.get("running") else None


def read_peak() -> SampledTable:
    """Read what was live when the estimated total was highest since `mark_peak`, or since the start.

    The highest of many estimates is one that errs upwards: its total is too high by up to about its standard error.

    Raises
    ------
    CaptureError
        The sampler does not run.
    """
    return _read(of_peak=True)


def read_peak_bytes() -> int | None:
    """Return the estimated bytes at the highest point since `mark_peak`, or None where the sampler does not run."""
    raw = {} if _sampler is None else _sampler.stats()
    return round(raw["peak_bytes"]) if raw.get("running") else None


def read_stats() -> SamplerStats:
    """Read what the sampler does and holds."""
    raw = {} if _sampler is None else _sampler.stats()
    return SamplerStats(
        is_running=bool(raw.get("running")),
        interval_bytes=raw.get("interval_bytes", 0.0),
        times_raised=int(raw.get("interval_raised", 0)),
        times_cut_off=int(raw.get("cut_off", 0)),
        is_numpy_followed=bool(raw.get("numpy")),
        n_births=int(raw.get("births", 0)),
        n_sampled=int(raw.get("sampled", 0)),
        n_live=int(raw.get("blocks", 0)),
        n_stacks=int(raw.get("stacks", 0)),
        n_frames=int(raw.get("frames", 0)),
        memory_bytes=int(raw.get("memory_bytes", 0)),
    )


def refuse_above(resident_bytes: int | None) -> None:
    """Refuse each block from now on that would take resident memory above this; None refuses nothing.

    It holds for blocks of a mebibyte and more, and of a thirty-second of it, of what the sampler follows, while it
    runs, and on Linux. Who asked for the block gets MemoryError.
    """
    if _sampler is not None:
        _sampler.refuse_above(resident_bytes or 0)


def _follow_numpy() -> None:
    """Ask numpy for its table of C functions, if somebody has loaded it."""
    for name in ("numpy._core._multiarray_umath", "numpy.core._multiarray_umath"):
        array_api = getattr(sys.modules.get(name), "_ARRAY_API", None)
        if array_api is not None:
            _sampler.follow_numpy(array_api)
            return


def _read(*, of_peak: bool) -> SampledTable:
    if not is_running():
        raise CaptureError("The allocation sampler does not run, so it has no sites. Call sampler.start() first.")
    check()
    interval_bytes, max_frames, raw_sums, raw_places, raw_lines, texts = _sampler.read_table(of_peak)
    sums = memoryview(raw_sums).cast("d")
    places = memoryview(raw_places).cast("H")
    pairs = [(file or "", line) for file, line in zip(texts[::2], memoryview(raw_lines).cast("i"), strict=True)]
    names = [name or "" for name in texts[1::2]]
    merged: dict[RawFrames, list[float]] = {}
    functions: dict[RawFrames, tuple[str, ...]] = {}
    for number in range(len(sums) // SUM_COLUMNS):
        size, count, variance, depth, youngest = sums[number * SUM_COLUMNS : (number + 1) * SUM_COLUMNS]
        if not count:
            continue
        stack = places[number * max_frames : number * max_frames + int(depth)].tolist()
        frames = tuple(map(pairs.__getitem__, stack)) or (UNKNOWN_PLACE,)
        if frames in merged:  # instructions of one line
            before = merged[frames]
            sums_of_both = [mine + other for mine, other in zip(before, (size, count, variance), strict=False)]
            merged[frames] = [*sums_of_both, max(before[3], youngest)]
        else:
            merged[frames] = [size, count, variance, youngest]
            functions[frames] = tuple(map(names.__getitem__, stack)) or (UNKNOWN_PLACE[0],)
    sites = [
        SampledSite(frames, functions[frames], size, count, sqrt(variance), round(youngest))
        for frames, (size, count, variance, youngest) in merged.items()
    ]
    sites.sort(key=lambda site: site.size_bytes, reverse=True)
    return SampledTable(sites, interval_bytes)
