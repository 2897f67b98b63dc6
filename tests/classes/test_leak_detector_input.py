"""What a detector takes and refuses, from many threads, and what it loads."""

import json
import math
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from fed_detectors import START, fed, ramp, snapshots

from memanalysis.classes.leak_detector import LeakDetectionResult, MemoryLeakDetector
from memanalysis.errors import InvalidArgumentError, PolicyError
from memanalysis.policy.loader import read_default_policy
from memanalysis.schema import MemorySnapshot


@pytest.mark.parametrize(
    ("snapshot", "text"),
    [
        (
            {"current_mb": 1},
            "add_snapshot needs a MemorySnapshot, but got dict. Give what take_snapshot() or get_snapshot() returns.",
        ),
        (
            MemorySnapshot(START, -1.0, 0, 0),
            "add_snapshot needs a size of 0 or more, or NaN where it is unknown, in current_mb, but got -1.0. "
            "Leave such a snapshot out.",
        ),
        (
            MemorySnapshot(math.nan, 1.0, 0, 0),
            "add_snapshot needs finite seconds in timestamp, but got nan. Leave such a snapshot out.",
        ),
        (
            MemorySnapshot(START, 1.0, 0, True),
            "add_snapshot needs a size of 0 or more, or NaN where it is unknown, in object_count, but got True. "
            "Leave such a snapshot out.",
        ),
    ],
)
def test_what_is_no_snapshot_is_refused(snapshot: Any, text: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        MemoryLeakDetector({}).add_snapshot(snapshot)

    assert str(caught.value) == text


def test_a_whole_policy_or_its_mapping_is_a_config() -> None:
    policy = read_default_policy()

    assert MemoryLeakDetector(policy).policy == MemoryLeakDetector(policy.to_mapping()).policy


def test_a_wrong_config_is_refused_at_once() -> None:
    with pytest.raises(PolicyError, match=r"^config: leak_detection\.sensitivity: needs one of low, medium, high"):
        MemoryLeakDetector({"leak_detection": {"sensitivity": "paranoid"}})


def test_details_can_be_kept_as_json() -> None:
    result = fed(snapshots(ramp(30, start_mb=100))).detect_leak()

    assert json.loads(json.dumps(result.details))["n_snapshots"] == 10


def test_threads_may_add_while_another_asks() -> None:
    detector = MemoryLeakDetector({})
    problems: list[BaseException] = []
    results: list[LeakDetectionResult] = []

    def guarded(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            except BaseException as exc:  # handed to the test, which fails on it
                problems.append(exc)

        return run

    def add() -> None:
        for snapshot in snapshots(ramp(30, start_mb=100, n=300)):
            detector.add_snapshot(snapshot)

    threads = [threading.Thread(target=guarded(add)) for _ in range(3)]
    threads.append(threading.Thread(target=guarded(lambda: results.extend(detector.detect_leak() for _ in range(10)))))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert not problems
    assert len(results) == 10


@pytest.mark.slow
def test_nothing_is_loaded_between_the_first_snapshot_and_the_answer() -> None:
    """The memory of numpy must not count as growth of the watched process; importing alone does not load it."""
    program = """
import sys
from memanalysis.classes.leak_detector import MemoryLeakDetector
from memanalysis.classes.object_leak_detector import ObjectLeakDetector
from memanalysis.schema import MemorySnapshot
assert not {"numpy", "pandas", "scipy", "pyarrow", "psutil", "yaml"} & set(sys.modules)
detector, objects = MemoryLeakDetector({}), ObjectLeakDetector()
before = set(sys.modules)
for second in range(12):
    detector.add_snapshot(MemorySnapshot(float(second), 100.0 + 5 * second, 0.0, 1000 + 500 * second))
    objects.take_object_snapshot()
assert detector.detect_leak().leak_detected
assert detector.analyze_trend().direction == "increasing"
objects.detect_object_leaks()
late = {name.partition(".")[0] for name in set(sys.modules) - before}
assert not late, late
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_loading_the_engine_under_tracing_warns_first() -> None:
    """A small module stands in for the engine, so that the test does not take the time that the warning names."""
    program = """
import logging, tracemalloc
from memanalysis.verdicts.engine_loading import load_engine
logging.basicConfig(format="%(message)s")
tracemalloc.start(1)
load_engine("json.tool")
load_engine("json.tool")
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (
        0,
        "Loading numpy while tracemalloc traces can take many seconds. Import json.tool before tracing starts.\n",
    )
