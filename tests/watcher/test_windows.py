"""Tracing windows by a clock moved by hand: what they cost, when they close, and what they keep."""

import gc
import tracemalloc

import pytest

from memanalysis.units import MIB
from memanalysis.watcher import window_cost
from memanalysis.watcher.overhead_budget import STRETCH_S, OverheadBudget
from memanalysis.watcher.tick_loop import run_ticks
from memanalysis.watcher.window_cost import WindowCost
from memanalysis.watcher.windows import MAX_SLICE_S, MIN_WINDOW_S, TracingWindows


class Program:
    """A program that leaks as its clock goes, takes `busy` of a processor, and is watched for windows."""

    def __init__(self, clock, *, busy=1.0, max_overhead=0.05, grows=True):
        self.clock = clock
        self.busy = busy
        self.grows = grows
        self.leak_elsewhere = False
        self.began = clock.monotonic()
        self.cpu_s = 0.0
        self.rss = 100 * MIB
        self.kept = []
        self.events = []
        self.rows = []
        self.concluded = 0
        self.spent = []
        self.budget = OverheadBudget(max_overhead, clock=clock)
        self.cost = WindowCost(clock=clock, process_time=lambda: self.cpu_s, thread_time=lambda: 0.0)
        self.windows = TracingWindows(
            trace_limit=1, top_sites=50, budget=self.budget, clock=clock, cost=self.cost,
            read_sample=self.read_sample, record_event=self.record_event, write_sites=self.rows.append,
            begin=lambda: None, conclude=self.conclude,
        )  # fmt: skip

    def read_sample(self):
        return {"rss_bytes": self.rss, "live_allocations": None}

    def record_event(self, kind, *, level=None, message=None, data=None):
        self.events.append((self.clock.monotonic(), kind, data))

    def conclude(self):
        self.concluded += 1

    def go(self, seconds):
        self.clock.go(seconds)
        self.cpu_s += self.busy * seconds
        if self.grows:
            self.rss += int(MIB * seconds)
            self.kept.append(bytearray(1000))  # the leak
        if self.leak_elsewhere:
            self.leak(seconds)

    def leak(self, seconds):
        self.rss += int(MIB * seconds)
        self.kept.append(bytearray(2000))

    def run(self, seconds, *, until=lambda: False):
        """Tick once a second, as the recorder does; note what was spent when."""
        end = self.clock.monotonic() + seconds

        def wait(pause):
            self.go(pause)
            return self.clock.monotonic() > end or until()

        def check():
            before = self.budget.spent_s
            try:
                return self.windows.check()
            finally:
                if self.budget.spent_s > before:
                    self.spent.append((self.clock.monotonic(), self.budget.spent_s - before))

        run_ticks(
            lambda: self.windows.on_sample(self.read_sample()),
            interval_s=1.0, wait=wait, monotonic=self.clock.monotonic, check=check,
        )  # fmt: skip

    def find(self, kind):
        return [(at, data) for at, found, data in self.events if found == kind]


@pytest.fixture
def make_program(hand_clock):
    made = []

    def make(**arguments):
        made.append(Program(hand_clock, **arguments))
        return made[-1]

    yield make
    for program in made:
        program.windows.release()


@pytest.mark.slow
@pytest.mark.parametrize(("busy", "max_overhead"), [(1.0, 0.05), (1.0, 0.01), (0.3, 0.05), (4.0, 0.1)])
def test_windows_of_five_minutes_hold_the_share_in_every_ten_seconds(make_program, busy, max_overhead):
    """Three windows and those that follow; nothing but tracing is charged, at nine tenths of what the program takes."""
    program = make_program(busy=busy, max_overhead=max_overhead)
    program.run(300)

    assert program.windows.n_windows >= 2
    for at, _ in program.spent:
        stretch = sum(cost for other, cost in program.spent if at - STRETCH_S < other <= at)
        assert stretch <= 1.02 * max_overhead * STRETCH_S
    assert program.budget.spent_s <= max_overhead * 300
    assert program.rows[-1][0]["function"] == "Program.go"


def test_a_busy_program_is_traced_for_as_long_as_ten_seconds_allow_and_an_idle_one_for_longer(make_program):
    program = make_program(busy=1.0)
    program.run(120, until=lambda: program.concluded)
    busy = [data["seconds"] for _, data in program.find("window") if data["window"]]
    idle_program = make_program(busy=0.01)
    idle_program.run(120, until=lambda: idle_program.concluded)
    idle = [data["seconds"] for _, data in idle_program.find("window") if data["window"]]

    assert len(busy) == len(idle) == 3
    assert all(MIN_WINDOW_S <= seconds <= 0.5 / 0.9 for seconds in busy)
    assert min(idle[1:]) >= MAX_SLICE_S / 2


def test_a_window_that_has_to_end_early_is_continued_when_there_is_budget_again(make_program):
    """A hundredth of a processor affords 0.1 s of tracing in ten seconds."""
    program = make_program(busy=1.0, max_overhead=0.01)
    program.run(600, until=lambda: program.windows.n_windows)

    _, data = program.find("window")[0]
    assert data["slices"] >= 2
    assert data["seconds"] >= MIN_WINDOW_S


def test_samples_taken_while_a_window_is_open_are_no_growth(make_program):
    program = make_program(busy=0.01)
    program.run(120, until=lambda: program.windows.is_open)
    assert program.windows.is_open
    signal = program.windows._signals["rss_bytes"]
    signal.clear()

    for step in range(100):
        program.windows.on_sample({"rss_bytes": step * MIB, "live_allocations": None})

    assert not any(stretch.lows for stretch in signal._stretches)


def test_a_window_that_is_open_at_the_end_keeps_what_it_saw(make_program):
    program = make_program(busy=0.01)
    program.run(120, until=lambda: program.windows.is_open)
    program.go(0.1)
    program.windows.finish()

    assert not tracemalloc.is_tracing()
    assert [data["seconds"] for _, data in program.find("window")] == [pytest.approx(0.15)]
    assert program.rows[0][0]["function"] == "Program.go"
    assert program.budget.spent_s > 0


def test_what_is_left_open_at_the_end_does_not_acquit_the_suspects_of_whole_windows(make_program):
    program = make_program(busy=0.01)
    program.run(120, until=lambda: program.windows.n_windows == 1 and program.windows.is_open)
    program.go(0.01)
    program.windows.finish()

    assert [data["window"] for _, data in program.find("window")] == [0, 1]
    assert len(program.rows) == 2
    assert not tracemalloc.is_tracing()


def test_tracing_that_the_program_stops_ends_the_window_and_the_next_one_is_tried(make_program):
    program = make_program(busy=0.01)
    program.run(120, until=lambda: program.windows.is_open)
    tracemalloc.stop()
    assert program.windows.check() is None
    assert not program.windows.is_open
    assert program.windows.n_windows == 0

    program.run(60, until=lambda: program.windows.n_windows == 3)
    assert program.windows.n_windows == 3


def test_a_program_that_dies_in_its_first_half_minute_was_traced_once_early(make_program):
    """It grows by 1 MiB a second: 8 % after eight seconds, and more than a tenth of its last level from the 12th on."""
    program = make_program(busy=0.05)
    program.run(29)

    ((at, data),) = program.find("window")
    assert 11 <= at - program.began <= 16
    assert data["survived_bytes"] > 0
    assert data["suspect_bytes"] is None
    assert program.rows[0][0]["function"] == "Program.go"
    assert program.concluded == 0


def test_an_early_window_is_within_the_overhead_budget(make_program):
    program = make_program(busy=1.0)
    program.run(29)

    assert len(program.find("window")) == 1
    assert program.budget.spent_s <= 0.05 * 29
    assert max(cost for _, cost in program.spent) <= 0.05 * STRETCH_S


def test_a_warm_up_that_was_traced_early_acquits_no_line_that_leaks_later(make_program):
    """The first ten seconds fill a cache of 1 MiB a second; what leaks a thousand seconds later is named alone."""
    program = make_program(busy=0.01)
    program.run(12)
    program.grows = False
    program.run(1000)
    assert [data["window"] for _, data in program.find("window")] == [0]
    assert program.find("suspect") == []

    program.leak_elsewhere = True
    program.run(200, until=lambda: program.concluded)

    ((_, suspect),) = program.find("suspect")
    assert suspect["place"].endswith("in Program.leak")


def test_what_survived_an_early_window_is_in_the_tables_and_not_among_the_suspects_bytes(make_program):
    program = make_program(busy=0.01)
    program.run(120, until=lambda: program.windows.n_windows == 1)
    (_, early), (_, first) = program.find("window")
    before, after = (
        next(row["size_bytes"] for row in rows if row["function"] == "Program.go") for rows in program.rows
    )

    assert (early["window"], first["window"]) == (0, 1)
    assert after > before > 0
    assert first["suspect_bytes"] == first["survived_bytes"] > 0


def test_memory_that_doubles_again_and_again_is_traced_a_few_times_early(make_program):
    """After the first, at 120 MiB, only at twice the level of the last one or more: at 260 and 600 MiB."""
    program = make_program(busy=0.01, max_overhead=1.0)
    for level in (100, 120, 190, 260, 300, 450, 600, 800):
        program.rss = level * MIB
        program.windows.on_sample(program.read_sample())
        program.go(0.5)
        while program.windows.check() is not None:
            program.clock.go(0.5)

    assert [data["window"] for _, data in program.find("window")] == [0, 0, 0]


def test_without_growth_nothing_is_traced(make_program):
    program = make_program(grows=False)
    program.run(600)

    assert program.events == []
    assert program.budget.spent_s == 0


def test_a_heap_that_takes_long_to_collect_is_collected_among_young_objects_only(hand_clock):
    now = [0.0]

    def thread_time():  # each time it is asked half a second went by
        now[0] += 0.5
        return now[0]

    cost = WindowCost(clock=hand_clock, process_time=lambda: 0.0, thread_time=thread_time)
    before = gc.get_stats()[2]["collections"]

    assert cost.collect(at_once=10.0)  # and took half a second
    assert gc.get_stats()[2]["collections"] == before + 1
    assert not cost.collect(at_once=0.45)
    assert gc.get_stats()[2]["collections"] == before + 1
    assert cost.estimate_collection(0.45) == 0.0


def test_a_program_that_turned_the_collector_off_is_not_collected(hand_clock):
    cost = WindowCost(clock=hand_clock)
    before = [generation["collections"] for generation in gc.get_stats()]
    gc.disable()
    try:
        assert not cost.collect(at_once=10.0)
    finally:
        gc.enable()

    assert [generation["collections"] for generation in gc.get_stats()][2] == before[2]


@pytest.mark.parametrize(
    ("free_mib", "tracer_mib", "trimmed"), [(1, 10, True), (100, 10, False), (None, 10, False), (1, 0.1, False)]
)
def test_memory_is_given_back_unless_the_program_holds_much_free_itself(
    hand_clock, monkeypatch, free_mib, tracer_mib, trimmed
):
    calls = []
    free_bytes = None if free_mib is None else int(free_mib * MIB)
    monkeypatch.setattr(window_cost, "read_allocator_free_bytes", lambda: free_bytes)
    monkeypatch.setattr(window_cost, "return_free_memory", lambda: calls.append(True))

    cost = WindowCost(clock=hand_clock)
    cost.open()
    cost.trim(int(tracer_mib * MIB))

    assert bool(calls) is trimmed


def test_what_an_earlier_window_gave_back_is_not_taken_for_the_programs(hand_clock, monkeypatch):
    """The C allocator counts pages that it gave back as free still."""
    calls, free_mib = [], iter([1, 31, 31, 33])
    monkeypatch.setattr(window_cost, "read_allocator_free_bytes", lambda: next(free_mib) * MIB)
    monkeypatch.setattr(window_cost, "return_free_memory", lambda: calls.append(True))
    cost = WindowCost(clock=hand_clock)

    for _ in range(2):
        cost.open()
        cost.trim(10 * MIB)

    assert len(calls) == 2
