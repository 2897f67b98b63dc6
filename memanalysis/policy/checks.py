"""Is this value of a policy right, and if not, what would be: one check a kind of value.

A check takes the value and its place and gives the value back, ready to use, or raises a `PolicyError` that says
``source:line: dotted.key: what is needed, what was found. What to write.``
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from memanalysis.errors import InvalidArgumentError, PolicyError
from memanalysis.units import MIB, parse_bytes

__all__ = [
    "MAX_COUNT",
    "MAX_DAYS",
    "MAX_MB",
    "MAX_SECONDS",
    "Check",
    "LineOf",
    "Place",
    "check_choice",
    "check_choices",
    "check_flag",
    "check_mapping",
    "check_names",
    "check_number",
    "check_size_mb",
    "check_text",
    "check_whole",
    "found",
    "nearest",
]

MAX_MB = 2**43
"""MB: the bytes of more than this do not fit into a signed 64-bit number."""
MAX_SECONDS = 1_000_000_000
"""Seconds, about 31 years: what clocks and timers of every system can still count."""
MAX_DAYS = 100_000
"""Days, about 270 years: further back the calendar arithmetic of some systems ends."""
MAX_COUNT = 2**53
"""The largest count that a float of 64 bits holds exactly."""

_SHOWN_CHARACTERS = 60
"""Characters of a wrong value that an error shows."""
_EVIDENT_LIMIT = 65535
"""Upper bounds above this are no part of what a key needs; an error names them only when they were passed."""
_LEADING_NUMBER = re.compile(r"\s*[-+]?\d+(\.\d*)?(e[-+]?\d+)?", re.IGNORECASE | re.ASCII)

LineOf = Callable[[tuple[str | int, ...]], int | None]
"""From the keys that lead to a value to its line in the file, counted from 1; None where it has none."""
Check = Callable[[Any, "Place"], Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: the source, the keys that lead to it, and who knows the lines."""

    source: str
    keys: tuple[str | int, ...] = ()
    line_of: LineOf | None = None

    def child(self, key: str | int) -> "Place":
        """Give the place of an entry of the mapping or list that stands here."""
        return replace(self, keys=(*self.keys, key))

    def error(self, problem: str) -> PolicyError:
        """Make the error that names this place; the caller raises it."""
        line = self.line_of(self.keys) if self.line_of else None
        where = self.source if line is None else f"{self.source}:{line}"
        return PolicyError(f"{where}: {_dotted(self.keys)}: {problem}" if self.keys else f"{where}: {problem}")


def check_flag(value: Any, place: Place) -> bool:
    """Give back true or false."""
    if isinstance(value, bool):
        return value
    raise place.error(f"needs true or false, but got {found(value)}. Write true or false, without quotes.")


def check_number(unit: str, *, above: float | None = None, low: float = 0, high: float, example: float) -> Check:
    """Make the check of a number: above ``above`` if given, else from ``low``, up to ``high``."""

    def holds(number: float) -> bool:
        # Compared, never converted: a whole number may be too large for a float, and a NaN fails every comparison.
        return (number >= low if above is None else number > above) and number <= high

    def check(value: Any, place: Place) -> float:
        known = isinstance(value, (int, float)) and not isinstance(value, bool)
        if known and holds(value):
            return cast("float", value)
        needed = f"needs a number of {unit} " + (f"from {low:g}" if above is None else f"above {above:g}")
        if high <= _EVIDENT_LIMIT or (known and value > high):
            needed += f" up to {high:.15g}"
        meant = _number_in(value, unit=unit) if isinstance(value, str) else None
        if meant is not None and holds(meant):
            cure = f"Write {meant:.15g}, without unit, quotes or exponent."
        else:
            cure = f"Write for example {example:g}."
        raise place.error(f"{needed}, but got {found(value)}. {cure}")

    return check


def check_whole(unit: str, *, low: int, high: int, example: int) -> Check:
    """Make the check of a whole number from ``low`` up to ``high``; 25.0 is one, true is none."""
    number = check_number(unit, low=low, high=high, example=example)

    def check(value: Any, place: Place) -> int:
        checked: float = number(value, place)
        if checked != int(checked):
            raise place.error(f"needs a whole number of {unit}, but got {found(value)}. Write {round(checked)}.")
        return int(checked)

    return check


def check_text(needed: str, *, example: str) -> Check:
    """Make the check of a text that is not empty."""

    def check(value: Any, place: Place) -> str:
        if isinstance(value, str) and value.strip():
            return value
        raise place.error(f"needs {needed}, but got {found(value)}. Write for example {example}.")

    return check


def check_choice(*words: str) -> Check:
    """Make the check of one word among ``words``."""

    def check(value: Any, place: Place) -> str:
        if isinstance(value, str) and value in words:
            return value
        guess = nearest(value, words)
        cure = f"Perhaps {guess} was meant." if guess else f"Write for example {words[0]}."
        raise place.error(f"needs one of {', '.join(words)}, but got {found(value)}. {cure}")

    return check


def check_names(needed: str, *, each: Check) -> Check:
    """Make the check of a list whose entries pass ``each``, none of them twice; an empty list is one."""

    def check(value: Any, place: Place) -> tuple[str, ...]:
        if not isinstance(value, (list, tuple)):
            cure = f"Write [{value}]." if isinstance(value, str) and _is_plain(value) else "Write [] for none."
            raise place.error(f"needs a list of {needed}, but got {found(value)}. {cure}")
        names: list[str] = []
        for index, entry in enumerate(value):
            name = each(entry, place.child(index))
            if name in names:
                raise place.child(index).error(
                    f"needs every one of the {needed} once, but got {name} again. Remove it."
                )
            names.append(name)
        return tuple(names)

    return check


def check_choices(needed: str, *words: str) -> Check:
    """Make the check of a list of words among ``words``, none of them twice."""
    return check_names(needed, each=check_choice(*words))


def check_mapping(value: Any, place: Place, *, example: str) -> Mapping[str, Any]:
    """Give back a mapping whose keys are text; what they may be is the caller's question."""
    if not isinstance(value, Mapping):
        raise place.error(f"needs a mapping of keys to values, but got {found(value)}. Write for example {example}.")
    for key in value:
        if not isinstance(key, str):
            problem = f"needs a key that is text, but got {found(key)}. Write it in quotes, or remove it."
            raise place.child(key if isinstance(key, int) else str(key)).error(problem)
    return value


def check_size_mb(value: Any, place: Place) -> float:
    """Give back the MB of a size with its unit, such as ``100MB`` or ``1.5 GiB``."""
    needed = "needs a mapping, or a size above 0 with its unit"
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= MAX_MB:
        raise place.error(f"{needed}, but got {found(value)} without a unit. Write {value:.15g}MB.")
    if not isinstance(value, str):
        raise place.error(f"{needed}, but got {found(value)}. Write for example 100MB.")
    size_mb = _read_size_mb(value)
    if size_mb is None or not 0 < size_mb <= MAX_MB:
        raise place.error(f"{needed}, but got {found(value)}. Write for example 100MB or 1.5GB.")
    return size_mb


def found(value: Any) -> str:
    """Say what stands there, in one short line however large it is."""
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
        text += f"[{key}]" if isinstance(key, int) else f".{_shortened(key)}" if text else _shortened(key)
    return text


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def _is_plain(text: str) -> bool:
    return 0 < len(text) <= _SHOWN_CHARACTERS and all(part.isalnum() for part in text.replace("-", "_").split("_"))


def _number_in(text: str, *, unit: str) -> float | None:
    """Give the number that somebody may have meant by a text."""
    if unit == "MB" and (size_mb := _read_size_mb(text)) is not None:
        return size_mb
    match = _LEADING_NUMBER.match(text)
    return float(match[0]) if match else None


def _read_size_mb(text: str) -> float | None:
    """MB of a size that names its unit; None where the text is no such size."""
    if not text.strip()[-1:].isalpha():
        return None
    try:
        return parse_bytes(text) / MIB
    except (InvalidArgumentError, OverflowError):  # more digits than a float holds
        return None
