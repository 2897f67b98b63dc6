"""Kill real kernels while a cell runs, and count how often the next kernel names the cell and its line."""

import os
import re
import shutil
import signal
import tempfile
import time
from pathlib import Path

from jupyter_client.manager import KernelManager

from benchmarks.measure import Demand, print_demands

__all__ = ["main"]

KILLS = 20
WAIT_S = 60.0

CELLS = (
    ("held = []\nwhile True:\n    held.append(bytearray(10_000_000))\n    time.sleep(0.05)", 3),
    ("table = {}\nnumber = 0\nwhile True:\n    number += 1\n    table[number] = str(number) * 30", 5),
    (
        "import numpy as np\nkept = []\nwhile True:\n    kept.append(np.ones(1_000_000))\n    time.sleep(.05)",
        4,
    ),
    (
        "def fill(into):\n    while True:\n        into.append(' ' * 10**6); time.sleep(0.01)\nlines = []\nfill(lines)",
        5,
    ),
)
"""Cells that grow for ever, and the line of each that does."""

_DIED = re.compile(r"Your last kernel died in In\[(\d+)\] at \S+ \S+.*?, at line (\d+)")


def main(*, kills: int = KILLS) -> int:
    """Print how many of the killed kernels were named by the one after them; return how many demands are missed."""
    cells = lines = 0
    for number in range(kills):
        source, line = CELLS[number % len(CELLS)]
        shown = kill_and_ask(source, after_s=0.4 + 0.1 * (number % 8))
        match = _DIED.search(shown)
        cells += match is not None and match[1] == "4"
        lines += match is not None and int(match[2]) == line
    return print_demands(
        "Kernels killed in a cell",
        [
            Demand(f"{what} named by the next kernel", f"{named} of {kills}", "all", named == kills)
            for what, named in (("cell", cells), ("line", lines))
        ],
    )


def kill_and_ask(source: str, *, after_s: float) -> str:
    """Run a cell as the fourth of a kernel, kill it with SIGKILL, and return what the next one shows as it loads."""
    folder = Path(tempfile.mkdtemp())
    kernel = start(folder)
    try:
        for text in ("%load_ext memanalysis", "%memwatch on", "import time"):
            execute(kernel, text)
        client = kernel.client()
        client.start_channels()
        client.execute(source)
        time.sleep(after_s)
        os.kill(kernel.provisioner.pid, signal.SIGKILL)  # type: ignore[union-attr]
        client.stop_channels()
    finally:
        kernel.shutdown_kernel(now=True)
    kernel = start(folder)
    try:
        return execute(kernel, "%load_ext memanalysis")
    finally:
        kernel.shutdown_kernel(now=True)
        shutil.rmtree(folder)


def start(folder: Path) -> KernelManager:
    """Start a kernel that works in a folder."""
    kernel = KernelManager(kernel_name="python3")
    kernel.start_kernel(cwd=str(folder))
    return kernel


def execute(kernel: KernelManager, source: str) -> str:
    """Run a cell to its end and return what it printed."""
    client = kernel.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=WAIT_S)
        shown: list[str] = []
        client.execute_interactive(
            source, timeout=WAIT_S, output_hook=lambda message: shown.append(_text_of(message["content"]))
        )
        return "".join(shown)
    finally:
        client.stop_channels()


def _text_of(content: dict[str, object]) -> str:
    return str(content.get("text") or "\n".join(content.get("traceback") or []))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
