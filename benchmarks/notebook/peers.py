"""The same cells under the tools that notebook users have beside: which peak and which line they show, and their cost.

``python -m benchmarks notebook_peers`` runs each cell in kernels of their own: plain, by ``%%memwatch``, by memray's
``%%memray_flamegraph``, by ``%%memit`` of memory_profiler, and with ipython_memory_usage on. memray's flame graph shows
lines: that of the cell which holds the most at the peak counts. The others show one number.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import geometric_mean
from typing import Any

from benchmarks.measure import print_table
from benchmarks.notebook.cell_runs import MEMWATCH, MIB, PLAIN, Result, Shown, Tool, parse_size, run_cell
from benchmarks.notebook.cells import CELLS, BenchmarkCell

__all__ = ["TOOLS", "main"]

MEMRAY_LINES_BEFORE = 7
"""memray runs a cell below lines of its own; ours are counted from the line of the magic on."""


def main(*, names: Sequence[str] = ()) -> None:
    """Print a row a cell, and a row a tool."""
    tools = [tool for tool, package in TOOLS if find_spec(package)]
    chosen = [cell for cell in CELLS if find_spec(cell.needs) and (not names or cell.name in names)]
    rows, runs = [], []
    for cell in chosen:
        plain = run_cell(cell, PLAIN)
        results = [run_cell(cell, tool) for tool in tools]
        runs.append((cell, plain, results))
        row = [f"{cell.name} ({cell.kind})", f"{plain.peak_bytes / MIB:.0f}", f"{plain.seconds:.2f}"]
        rows.append([*row, *(_describe(cell, plain, result) for result in results)])
        print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    print_table(
        "Ordinary cells: peak in MiB shown, x of the plain time, line named",
        ["cell", "MiB", "s", *(tool.name for tool in tools)],
        rows,
    )
    sums = []
    for number, tool in enumerate(tools):
        own = [(cell, plain, results[number]) for cell, plain, results in runs]
        named = sum(result.shown.line in cell.lines for cell, _, result in own)
        right = sum(_is_right(plain, result) for _, plain, result in own)
        ratios = [result.seconds / plain.seconds for _, plain, result in own]
        sums.append(
            [
                tool.name,
                f"{named} of {len(own)}",
                f"{right} of {len(own)}",
                f"{geometric_mean(ratios):.2f}",
                f"{max(ratios):.1f}",
            ]
        )
    print_table("Tools", ["tool", "line of the peak", "peak within 10 %", "x, geometric mean", "x, most"], sums)


def _describe(cell: BenchmarkCell, plain: Result, result: Result) -> str:
    shown = result.shown
    line = "" if shown.line is None else f" :{shown.line}{'' if shown.line in cell.lines else '!'}"
    return f"{shown.peak_bytes / MIB:.0f} {result.seconds / plain.seconds:.1f}x{line}"


def _is_right(plain: Result, result: Result) -> bool:
    return abs(result.shown.peak_bytes - plain.peak_bytes) <= 0.1 * plain.peak_bytes


def _read_flame_graph(_: list[Any], folder: Path) -> Shown:
    """Share the bytes of each frame out to the innermost line of the cell that called it."""
    page = max(folder.glob("memray-results/*/flamegraph.html"), key=lambda path: path.stat().st_mtime_ns)
    text = page.read_text(encoding="utf-8")
    data, _end = json.JSONDecoder().raw_decode(text, re.search(r"packed_data = ", text).end())  # type: ignore[union-attr]
    nodes, strings = data["nodes"], data["strings"]
    lines: Counter[int] = Counter()
    waiting: list[tuple[int, int | None]] = [(0, None)]
    while waiting:
        node, caller = waiting.pop()
        if "ipykernel_" in strings[nodes["filename"][node]]:
            caller = nodes["lineno"][node]
        children = nodes["children"][node]
        if caller is not None:
            lines[caller] += nodes["value"][node] - sum(nodes["value"][child] for child in children)
        waiting += [(child, caller) for child in children]
    largest = lines.most_common(1)
    return Shown(nodes["value"][0], largest[0][0] - MEMRAY_LINES_BEFORE if largest else None)


def _read_memit(displayed: list[Any], _: Path) -> Shown:
    return Shown(parse_size(*re.findall(r"increment: (-?[\d.]+) (MiB)", _join(displayed))[0]))


def _read_usage(displayed: list[Any], _: Path) -> Shown:
    """What the cell used, and how far its peak was above that."""
    used, above = re.findall(r"used (-?[\d.]+) MiB.*?peaked (-?[\d.]+) MiB", _join(displayed))[0]
    return Shown(parse_size(used, "MiB") + parse_size(above, "MiB"))


def _join(displayed: list[Any]) -> str:
    return "".join(output["text"] for output in displayed if output["output_type"] == "stream")


TOOLS = (
    (MEMWATCH, "memanalysis"),
    (Tool("memray", "%load_ext memray", "%%memray_flamegraph", _read_flame_graph), "memray"),
    (Tool("memory_profiler", "%load_ext memory_profiler", "%%memit -r 1", _read_memit), "memory_profiler"),
    (
        Tool("ipython_memory_usage", "%load_ext ipython_memory_usage\n%imu_start", "# plain", _read_usage),
        "ipython_memory_usage",
    ),
)
"""Each with the package it needs."""
