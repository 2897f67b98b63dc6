"""Run one cell in a kernel of its own, plain or under a tool: its peak, its processor time, and what the tool shows."""

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from benchmarks.notebook.cells import SETUP, BenchmarkCell

__all__ = ["MEMWATCH", "MIB", "PLAIN", "Result", "Shown", "Tool", "parse_size", "run_cell", "start_kernel"]

MIB = 2**20
TIMEOUT_S = 120
TIMED_AGAIN = 2
"""Further runs in the same kernel: the shortest of all counts."""

CLOCK = """
import gc, time
from memanalysis.capture.high_water import mark_high_water, read_resident
from memanalysis.response.trim import return_free_memory
gc.collect(); return_free_memory(); mark_high_water(); at_start = read_resident().now_bytes; began = time.process_time()
"""
READ = "used = time.process_time() - began; r = read_resident(); gc.collect(); return_free_memory(); "
READ += "print(used, r.highest_bytes - at_start, read_resident().now_bytes - at_start)"

_UNITS = {"B": 1, "KiB": 1024, "MiB": MIB, "GiB": 1024 * MIB}


@dataclass(frozen=True, slots=True)
class Shown:
    """What a tool shows of a cell: its peak, not a number where it shows none, and the line that held the most then."""

    peak_bytes: float = float("nan")
    line: int | None = None
    output_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Tool:
    """How a notebook's user measures a cell by a tool.

    ``read`` gets what the kernel displayed and the folder it runs in.
    """

    name: str
    load: str
    magic: str
    read: Callable[[list[Any], Path], Shown]


@dataclass(frozen=True, slots=True)
class Result:
    """What one kernel gave for one cell; sizes in bytes, time in seconds of processor time."""

    seconds: float
    peak_bytes: float
    after_bytes: float
    shown: Shown = Shown()


def run_cell(cell: BenchmarkCell, tool: Tool, *, before: str = "pass") -> Result:
    """Run a cell three times in one kernel; all but its time is of the first."""
    with start_kernel() as (run, folder):
        run(SETUP)
        run(cell.setup)
        run("%load_ext memanalysis")
        run(tool.load)
        run(before)
        run(f"{tool.magic}\npass")
        run(CLOCK)
        displayed = run(f"{tool.magic}\n{cell.body}")
        shown = tool.read(displayed, folder)
        result = _read(run, shown)
        for _ in range(TIMED_AGAIN):
            run(CLOCK)
            run(f"{tool.magic}\n{cell.body}")
            result = replace(result, seconds=min(result.seconds, _read(run, shown).seconds))
        return result


def parse_size(number: str, unit: str) -> float:
    """Return bytes."""
    return float(number) * _UNITS[unit]


def _read(run: Callable[[str], list[Any]], shown: Shown) -> Result:
    printed = next(output["text"] for output in run(READ) if output["output_type"] == "stream")
    return Result(*map(float, printed.split()[:3]), shown=shown)


def _read_card(displayed: list[Any], _: Path) -> Shown:
    card = next((output["data"] for output in displayed if output["output_type"] == "display_data"), None)
    if card is None:
        return Shown()
    text = card["text/plain"]
    size = re.findall(r"(?:rose by|allocated) up to (-?[\d.]+) (B|KiB|MiB|GiB)", text)[0]
    line = re.search(r"most at In\[\d+\]:(\d+)", text)
    return Shown(parse_size(*size), int(line[1]) if line else None, sum(map(len, card.values())))


PLAIN = Tool("plain", "%%memwatch\npass", "# plain", lambda displayed, folder: Shown())
"""Its kernel has loaded what a measured cell loads: free memory that modules fill is no longer there for a cell."""

MEMWATCH = Tool("memanalysis", "pass", "%%memwatch", _read_card)


@contextmanager
def start_kernel() -> Iterator[tuple[Callable[[str], list[Any]], Path]]:
    """Run a kernel in an empty folder; yield a call that runs a cell and returns what it displayed, and the folder."""
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            nbformat.v4.new_notebook(),
            timeout=TIMEOUT_S,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
        )

        def run(source: str) -> list[Any]:
            cell = nbformat.v4.new_code_cell(source)
            client.nb.cells.append(cell)
            client.execute_cell(cell, len(client.nb.cells) - 1)
            return list(cell.outputs)

        with client.setup_kernel():
            yield run, Path(folder)
