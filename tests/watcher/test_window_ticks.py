"""Ticks and enforcement go on while a tracing window is open."""

import tracemalloc

import pandas as pd
import pytest

from memanalysis.analysis.series_verdict import assess_series
from memanalysis.capture.sample import SampleReader
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.policy.model import parse_policy
from memanalysis.units import MIB
from memanalysis.watcher.live_verdict import LiveRun
from memanalysis.watcher.observer import Observer
from memanalysis.watcher.policy_runtime import PolicyRuntime
from memanalysis.watcher.run_row import make_run_row
from memanalysis.watcher.tick_loop import run_ticks
from memanalysis.watcher.watch import watch

pytestmark = pytest.mark.slow


class GrowingReader(SampleReader):
    """Samples of this process, but for the resident memory: what is set here, and what the tracer holds."""

    rss = 100 * MIB

    def read(self, *, deep=False):
        tracer_bytes = 30 * MIB if tracemalloc.is_tracing() else None
        return super().read(deep=deep) | {"rss_bytes": self.rss + (tracer_bytes or 0), "tracer_bytes": tracer_bytes}


class Service:
    """An observer that ticks once a second by a clock moved by hand, until a window is open."""

    def __init__(self, folder, clock, policy=None):
        self.clock = clock
        self.live = LiveRun()
        settings = watch("api", ledger=folder, trace_limit=1, top_types=0, seal=False, max_overhead=1.0).settings
        self.reader = GrowingReader(clock=clock)
        rules = None if policy is None else PolicyRuntime("api", policy, clock=clock, check_leaks=False)
        run = make_run_row("api", started=clock.wall())
        self.observer = Observer(
            settings,
            run=run,
            reader=self.reader,
            clock=clock,
            policy_runtime=rules,
            live=self.live,
            engine="windows",
        )
        self.observer.prepare()
        self.observer.begin()

    def run(self, *, ticks):
        def tick():
            self.reader.rss += MIB
            self.observer.tick()

        def wait(seconds):
            self.clock.go(seconds)
            return self.observer.ticks > ticks

        monotonic = self.clock.monotonic
        run_ticks(tick, interval_s=1.0, wait=wait, monotonic=monotonic, check=self.observer.check)

    def open_window(self):
        for _ in range(100):
            self.clock.go(1.0)
            self.reader.rss += MIB
            self.observer.tick()
            self.observer.check()
            if tracemalloc.is_tracing():
                return
        pytest.fail("no window was opened")


@pytest.fixture
def start_service(tmp_path, hand_clock):
    made = []

    def start(**arguments):
        made.append(Service(tmp_path / "ledger", hand_clock, **arguments))
        return made[-1]

    yield start
    for service in made:
        service.observer.close(seal=False)


def test_samples_are_taken_without_what_the_tracer_holds_which_is_written_beside(start_service, tmp_path):
    service = start_service()
    service.open_window()
    seq = service.observer.ticks
    service.clock.go(0.5)
    service.observer.tick()
    assert tracemalloc.is_tracing()
    service.observer.end()
    service.observer.close(seal=False)

    samples = open_ledger(tmp_path / "ledger").samples
    taken = samples[samples["seq"] == seq].iloc[0]
    assert taken["tracer_bytes"] == 30 * MIB
    assert taken["rss_bytes"] == service.reader.rss
    assert samples["tracer_bytes"].notna().sum() == 1
    assert samples["traced_bytes"].isna().all()
    assert samples["traced_peak_bytes"].isna().all()


def test_the_policy_is_held_while_a_window_is_open_and_without_what_the_tracer_holds(start_service, tmp_path):
    policy = parse_policy({"memory_budgets": {"services": {"api": "1000MB"}}})
    service = start_service(policy=policy)
    service.open_window()
    service.clock.go(0.5)
    service.reader.rss = 780 * MIB  # with the tracer's 30 MiB it would be over the warning level of 80 %
    service.observer.tick()
    service.clock.go(0.5)
    service.reader.rss = 960 * MIB
    service.observer.tick()
    assert tracemalloc.is_tracing()
    service.observer.close(seal=False)

    breaches = open_ledger(tmp_path / "ledger").events.query("kind == 'breach'")
    assert breaches["level"].tolist()[-1] == "critical"
    assert breaches["timestamp"].max() == pd.Timestamp(service.clock.wall(), unit="s", tz="UTC")
    assert "warning" not in breaches["level"].tolist()


def test_a_run_with_windows_is_judged_live_as_its_ledger_is(start_service, tmp_path):
    service = start_service()
    service.run(ticks=120)
    service.observer.end()
    service.observer.close(seal=False)

    ledger = open_ledger(tmp_path / "ledger")
    assert ledger.events["kind"].tolist().count("window") >= 3
    samples = ledger.samples
    assert samples["tracer_bytes"].notna().any()
    limits = samples["limit_bytes"].dropna()
    limit_bytes = float(limits.iloc[-1]) if len(limits) else None
    verdict = service.live.judge()
    assert verdict == assess_series(samples["elapsed_s"], samples["rss_bytes"], limit_bytes=limit_bytes)
    assert verdict.is_leak
    assert samples["elapsed_s"].diff().max() == pytest.approx(1.0)
    assert verdict.slope_bytes_per_s == pytest.approx(MIB)


def test_stopping_while_a_window_is_open_ends_it_and_keeps_what_it_saw(run_program, tmp_path):
    done = run_program(
        "import time, tracemalloc\n"
        "from memanalysis import watch\n"
        "kept = []\n"
        "def leak():\n"
        "    kept.append(bytearray(20_000))\n"
        "more = dict(max_overhead=1.0, top_types=0, seal=False, trace='windows')\n"
        "recorder = watch('api', ledger='ledger', interval=0.02, **more)\n"
        "until = time.monotonic() + 60\n"
        "with recorder:\n"
        "    while not tracemalloc.is_tracing() and time.monotonic() < until:\n"
        "        leak(); time.sleep(0.001)\n"
        "    leak(); leak()\n"
        "print(tracemalloc.is_tracing(), recorder.status().errors, recorder.status().last_error)\n"
    )

    assert (done.stdout, done.stderr) == ("False 0 None\n", "")
    ledger = open_ledger(tmp_path / "ledger")
    assert "window" in ledger.events["kind"].tolist()
    assert set(ledger.sites["function"]) == {"leak"}
    assert set(ledger.sites["seq"]) <= set(ledger.samples["seq"])
