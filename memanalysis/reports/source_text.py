"""The source text around a line of code, read where the report is made, if the file is here.

A ledger may come from anywhere, so only files of Python are opened, and only regular ones.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from memanalysis.errors import MemAnalysisError
from memanalysis.ledger.walk import open_regular

__all__ = ["SourceText", "read_source"]

AROUND = 2
"""Lines before and after the line itself."""

MAX_BYTES = 4 * 1024**2
MAX_COLUMNS = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceText:
    """A line and its neighbours.

    Parameters
    ----------
    first_line, line : int
        Numbers of the first of ``lines``, and of the one that is meant.
    lines : tuple of str
        Cut after some columns.
    is_newer : bool
        Whether the file was changed after the run: then it may be another line.
    """

    first_line: int
    line: int
    lines: tuple[str, ...]
    is_newer: bool

    def render(self) -> str:
        """Return the lines with their numbers, the one that is meant marked."""
        width = len(str(self.first_line + len(self.lines)))
        numbered = enumerate(self.lines, start=self.first_line)
        return "\n".join(
            f"{'>' if number == self.line else ' '} {number:{width}} {text}".rstrip() for number, text in numbered
        )


def read_source(file: str, line: int, *, ended: datetime | None) -> SourceText | None:
    """Return the text of a line and its neighbours; None where the file is not here, or has no such line.

    Parameters
    ----------
    ended : datetime or None
        When the run ended.
    """
    path = Path(file)
    if path.suffix != ".py" or not path.is_absolute() or line < 1:
        return None
    try:
        with open_regular(path, follow=True) as stream:
            content = stream.read(MAX_BYTES)
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except (OSError, MemAnalysisError):
        return None
    texts = content.decode("utf-8", "replace").splitlines()
    if line > len(texts):
        return None
    first = max(1, line - AROUND)
    shown = tuple(text.expandtabs(4)[:MAX_COLUMNS] for text in texts[first - 1 : line + AROUND])
    return SourceText(first_line=first, line=line, lines=shown, is_newer=ended is not None and changed > ended)
