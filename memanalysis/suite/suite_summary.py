"""What ``pytest --memwatch`` prints in the end: the tests with the most memory, and what was not checked."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from memanalysis._text import make_printable
from memanalysis.units import MIB, format_bytes

__all__ = ["SHOWN", "render_summary"]

SHOWN = 5
"""Tests in each table."""

MIN_SHOWN_BYTES = MIB
"""Less is not worth a row."""

_NO_TESTS = "No test was measured."


def render_summary(records: Iterable[Mapping[str, Any]], *, shown: int = SHOWN) -> list[str]:
    r"""Return the lines of the summary.

    Parameters
    ----------
    records : iterable of mapping
        One for each test: its name as ``test``, the fields of `memanalysis.suite.item_meter.ItemFigures`, ``repeats``,
        and the reason why it was not repeated as ``unchecked``.

    Examples
    --------
    >>> figures = {"start_bytes": 50 * 2**20, "peak_bytes": 90 * 2**20, "end_bytes": 52 * 2**20}
    >>> figures["retained_bytes"] = 2**20
    >>> more = {"peak_line": "test_app.py:4", "repeats": 0, "unchecked": None}
    >>> print("\n".join(render_summary([{"test": "test_app.py::test_load", **figures, **more}])))
    1 test measured, the highest resident memory was 90.0 MiB.
    added at the peak
        40.0 MiB  test_app.py::test_load, test_app.py:4
    kept
         1.0 MiB  test_app.py::test_load
    """
    tests = list(records)
    if not tests:
        return [_NO_TESTS]
    highest = max((record["peak_bytes"] or 0 for record in tests), default=0)
    plural = "" if len(tests) == 1 else "s"
    known = format_bytes(highest) if highest else "not available"
    lines = [f"{len(tests):,} test{plural} measured, the highest resident memory was {known}."]
    repeated = sum(1 for record in tests if record["repeats"])
    if repeated:
        lines.append(f"{repeated:,} of them ran again, {sum(record['repeats'] for record in tests):,} times in all.")
    lines += _render_table("added at the peak", tests, _rise, shown=shown, with_line=True)
    lines += _render_table("kept", tests, lambda record: record["retained_bytes"], shown=shown)
    reasons = Counter(str(record["unchecked"]) for record in tests if record["unchecked"])
    lines += [f"not checked for leaks: {count:,}, because {reason}" for reason, count in reasons.most_common(shown)]
    return lines


def _render_table(
    title: str, tests: list[Mapping[str, Any]], size_of: Any, *, shown: int, with_line: bool = False
) -> list[str]:
    rows = [(size_of(record) or 0, record) for record in tests]
    rows = sorted((row for row in rows if row[0] >= MIN_SHOWN_BYTES), key=lambda row: -row[0])[:shown]
    lines = [title] if rows else []
    for size, record in rows:
        line = f", {record['peak_line']}" if with_line and record["peak_line"] else ""
        lines.append(f"  {format_bytes(size):>10}  {make_printable(record['test'])}{make_printable(line)}")
    return lines


def _rise(record: Mapping[str, Any]) -> int | None:
    if record["peak_bytes"] is None or record["start_bytes"] is None:
        return None
    return int(record["peak_bytes"]) - int(record["start_bytes"])
