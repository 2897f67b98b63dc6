"""Answers in JSON of at most 2,000 bytes, in which what was recorded is quoted, cut and never part of a sentence.

Names of services, files, functions and types come from the recorded program, and so from anybody. They stand in
fields of their own, with control characters as escapes. A long one is cut, and ends with a digest that makes it unique.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from memanalysis._text import make_printable

__all__ = ["MAX_ANSWER_BYTES", "ToolError", "dump_answer", "fit_answer", "plain_value", "quote_name", "quote_text"]

MAX_ANSWER_BYTES = 2000
"""Bytes of the JSON of one answer: an assistant reads each of them, and asks for more where it needs more."""

MAX_NAME_BYTES = 64
"""Bytes of a name as JSON; a run_id of the recorder has 30."""

MAX_TEXT_BYTES = 96
"""Bytes of a file or of a message as JSON."""

DIGEST_DIGITS = 8

MAX_DIGITS = 6
"""Significant digits of a number that is no whole one; a larger one is given without a fraction."""


class ToolError(Exception):
    """A question that has no answer.

    Parameters
    ----------
    message : str
        What is wrong and what to do, without anything that was recorded.
    **data
        Names and reasons that belong to it, which are quoted.
    """

    def __init__(self, message: str, **data: Any) -> None:
        super().__init__(message)
        self.data = data


def quote_name(name: object, *, max_bytes: int = MAX_NAME_BYTES) -> str | None:
    """Return a name as it is shown, and as a question may name it: the same for ever, and its own.

    Parameters
    ----------
    name : object
        None, or another unknown value, gives None.
    max_bytes : int, optional
        Of its JSON.
    """
    if _is_unknown(name):
        return None
    raw = str(name)
    shown = make_printable(raw)
    if shown == raw and _count_bytes(shown) <= max_bytes:
        return shown
    digest = hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST_DIGITS]
    return f"{_cut(shown, max_bytes - DIGEST_DIGITS - 1)}#{digest}"


def quote_text(text: object, *, max_bytes: int = MAX_TEXT_BYTES, keeps_end: bool = False) -> str | None:
    """Return recorded text on one line, cut at its end, or at its beginning as a path is; None where it is unknown."""
    if _is_unknown(text):
        return None
    shown = make_printable(text)
    if _count_bytes(shown) <= max_bytes:
        return shown
    return f"...{_cut(shown[::-1], max_bytes - 3)[::-1]}" if keeps_end else f"{_cut(shown, max_bytes - 3)}..."


def plain_value(value: Any, *, is_exact: bool = False) -> Any:
    """Return a number, a moment or a truth value of a frame as JSON has it, rounded; None where it is unknown."""
    if _is_unknown(value):
        return None
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        if not math.isfinite(value):
            return "Infinity" if value > 0 else "-Infinity"
        if is_exact:
            return value
        rounded = value if abs(value) >= 10**MAX_DIGITS else float(f"{value:.{MAX_DIGITS}g}")
        return round(rounded) if rounded.is_integer() or abs(rounded) >= 10**MAX_DIGITS else rounded
    return value


def fit_answer(
    head: Mapping[str, Any], name: str, make: Callable[[int], Mapping[str, Any]], *, count: int, offset: int = 0
) -> str:
    """Return an answer with as many of several entries as fit.

    Parameters
    ----------
    head : mapping
        What stands before them.
    name : str
        Of the list of entries.
    make : callable
        Gives an entry by its place; called for those alone that are shown, and for one more.
    count : int
        How many there are; the key ``total`` of the answer.
    offset : int
        The first that is shown. Where more follow, ``next_offset`` is what to ask for next.
    """
    if offset > 0 and offset >= count:
        raise ToolError(f"offset is {offset}, but there are {count} entries. Begin with offset 0.")
    entries: list[Mapping[str, Any]] = []
    best = ""
    for place in range(offset, count):
        entries.append(_without_unknown(make(place)))
        more = {} if place + 1 == count else {"next_offset": place + 1}
        text = _dump({**_without_unknown(head), name: entries, "total": count, **more})
        if len(text) > MAX_ANSWER_BYTES and best:
            break
        best = text
    return dump_answer(json.loads(best)) if best else dump_answer({**head, name: [], "total": count})


def dump_answer(content: Mapping[str, Any]) -> str:
    """Return an answer as JSON in ASCII, without unknown values; a text in it is cut further where it is too long."""
    for max_bytes in (MAX_ANSWER_BYTES, 48, 24, 12):
        text = _dump(_cut_texts(_without_unknown(content), max_bytes))
        if len(text) <= MAX_ANSWER_BYTES:
            return text
    return _dump(
        {"error": f"The answer has {len(text):,} bytes, more than fit. Ask for less, such as for one service."}
    )


def _without_unknown(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {key: _without_unknown(value) for key, value in content.items() if value is not None}
    return [_without_unknown(value) for value in content] if isinstance(content, list) else content


def _cut_texts(content: Any, max_bytes: int) -> Any:
    if isinstance(content, Mapping):
        return {key: _cut_texts(value, max_bytes) for key, value in content.items()}
    if isinstance(content, list):
        return [_cut_texts(value, max_bytes) for value in content]
    return quote_text(content, max_bytes=max_bytes) if isinstance(content, str) else content


def _dump(content: Any) -> str:
    return json.dumps(content, allow_nan=False, separators=(",", ":"))


def _count_bytes(text: str) -> int:
    return len(json.dumps(text)) - 2


def _cut(text: str, max_bytes: int) -> str:
    """Return the beginning of a text whose JSON has at most that many bytes."""
    left = max_bytes
    for place, char in enumerate(text):
        left -= _count_bytes(char)
        if left < 0:
            return text[:place]
    return text


def _is_unknown(value: Any) -> bool:
    return value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value))
