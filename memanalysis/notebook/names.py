"""Name the cell that a line of code came from: ``In[3]``, as people call it.

IPython compiles each cell under the name of a file that does not exist (``/tmp/ipykernel_123/4567.py`` in a kernel,
``<ipython-input-3-...>`` in a terminal). The names are learned from the shell
before a cell runs, and handed to the capture package, so that no table and no ledger ever shows the made-up file.
"""

import linecache
import re
from typing import Any

from memanalysis.capture.notebook_cells import register_cell
from memanalysis.notebook.nested_cells import BODY_FILES, body_offset

__all__ = ["CellNames", "count_of"]

_MAGIC = re.compile(r"^(\s*)[%!].*")


class CellNames:
    """Knows the label of every cell of one shell, and the text of its lines."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._file_of: dict[str, str] = {}
        self._typed: dict[str, list[str]] = {}

    def learn_all(self) -> None:
        """Learn the cells that ran before anybody watched: functions defined there may run now."""
        history = self._shell.history_manager
        raw_cells = history.input_hist_raw
        transformed_cells = history.input_hist_parsed
        for number, (raw, transformed) in enumerate(zip(raw_cells, transformed_cells, strict=False)):
            if raw:
                self._learn(raw, transformed, number)

    def learn(self, info: Any, *, within: str | None = None) -> str:
        """Learn the cell that is about to run, from IPython's record of it; gives its label.

        Code that a cell hands back to IPython (``%%capture``) counts as that cell, ``within``: it is what people see.
        """
        transformed = getattr(info, "transformed_cell", None)
        if transformed is None:
            transformed = self._shell.transform_cell(info.raw_cell)
        number = count_of(self._shell, info)
        return self._learn(info.raw_cell, transformed, number, label=within)

    def read_cell(self, label: str) -> str:
        """Text of a cell as it was typed, from its first line that is not empty; empty where it is not known."""
        return "\n".join(self._typed.get(label, ()))

    def read_code(self, label: str) -> str:
        """Text of a cell with ``pass`` in place of magics and shell commands, so that Python can parse it."""
        return "\n".join(_MAGIC.sub(r"\1pass", line) for line in self._typed.get(label, ()))

    def show_as_typed(self, label: str) -> None:
        """Let tracebacks show a measured cell as it was typed, not the calls that stand in for magics."""
        filename, typed = self._file_of.get(label, label), self._typed.get(label, [])
        entry = linecache.cache.get(filename)
        if entry is None or len(entry) != 4 or not typed:
            return
        offset = body_offset("\n".join(typed))
        shown = [f"{line}\n" for line in (typed if offset else typed[:1])]
        linecache.cache[filename] = (entry[0], entry[1], [*shown, *entry[2][len(shown) :]], entry[3])
        if offset:
            body = [f"{line}\n" for line in typed[offset:]]
            for name in BODY_FILES:
                linecache.cache[name] = (sum(map(len, body)), None, body, name)

    def forget_body(self) -> None:
        """Take the source of the body of magics away from where tracebacks look it up."""
        for name in BODY_FILES:
            linecache.cache.pop(name, None)

    def read_source(self, label: str, line: int) -> str:
        """Text of a line of ``In[3]`` as it was typed, or of a file, stripped; empty where there is none."""
        typed = self._typed.get(label)
        if typed is not None:
            return typed[line - 1].strip() if 0 < line <= len(typed) else ""
        return linecache.getline(self._file_of.get(label, label), line).strip()

    def _learn(self, raw: str, transformed: str, number: int, *, label: str | None = None) -> str:
        label = label or f"In[{number}]"
        filename = self._shell.compile.get_code_name(raw, transformed, number)
        self._file_of[label] = filename
        self._typed[label] = _drop_empty_start(raw)
        register_cell(filename, label)
        return label


def count_of(shell: Any, info: Any) -> int:
    """The number in the brackets of the cell that is about to run.

    IPython has already counted a cell that goes into the history, and will not count one that does not.
    """
    count: int = shell.execution_count
    return count - 1 if info.store_history and not info.silent else count


def _drop_empty_start(raw: str) -> list[str]:
    """Lines of a cell from its first that is not empty: IPython counts from there."""
    lines = raw.splitlines()
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    return lines[first:]
