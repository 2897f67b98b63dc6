"""Write which lines hold memory, from the sampler that stays on: a table at a few early moments, then one a minute.

The sampler sees every allocation since the start with a probability that grows with its size, so its tables are
estimates with a standard error. A line is named as a suspect only where its growth is beyond that error.
"""

from collections.abc import Callable, Sequence
from math import sqrt
from time import thread_time
from typing import Any

from memanalysis.capture import sampler
from memanalysis.capture.functions import shorten_name
from memanalysis.capture.grouping import RawFrames
from memanalysis.capture.sample import Clock
from memanalysis.capture.sites import SiteTable, describe_place, find_own_groups, make_rows
from memanalysis.schema import Row
from memanalysis.units import MIB, format_bytes
from memanalysis.watcher.growth_signal import BLOCKS_STEP, RSS_STEP_BYTES, GrowthSignal

__all__ = ["INTERVAL_BYTES", "MIN_SIGMAS", "SampledSites"]

INTERVAL_BYTES = 128 * 1024
"""Mean bytes between two samples. A leak of 2 MB is then sixteen samples, at a cost that benchmarks
distinguish from that of 512 KiB only by chance."""

FIRST_TABLES_S = (5.0, 10.0, 20.0, 40.0)
"""Seconds since the start: a program of half a minute must have a table before and after."""

TABLE_INTERVAL_S = 60.0

MIN_GROWN_BYTES = 8 * MIB
"""A table is due, whatever the time, when what is held is twice what it was at the last one, and this much more: a
program that grows that fast may not live until the next."""

MAX_REMEMBERED_SITES = 5_000
"""Sites whose first size is remembered, the biggest. Growth of the others counts from nothing."""

MIN_SIGMAS = 2.0
"""Growth of a suspect in standard errors of the sample, at least."""

FIRST_REST_S = 30.0
MAX_REST_S = 1800.0
"""Between two suspects that are named: twice as long each time."""


class SampledSites:
    """The sampler of one run.

    Parameters
    ----------
    max_frames : int
        Frames that are kept of a stack.
    top_sites : int
        Rows of a table, at most.
    clock : Clock
        When it is.
    record_event : callable
        Writes an event.
    write_sites : callable
        Writes rows of ``sites``, without run, seq and time.
    update_run : callable
        Changes cells of the run's row.
    choose_rest_s : callable
        Returns the seconds that the next table waits at least, from the processor seconds that one took.
    begin : callable
        Called once memory is seen to grow.
    conclude : callable
        Called once a suspect is named.
    """

    def __init__(
        self,
        *,
        max_frames: int,
        top_sites: int,
        clock: Clock,
        record_event: Callable[..., None],
        write_sites: Callable[[Sequence[Row]], None],
        update_run: Callable[[Row], None],
        choose_rest_s: Callable[[float], float],
        begin: Callable[[], None],
        conclude: Callable[[], None],
    ) -> None:
        self._max_frames = min(max_frames, sampler.MAX_FRAMES)
        self._top_sites = top_sites
        self._clock = clock
        self._record_event = record_event
        self._write_sites = write_sites
        self._update_run = update_run
        self._choose_rest_s = choose_rest_s
        self._interval_bytes = float(INTERVAL_BYTES)
        self._begin = begin
        self._conclude = conclude
        self._signals = {"rss_bytes": GrowthSignal(RSS_STEP_BYTES), "live_allocations": GrowthSignal(BLOCKS_STEP)}
        self._is_ours = False
        self._tables_due: list[float] = []
        self._held_bytes = 0
        self._first_sizes: dict[int, int] = {}
        self._at_growth: dict[RawFrames, float] | None = None
        self._rest_s = FIRST_REST_S
        self._rest_until = float("-inf")

    def start(self) -> None:
        """Start to sample, or go on where the sampler runs already, as in a forked child."""
        self._is_ours = sampler.start(interval_bytes=INTERVAL_BYTES, max_frames=self._max_frames) or self._is_ours
        now = self._clock.monotonic()
        self._tables_due = [now + seconds for seconds in FIRST_TABLES_S]
        self._held_bytes = sampler.read_live_bytes() or 0

    def on_sample(self, sample: dict[str, Any]) -> None:
        """Add ``sampled_bytes`` to a tick's sample, and check it for growth."""
        if not sampler.check():
            self._begin_again()
        held = sample["sampled_bytes"] = sampler.read_live_bytes()
        if held is not None and held >= max(2 * self._held_bytes, self._held_bytes + MIN_GROWN_BYTES):
            self._held_bytes = held
            self._tables_due.insert(0, self._clock.monotonic())
        signs = [name for name, signal in self._signals.items() if signal.add(sample[name])]
        if signs and self._clock.monotonic() >= self._rest_until:
            self._on_growth(signs)

    def check(self) -> None:
        """Write a table if one is due."""
        if self._tables_due and self._clock.monotonic() >= self._tables_due[0]:
            began = thread_time()
            self.write_table()
            rest_s = max(TABLE_INTERVAL_S, self._choose_rest_s(thread_time() - began))
            now = self._clock.monotonic()
            self._tables_due = [due for due in self._tables_due if due > now] or [now + rest_s]

    def write_table(self) -> None:
        """Write a table now: the sites that hold the most, and those that grew most since the first one.

        An empty one has a row of nothing: what grows later grew from there.
        """
        if not sampler.is_running():
            return
        self._note_interval()
        sites = self._read_sites() or {(sampler.UNKNOWN_PLACE,): sampler.NOTHING}
        groups = [(frames, round(site.size_bytes), round(site.live_allocations)) for frames, site in sites.items()]
        table = SiteTable(groups, own_bytes=0, own_blocks=0)
        picked = table.pick(self._top_sites, first_sizes=self._first_sizes)
        self._first_sizes = self._first_sizes or table.read_sizes(MAX_REMEMBERED_SITES)
        errors = [round(sites[frames].size_stderr_bytes) for frames, _, _ in picked]
        rows = make_rows(picked, functions={frames: _name_functions(sites[frames]) for frames, _, _ in picked})
        self._write_sites([row | {"size_stderr_bytes": error} for row, error in zip(rows, errors, strict=True)])

    def read_growth(self) -> list[tuple[RawFrames, float, float]]:
        """Return stacks, what they grew by since the first table, and its standard error; nothing before that table."""
        first_sizes = self._first_sizes
        if not first_sizes or not sampler.is_running():
            return []
        sites = self._read_sites()
        growth = {frames: site.size_bytes - first_sizes.get(hash(frames), 0) for frames, site in sites.items()}
        return [(frames, growth[frames], _growth_error(site, growth[frames])) for frames, site in sites.items()]

    def release(self) -> None:
        """End sampling, if it was started here."""
        if self._is_ours:
            sampler.stop()
            self._is_ours = False

    def _note_interval(self) -> None:
        """Write how often is sampled where that changed: the tables were full, or another had started the sampler."""
        before, self._interval_bytes = self._interval_bytes, sampler.read_stats().interval_bytes
        if self._interval_bytes == before:
            return
        self._update_run({"sampling_interval_bytes": round(self._interval_bytes)})
        message = (
            f"Allocations are sampled once in {format_bytes(self._interval_bytes)} from now on, and no longer once in "
            f"{format_bytes(before)}."
        )
        data = {"interval_bytes": round(self._interval_bytes), "times_raised": sampler.read_stats().times_raised}
        self._record_event("sampler", level="info", message=message, data=data)

    def _read_sites(self) -> dict[RawFrames, sampler.SampledSite]:
        """What the program's sites hold, the most bytes first; what memanalysis allocated is left out."""
        sites = sampler.read_live().sites
        own = find_own_groups([(site.frames, 0, 0) for site in sites])
        return {site.frames: site for site, is_own in zip(sites, own, strict=True) if not is_own}

    def _on_growth(self, signs: list[str]) -> None:
        """At the first sign remember what is held; at the next name the line that grew most since then."""
        for signal in self._signals.values():
            signal.clear()
        sites = self._read_sites()
        before, self._at_growth = self._at_growth, {frames: site.size_bytes for frames, site in sites.items()}
        if before is None:
            message = "Memory grows. The lines that hold it are sampled."
            self._record_event("growth", level="info", message=message, data={"figures": signs})
            self._begin()
            return
        self._rest_until = self._clock.monotonic() + self._rest_s
        self._rest_s = min(MAX_REST_S, 2 * self._rest_s)
        self._name_suspect(sites, before)
        self._conclude()

    def _name_suspect(self, sites: dict[RawFrames, sampler.SampledSite], before: dict[RawFrames, float]) -> None:
        growth = {frames: site.size_bytes - before.get(frames, 0.0) for frames, site in sites.items()}
        errors = {frames: MIN_SIGMAS * _growth_error(site, growth[frames]) for frames, site in sites.items()}
        shown = [frames for frames in sites if growth[frames] > errors[frames]]
        if not shown:
            message = "Memory grows, but no line of Python grew beyond the error of the sample: native code, or slowly."
            self._record_event("suspect", level="info", message=message, data=None)
            return
        first = max(shown, key=growth.__getitem__)
        (row,) = make_rows([(first, round(growth[first]), 0)], functions={first: _name_functions(sites[first])})
        grown = f"{format_bytes(growth[first])} more than before, give or take {format_bytes(errors[first])}"
        place = describe_place(row)
        self._record_event(
            "suspect",
            level="warning",
            message=f"{place} holds {grown}.",
            data={"site_id": row["site_id"], "place": place},
        )

    def _begin_again(self) -> None:
        """Go on after the hooks were lost, or where the sampler was ended by what had started it before this run."""
        was_ended = not sampler.is_running()
        if was_ended:
            self.start()
        what = "What had started the sampler ended it" if was_ended else "Another tool took the sampler's hooks away"
        message = f"{what}. It runs again, and what was held before is not known."
        self._record_event("sampler", level="warning", message=message)
        self._first_sizes, self._at_growth = {}, None


def _name_functions(site: sampler.SampledSite) -> list[str | None]:
    """Return the function of each frame as the sampler saw it run: no file is read for that."""
    places = zip(site.frames, site.functions, strict=True)
    return [None if place == sampler.UNKNOWN_PLACE or not name else shorten_name(name) for place, name in places]


def _growth_error(site: sampler.SampledSite, growth_bytes: float) -> float:
    """Standard error of a site's growth: that of blocks as large as its own that add up to the growth."""
    variance_a_byte = site.size_stderr_bytes**2 / site.size_bytes if site.size_bytes else 0.0
    return sqrt(variance_a_byte * max(0.0, growth_bytes))
