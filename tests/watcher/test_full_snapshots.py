"""When full snapshots are due under full tracing, on a clock moved by hand."""

from memanalysis.capture.sample import SampleReader
from memanalysis.watcher.observer import Observer
from memanalysis.watcher.run_row import make_run_row
from memanalysis.watcher.watch import watch


def observe(folder, clock, *, seconds, trace, **arguments):
    """Return after how many seconds full snapshots were taken, in a run with a sample a second.

    They may spend a whole processor: else what one costs on a busy machine would put the next one off.
    """
    quick = {"interval": 1.0, "top_types": 0, "max_overhead": 1.0}
    settings = watch("api", ledger=folder / "ledger", trace=trace, **quick, **arguments).settings
    run = make_run_row("api", started=clock.wall())
    observer = Observer(settings, run=run, reader=SampleReader(clock=clock), clock=clock, engine=trace)
    taken = []
    try:
        observer.begin()
        for second in range(1, seconds + 1):
            count = len(observer.snapshots)
            clock.go(1.0)
            observer.tick()
            taken += [second] * (len(observer.snapshots) - count)
    finally:
        observer.close(seal=False)
    return taken


def test_a_program_that_dies_in_its_first_minute_has_tables_of_its_lines(tmp_path, hand_clock, ledger):
    """Two snapshots come before the first minute is over, and from then on one a minute."""
    kept = observe(tmp_path, hand_clock, seconds=95, trace="full")
    sites = ledger().read("sites")

    assert kept == [10, 30, 90]
    assert {10, 30, 90} <= set(sites["seq"])


def test_an_interval_shorter_than_that_is_kept_to(tmp_path, hand_clock):
    assert observe(tmp_path, hand_clock, seconds=16, trace="full", snapshot_interval=5.0) == [5, 10, 15]


def test_without_tracing_there_is_no_table_to_hurry_for(tmp_path, hand_clock):
    assert observe(tmp_path, hand_clock, seconds=61, trace="off") == [60]
