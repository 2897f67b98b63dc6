"""What each key of a policy means: the comments of the shipped file."""

from collections.abc import Sequence
from itertools import takewhile

from memanalysis.policy.document import parse_document

__all__ = ["KeyComments"]


class KeyComments:
    """The comments of a commented policy file, by key.

    Parameters
    ----------
    text : str
        The file.
    """

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._document = parse_document(text, source="comments")

    def find(self, keys: tuple[str, ...]) -> str:
        """Return what stands behind a key, else in the lines right above it, else the same of its section."""
        above = (self._document.line_of(keys[:depth]) for depth in range(len(keys), 1, -1))
        return next(filter(None, (_read_comment(self._lines, line) for line in above if line)), "")


def _read_comment(lines: Sequence[str], line: int) -> str:
    behind = lines[line - 1].partition(" # ")[2]
    above = takewhile(lambda text: text.lstrip().startswith("# "), reversed(lines[: line - 1]))
    return (behind or " ".join(text.strip(" #") for text in reversed(list(above)))).strip()
