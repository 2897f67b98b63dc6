"""Measure a cell by the allocation sampler: what was live when memory was highest, by line, without a polling thread.

The sampler keeps the composition of the highest point since a mark. A mark is set before each statement, and after it
the composition is read if this was the highest point of the cell so far. What resident memory rose beyond it is native:
neither Python nor numpy allocated it. A sampler that runs already, because the notebook is being watched, is joined,
with its own interval, and left running.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from operator import itemgetter

from memanalysis.capture import sampler
from memanalysis.capture.high_water import mark_high_water, read_resident
from memanalysis.capture.process import read_allocator_free_bytes
from memanalysis.capture.sites import find_own_groups
from memanalysis.notebook.cell_memory import CellMemory
from memanalysis.notebook.lines import Place, add_native, find_place, sum_lines
from memanalysis.notebook.nested_cells import locate_frames
from memanalysis.response.trim import return_free_memory
from memanalysis.schema import Row
from memanalysis.units import MIB, format_bytes

__all__ = ["CELL_FRAMES", "SampledCell"]

CELL_FRAMES = sampler.MAX_FRAMES
"""Frames of a stack: the cell's own line is reached also below the imports of a large package."""

MIN_NATIVE_BYTES = 4 * MIB
"""Less may be pages of code that runs for the first time, and free memory of the allocators."""

MIN_NATIVE_SHARE = 0.2
"""... and so may be less than this share of what was followed: pymalloc's arenas are never quite full."""

SURE_NATIVE_BYTES = 16 * MIB
"""From here on half of that share is enough."""

MIN_UNTOUCHED_BYTES = 8 * MIB
"""A smaller difference between allocated and resident memory is not mentioned."""

MIN_PEAK_SHARE = 0.2
"""A line counts as running at the peak if it holds this share of it: small objects are made all the time."""

COARSE = 4
"""A joined sampler with an interval this many times a cell's own misses lines that a cell's own would show."""

_largest_tables = [0]  # of this process so far


class SampledCell:
    """A `CellRecorder` that reads the sampler."""

    collect_before = 1
    """Older garbage is not followed, so it needs no full collection, which takes 0.1 s a million objects."""

    def __init__(self, *, max_frames: int = CELL_FRAMES) -> None:
        self._max_frames = max_frames
        self._is_ours = False
        self._before: Sequence[Row] = ()
        self._live_before = 0
        self._tables_before = 0
        self._rss_before: int | None = None
        self._is_exact = False
        self._times_cut_off = 0
        self._highest: Sequence[Row] = ()
        self._peak_bytes = 0
        self._followed_peak_bytes = 0
        self._highest_rise = 0
        self._native_peak_bytes = 0
        self._peak_place: Place | None = None
        self._statements: list[tuple[int, Place]] = []
        self._native_at_peak: dict[Place, int] = {}
        self._place: Place | None = None
        self._native_at_start = 0
        self._free_before = 0
        self._free_at_start = 0
        self._native_seen: dict[Place, int] = {}
        self._native_held: dict[Place, int] = defaultdict(int)

    def start(self) -> None:
        """Begin; a sampler that runs is joined."""
        self._is_ours = sampler.start(interval_bytes=sampler.CELL_INTERVAL_BYTES, max_frames=self._max_frames)
        if not self._is_ours:
            self._before = _make_rows(sampler.read_live())
        self._tables_before = _largest_tables[0]
        self._live_before = sampler.read_live_bytes() or 0
        self._times_cut_off = sampler.read_stats().times_cut_off
        self._is_exact = mark_high_water()
        resident = read_resident()
        self._rss_before = None if resident is None else resident.now_bytes
        self._free_before = read_allocator_free_bytes() or 0
        sampler.mark_peak()

    def before_statement(self, place: Place) -> None:
        """Set the marks."""
        self.after_statement()  # of the one that began the measurement
        sampler.check()
        self._place = place
        self._statements.append((sampler.read_stats().n_births, place))
        self._native_seen = {}
        self._native_at_start = self._read_native_bytes()
        self._free_at_start = self._read_free_bytes()
        mark_high_water()
        sampler.mark_peak()

    def after_statement(self) -> None:
        """Keep what was live at the statement's highest point, if it is the cell's so far."""
        if self._place is None:
            return
        place, self._place = self._place, None
        peak = sampler.read_peak_bytes()
        resident = read_resident()
        if peak is None:
            return
        followed = max(peak - self._live_before, 0)
        rise = 0 if resident is None or self._rss_before is None else resident.highest_bytes - self._rss_before
        rise -= self._own_bytes()
        self._highest_rise = max(self._highest_rise, rise)
        unused = min(self._free_at_start, self._read_free_bytes())
        native = rise - followed - unused if _is_native(rise - followed - unused, followed) else 0
        if followed + native > self._peak_bytes:
            self._peak_bytes = followed + native
            self._followed_peak_bytes, self._native_peak_bytes = followed, native
            table = sampler.read_peak()
            self._highest = _make_rows(table)
            ran = _find_youngest(self._highest, peak) if followed > native else None
            self._peak_place = ran or self._find_native_place(place)
            self._native_at_peak = self._share_native(native, place)
        grown = self._read_native_bytes() - self._native_at_start
        if _is_native(grown, followed):
            self._native_held[self._find_native_place(place)] += grown

    def read_python_bytes(self) -> int | None:
        """Return the bytes that are live, as the sampler estimates them."""
        return sampler.read_live_bytes()

    def poll(self, rss_bytes: int | None, place: Place | None) -> None:
        """Note at which line native memory is high: a statement may be a whole loop."""
        sampler.check()
        if rss_bytes is None or place is None or self._rss_before is None or self._place is None:
            return
        live = sampler.read_live_bytes()
        if live is not None:
            native = rss_bytes - self._rss_before - (live - self._live_before) - self._native_at_start
            self._native_seen[place] = max(self._native_seen.get(place, 0), native)

    def end(self) -> None:
        """Close the statement that runs."""
        self.after_statement()

    def finish(self) -> CellMemory:
        """Read what is live, and stop."""
        if not sampler.is_running():
            return CellMemory(peak_bytes=None, notes=("The cell turned the allocation sampler off.",))
        stats = sampler.read_stats()
        _largest_tables[0] = max(_largest_tables[0], stats.memory_bytes)
        retained = sum_lines(self._before, _make_rows(sampler.read_live()), find_deep=self._find_statement)
        return_free_memory()
        live = (sampler.read_live_bytes() or 0) - self._live_before
        native = self._read_native_bytes()
        self.close()
        native = native if _is_native(native, max(live, 0)) else 0
        held = dict(self._native_held)
        highest = sum_lines(self._before, self._highest, find_deep=self._find_statement)
        notes = self._describe(stats)
        self._before = self._highest = ()  # tables of some megabytes, and a cell may be kept until the next collection
        total = sum(held.values())
        native_retained = min(native, total)
        retained_native = {place: size * native_retained // total for place, size in held.items()} if total else {}
        return CellMemory(
            peak_bytes=max(self._highest_rise if self._is_seen else self._peak_bytes, live + native_retained),
            followed_peak_bytes=self._followed_peak_bytes,
            native_peak_bytes=self._native_peak_bytes,
            native_retained_bytes=native_retained,
            rss_peak_bytes=self._highest_rise,
            is_resident=self._is_resident,
            peak_place=self._peak_place,
            highest=add_native(highest, self._native_at_peak),
            retained=add_native(retained, retained_native),
            is_exact=self._is_exact,
            notes=notes,
        )

    def close(self) -> None:
        """Stop the sampler, if it was started here."""
        if self._is_ours:
            self._is_ours = False
            sampler.stop()

    def _read_native_bytes(self) -> int:
        """Resident memory above what is followed, both since the start."""
        resident = read_resident()
        if resident is None or self._rss_before is None:
            return 0
        live = (sampler.read_live_bytes() or 0) - self._live_before
        return resident.now_bytes - self._rss_before - live - self._read_free_bytes() - self._own_bytes()

    def _read_free_bytes(self) -> int:
        """What the C allocator holds free more than before the cell: resident, and nobody's."""
        return max((read_allocator_free_bytes() or 0) - self._free_before, 0)

    def _own_bytes(self) -> int:
        """What the sampler's tables take since the start: they are never given back, so a second cell finds them."""
        return max(sampler.read_stats().memory_bytes - self._tables_before, 0)

    def _share_native(self, native: int, place: Place) -> dict[Place, int]:
        """Native bytes at the highest point, by line: what earlier statements left, and the rest to this one."""
        shares: dict[Place, int] = {}
        for earlier, size in self._native_held.items():
            shares[earlier] = min(size, native - sum(shares.values()))
        here = self._find_native_place(place)
        shares[here] = shares.get(here, 0) + native - sum(shares.values())
        return {line: size for line, size in shares.items() if size > 0}

    def _find_statement(self, row: Row) -> Place | None:
        """The statement that ran when the youngest block of a row was made; None where that was before the cell."""
        number = bisect_left(self._statements, row["youngest"], key=itemgetter(0))
        return self._statements[number - 1][1] if number else None

    def _find_native_place(self, place: Place) -> Place:
        """The line inside the statement at which native memory was seen highest; else the statement's own."""
        return max(self._native_seen, key=self._native_seen.__getitem__, default=place)

    @property
    def _is_resident(self) -> bool:
        """Whether what was allocated at the highest point was in memory, nearly all of it."""
        unseen = self._followed_peak_bytes - self._highest_rise
        return not self._is_exact or unseen < max(MIN_UNTOUCHED_BYTES, MIN_PEAK_SHARE * self._followed_peak_bytes)

    @property
    def _is_seen(self) -> bool:
        """Whether resident memory shows how high the cell rose: to the byte, while samples are estimates."""
        return self._is_exact and self._is_resident

    def _describe(self, stats: sampler.SamplerStats) -> tuple[str, ...]:
        notes = []
        if not self._is_resident:
            notes.append("What did not become resident was not touched yet, or had been free before the cell.")
        if stats.times_cut_off > self._times_cut_off:
            notes.append("tracemalloc was turned off inside the cell: what was allocated before that is not shown.")
        if stats.interval_bytes > COARSE * sampler.CELL_INTERVAL_BYTES and not self._is_ours and self._before:
            notes.append(
                f"This process is watched already, one sample in {format_bytes(round(stats.interval_bytes))}: lines "
                f"that hold less than {format_bytes(round(10 * stats.interval_bytes))} are rough."
            )
        return tuple(notes)


def _is_native(size: int, followed: int) -> bool:
    share = MIN_NATIVE_SHARE if size < SURE_NATIVE_BYTES else MIN_NATIVE_SHARE / 2
    return size >= max(MIN_NATIVE_BYTES, share * followed)


def _find_youngest(rows: Sequence[Row], total_bytes: int) -> Place | None:
    """The line that allocated last among those that hold much: it ran at the highest point."""
    sizes: dict[Place, int] = defaultdict(int)
    youngest: dict[Place, int] = defaultdict(int)
    for row in rows:
        found = find_place(row["traceback"])
        if found is not None and found.line:
            place = Place(found.file, found.line)
            sizes[place] += row["size_bytes"]
            youngest[place] = max(youngest[place], row["youngest"])
    large = [place for place, size in sizes.items() if size >= MIN_PEAK_SHARE * total_bytes]
    return max(large, key=youngest.__getitem__, default=None)


def _make_rows(table: sampler.SampledTable) -> list[Row]:
    """Rows of a table; what memanalysis allocated is left out."""
    groups = table.groups()
    own = find_own_groups(groups)
    return [
        {
            "traceback": locate_frames(frames[::-1]),
            "size_bytes": size,
            "live_allocations": count,
            "youngest": site.youngest,
        }
        for (frames, size, count), site, is_own in zip(groups, table.sites, own, strict=True)
        if not is_own
    ]
