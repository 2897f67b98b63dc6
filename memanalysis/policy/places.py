"""Where a value of a policy stands, and the error that names its place; errors of one policy are collected and joined.

An error reads ``source:line: dotted.key: needs what is needed, but got what was found. What to do.``
"""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from memanalysis._text import make_printable
from memanalysis.errors import PolicyError, PolicyProblem

__all__ = ["MAX_PROBLEMS", "LineOf", "Place", "Problems", "found", "join_errors", "nearest"]

_SHOWN_CHARACTERS = 60
"""Characters of a wrong value that an error shows."""
MAX_PROBLEMS = 100
"""A policy with this many problems is read no further: a file that is none has one on every line."""
_SHOWN_PROBLEMS = 20
"""Problems that the text of an error lists; the others are counted."""

LineOf = Callable[[tuple[str | int, ...]], "int | str | None"]
"""From the keys that lead to a value to its line in the file, counted from 1; to the name of another source, such as
an environment variable; None where nothing is known."""
Problems = list[PolicyError]
"""The errors that were found so far; reading goes on behind them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: the source, the keys that lead to it, and who knows the lines."""

    source: str
    keys: tuple[str | int, ...] = ()
    line_of: LineOf | None = None

    def child(self, key: str | int) -> "Place":
        """Give the place of an entry of the mapping or list that stands here."""
        return replace(self, keys=(*self.keys, key))

    def error(self, needed: str, found: str, cure: str, *, nearest: str | None = None) -> PolicyError:
        """Make the error that names this place; the caller raises or collects it."""
        line = self.line_of(self.keys) if self.line_of else None
        problem = PolicyProblem(
            source=line if isinstance(line, str) else self.source,
            line=line if isinstance(line, int) else None,
            key=_dotted(self.keys),
            needed=needed,
            found=found,
            cure=cure,
            nearest=nearest,
        )
        return PolicyError(str(problem), (problem,))


def join_errors(errors: Sequence[PolicyError]) -> PolicyError:
    """Make one error of all of a policy, by line; a single one stays as it is."""
    if len(errors) == 1:
        return errors[0]
    problems = sorted((problem for error in errors for problem in error.problems), key=lambda one: one.line or 0)
    source = next((problem.source for problem in problems if problem.line), problems[0].source)
    lines = [f"{source}: {len(problems)} errors", *map(str, problems[:_SHOWN_PROBLEMS])]
    if len(problems) > _SHOWN_PROBLEMS:
        lines.append(f"and {len(problems) - _SHOWN_PROBLEMS} more")
    return PolicyError("\n  ".join(lines), tuple(problems))


def found(value: Any) -> str:
    """Describe what stands there, in one short line however large it is."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, (list, tuple, set, frozenset)):
        return "a list" if value else "an empty list"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > 128:  # its digits may be more than Python is willing to write
        return "a number of more than 38 digits"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return f"the text {_shortened(value)!r}"
    return f"a value of type {type(value).__name__}"


def nearest(word: Any, known: Iterable[str]) -> str | None:
    """Give the known word that is most like this one; None when none is much like it."""
    matches = difflib.get_close_matches(_shortened(word).lower(), list(known), n=1) if isinstance(word, str) else []
    return matches[0] if matches else None


def _dotted(keys: tuple[str | int, ...]) -> str:
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{_printable(key)}" if text else _printable(key)
    return text


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def _printable(key: str) -> str:
    return make_printable(_shortened(key))
