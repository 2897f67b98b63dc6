"""What would be right in place of a wrong value: in words, from what msgspec knows of its type."""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import inspect

from memanalysis.policy.places import found, nearest
from memanalysis.policy.sizes import read_size

__all__ = ["describe_value"]

_EVIDENT_LIMIT = 65535
"""Upper bounds above this are no part of what a key needs; an error names them only when they were passed."""
_UNIT_WORDS = {
    "MB": ("m", "mb", "mib"),
    "percent": ("%", "percent"),
    "seconds": ("s", "sec", "second", "seconds"),
    "days": ("d", "day", "days"),
}
"""How the unit of a key may be written behind its number; with another one the number alone would be a wrong value."""
_LEADING_NUMBER = re.compile(r"\s*[-+]?\d+(\.\d*)?(e[-+]?\d+)?", re.IGNORECASE | re.ASCII)


def describe_value(kind: inspect.Type, words: Mapping[str, Any], value: Any) -> tuple[str, str, str, str | None]:
    """Return what a key needs, what was found there, what to write instead, and the nearest known word.

    Parameters
    ----------
    kind : inspect.Type
        The type and its bounds.
    words : mapping
        What the type's ``extra`` holds: unit, example, or the whole phrase.
    value
        What is no value of this type.
    """
    shown = found(value)
    if "needed" in words:
        return words["needed"], shown, words["cure"], None
    if isinstance(kind, inspect.BoolType):
        return "true or false", shown, "Write true or false, without quotes.", None
    if isinstance(kind, inspect.LiteralType):
        choices = words["choices"]
        guess = nearest(value, choices)
        cure = f"Perhaps {guess} was meant." if guess else f"Write for example {choices[0]}."
        return f"one of {', '.join(choices)}", shown, cure, guess
    if isinstance(kind, (inspect.FloatType, inspect.IntType)):
        return _describe_number(kind, words, value)
    return "another type of value", shown, "Remove it.", None


def _describe_number(
    kind: inspect.FloatType | inspect.IntType, words: Mapping[str, Any], value: Any
) -> tuple[str, str, str, str | None]:
    unit, example = words["unit"], words["example"]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(kind, inspect.IntType) and is_number and _holds(kind, value):
        return f"a whole number of {unit}", found(value), f"Write {round(value)}.", None
    bound = f"above {kind.gt:g}" if kind.gt is not None else f"from {kind.ge:g}"
    needed = f"a number of {unit} {bound}"
    high = kind.le
    if high is not None and (high <= _EVIDENT_LIMIT or (is_number and value > high)):
        needed += f" up to {high:.15g}"
    if words.get("is_size"):
        needed += " or a size with its unit"
    cure = _cure_text(kind, words, value) if isinstance(value, str) else None
    if cure is None:
        cure = f"Write for example {example:g}" + (f" or {example:g}MB." if words.get("is_size") else ".")
    return needed, found(value), cure, None


def _cure_text(kind: inspect.FloatType | inspect.IntType, words: Mapping[str, Any], text: str) -> str | None:
    """Give what somebody meant by a text that begins with a number; None where that is not known for sure."""
    match = _LEADING_NUMBER.match(text)
    if match is None:
        return None
    meant, rest = float(match[0]), text[match.end() :].strip().lower()
    if rest in ("", words["unit"], *_UNIT_WORDS.get(words["unit"], ())):
        return f"Write {meant:.15g}, without unit, quotes or exponent." if _holds(kind, meant) else None
    share = f"{meant:.15g}% of limit"
    if words.get("may_be_share") and rest.startswith(_UNIT_WORDS["percent"]) and read_size(share) is not None:
        return f"Write {share}."
    return None


def _holds(kind: inspect.FloatType | inspect.IntType, number: float) -> bool:
    """Whether a number is within the bounds; compared, never converted, because it may be too large for a float."""
    above = number > kind.gt if kind.gt is not None else number >= (kind.ge or 0)
    return above and (kind.le is None or number <= kind.le)
