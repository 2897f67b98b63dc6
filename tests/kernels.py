"""A real IPython kernel for tests: cells go in, what a notebook would show comes out."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

__all__ = ["CELL_TIMEOUT_S", "Kernel", "Outputs", "run_kernel", "sizes_at", "sizes_of"]

CELL_TIMEOUT_S = 120


@dataclass(frozen=True)
class Outputs:
    """What one cell showed."""

    outputs: list[Any]
    execution_count: int

    @property
    def stdout(self) -> str:
        return "".join(each.text for each in self.outputs if each.output_type == "stream" and each.name == "stdout")

    @property
    def stderr(self) -> str:
        return "".join(each.text for each in self.outputs if each.output_type == "stream" and each.name == "stderr")

    @property
    def result(self) -> str | None:
        """Text of the cell's last expression, as under ``Out[n]``."""
        return next((each.data["text/plain"] for each in self.outputs if each.output_type == "execute_result"), None)

    @property
    def error(self) -> Any | None:
        return next((each for each in self.outputs if each.output_type == "error"), None)

    @property
    def traceback(self) -> str:
        """The shown traceback without its colours."""
        return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(self.error.traceback)) if self.error else ""

    def displayed(self, mime: str = "text/plain") -> list[str]:
        """What was displayed beside the result."""
        return [each.data[mime] for each in self.outputs if each.output_type == "display_data" and mime in each.data]


class Kernel:
    """Runs cells one after another, as a notebook does."""

    def __init__(self, client: NotebookClient) -> None:
        self.client = client

    def run(self, source: str) -> Outputs:
        cell = nbformat.v4.new_code_cell(source)
        self.client.nb.cells.append(cell)
        self.client.execute_cell(cell, len(self.client.nb.cells) - 1)
        return Outputs(cell.outputs, cell.execution_count or 0)


@contextmanager
def run_kernel(folder: Path) -> Iterator[Kernel]:
    """Start a kernel that works in a folder; it is shut down in the end, whatever happens."""
    client = NotebookClient(
        nbformat.v4.new_notebook(),
        timeout=CELL_TIMEOUT_S,
        allow_errors=True,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    with client.setup_kernel():
        yield Kernel(client)


def sizes_at(text: str, line: str) -> list[float]:
    """Highest and kept MiB in the row of a line."""
    return sizes_of(next(row for row in text.splitlines() if row.strip().startswith(line + " ")))[:2]


def sizes_of(row: str) -> list[float]:
    """The sizes in MiB that stand in a row."""
    return [
        float(number) * {"KiB": 1 / 1024, "MiB": 1, "GiB": 1024}[unit]
        for number, unit in re.findall(r"([\d.]+) (.iB)", row)
    ]
