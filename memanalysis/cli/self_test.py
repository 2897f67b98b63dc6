"""The self-test of ``memanalysis doctor``: allocated memory is seen, and a ledger returns what it was given.

It ends within `MAX_S` from when its packages are loaded: what is not done by then counts as failed.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from memanalysis.cli.command_help import ROWS
from memanalysis.units import MIB, format_bytes

__all__ = ["MAX_S", "THREAD_NAME", "SelfTest", "describe_self_test", "run_self_test"]

MAX_S = 5.0

TEST_BYTES = 16 * MIB
"""Allocated for the self-test; the sampler finds them to 9 % in 95 of 100 tries."""

TEST_BLOCK_BYTES = 4096

TEST_ROWS = 100
"""Written into a ledger and read back."""


THREAD_NAME = "memanalysis self-test"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """What was seen of memory that was allocated, and of rows that were written; None where it cannot be measured."""

    allocated_bytes: int
    rss_growth_bytes: int | None
    sampled_bytes: int | None
    rows_written: int
    rows_read: int | None
    ledger_error: str | None
    duration_s: float
    is_passed: bool


def run_self_test(*, max_s: float = MAX_S) -> SelfTest:
    """Allocate and look, then write a ledger into a temporary folder and read it."""
    can_read = all(find_spec(name) is not None for name in ROWS)
    if can_read:
        import_module("pyarrow.parquet")
        import_module("pandas")
    started = time.monotonic()
    wanted, grown, sampled = _test_allocations()
    read, error = _call_within(_test_ledger, max_s, started=started) if can_read else (None, None)
    is_seen = (grown is None or grown > wanted / 2) and (sampled is None or 0.7 < sampled / wanted < 1.3)
    return SelfTest(
        allocated_bytes=wanted,
        rss_growth_bytes=grown,
        sampled_bytes=sampled,
        rows_written=TEST_ROWS,
        rows_read=read,
        ledger_error=error,
        duration_s=time.monotonic() - started,
        is_passed=is_seen and error is None and read in (None, TEST_ROWS),
    )


def describe_self_test(test: SelfTest) -> str:
    """Return what was done, what was seen, and whether that is well."""
    text = (
        f"{format_bytes(test.allocated_bytes)} were allocated. Resident memory grew by {_size(test.rss_growth_bytes)}"
    )
    text += "." if test.sampled_bytes is None else f", the sampler saw {_size(test.sampled_bytes)}."
    if test.ledger_error is not None:
        text += f" A ledger could not be written and read: {test.ledger_error}."
    elif test.rows_read is None:
        text += f" No ledger was read, which needs {', '.join(ROWS)}."
    else:
        text += f" {test.rows_written} rows were written into a ledger, {test.rows_read} of them were read as written."
    return text + (" All is well." if test.is_passed else " That is not what it should be.")


def _test_allocations() -> tuple[int, int | None, int | None]:
    """Return the bytes that were allocated, by how much resident memory grew, and what the sampler saw."""
    from memanalysis.capture import sampler
    from memanalysis.capture.process import ProcessReader

    with ProcessReader() as process:
        before = process.read_rss_bytes()
        is_sampled = sampler.why_unavailable() is None and sampler.start(interval_bytes=32 * 1024)
        try:
            blocks = [bytes(TEST_BLOCK_BYTES) for _ in range(TEST_BYTES // TEST_BLOCK_BYTES)]
            sampled = sampler.read_live_bytes() if is_sampled else None
        finally:
            if is_sampled:
                sampler.stop()
        after = process.read_rss_bytes()
    wanted = len(blocks) * (TEST_BLOCK_BYTES + sys.getsizeof(b""))
    return wanted, None if before is None or after is None else after - before, sampled


def _test_ledger() -> int:
    """Return how many rows of a new ledger are read as they were written, sealed into Parquet."""
    from memanalysis.ledger.reading.ledger import open_ledger
    from memanalysis.ledger.writing.ledger_writer import LedgerWriter

    rows = [
        {"seq": at, "timestamp": float(at), "elapsed_s": float(at), "rss_bytes": MIB + at} for at in range(TEST_ROWS)
    ]
    with tempfile.TemporaryDirectory(prefix="memanalysis-doctor-") as folder:
        writer = LedgerWriter(folder, run={"run_id": "doctor", "service": "doctor", "started": 0.0}, flush="fsync")
        writer.append("samples", rows)
        writer.close(ended=float(TEST_ROWS))
        read = open_ledger(folder).read("samples", columns=["seq", "rss_bytes"]).itertuples(index=False)
        return sum((row["seq"], row["rss_bytes"]) == tuple(found) for row, found in zip(rows, read, strict=False))


def _call_within(function: Callable[[], int], max_s: float, *, started: float) -> tuple[int | None, str | None]:
    """Return what a function returns, or why it does not, after a bounded time: a file system may never answer."""
    results: list[int] = []
    errors: list[str] = []

    def call() -> None:
        try:
            results.append(function())
        except Exception as exc:  # whatever is wrong with this machine: it is what the test is to show
            errors.append(f"{type(exc).__name__}: {exc}".rstrip("."))

    thread = threading.Thread(target=call, name=THREAD_NAME, daemon=True)
    thread.start()
    thread.join(max(started + max_s - time.monotonic(), 0.0))
    if results:
        return results[0], None
    return None, errors[0] if errors else f"it took more than {max_s:g} s"


def _size(size: int | None) -> str:
    return "not available" if size is None else format_bytes(size)
