"""The source text around a line of code, read where the report is made, if the file is here.

A ledger may come from anywhere, so only files of Python are opened, and only regular ones.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from memanalysis.errors import MemAnalysisError
from memanalysis.ledger.walk import open_regular

__all__ = ["SourceText", "read_source"]

MAX_BYTES = 4 * 1024**2
MAX_COLUMNS = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceText:
    """A line and its neighbours.

    Parameters
    ----------
    title : str
        What the line has to do with what is described, and its place without folders.
    first_line, line : int
        Numbers of the first of ``lines``, and of the one that is meant.
    lines : tuple of str
        Cut after some columns.
    is_newer : bool
        Whether the file was changed after the run: then it may be another line.
    """

    AROUND: ClassVar[int] = 2
    """Lines before and after the line itself, where nothing else is asked for."""

    title: str
    first_line: int
    line: int
    lines: tuple[str, ...]
    is_newer: bool

    def render(self) -> str:
        """Return the title, and the lines with their numbers, the one that is meant marked."""
        width = len(str(self.first_line + len(self.lines)))
        numbered = enumerate(self.lines, start=self.first_line)
        marked = (
            f"{'>' if number == self.line else ' '} {number:{width}} {text}".rstrip() for number, text in numbered
        )
        return "\n".join([self.title, *marked])


def read_source(
    file: str, line: int, *, title: str, ended: datetime | None, around: int = SourceText.AROUND
) -> SourceText | None:
    """Return the text of a line and its neighbours; None where the file is not here, or has no such line.

    Parameters
    ----------
    title : str
        Stands above the text.
    ended : datetime or None
        When the run ended.
    around : int
        Lines before and after.
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
    first = max(1, line - around)
    shown = tuple(text.expandtabs(4)[:MAX_COLUMNS] for text in texts[first - 1 : line + around])
    is_newer = ended is not None and changed > ended
    return SourceText(title=title, first_line=first, line=line, lines=shown, is_newer=is_newer)
