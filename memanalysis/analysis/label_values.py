"""Who has a value of a label? Every value, and every release "since", as one column of truth each."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["LabelValue", "Relation", "find_label_values"]

Relation = Literal["is", "since"]

Mask = NDArray[np.bool_]

_VERSION = re.compile(r"(?P<name>\D*?)(?P<numbers>\d+(?:[.\-+_]?[0-9A-Za-z]+)*)")
_DOTTED = re.compile(r"\d\.\d")
_PARTS = re.compile(r"\d+|[A-Za-z]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelValue:
    """One value of a label, or all releases from one on.

    Parameters
    ----------
    label, value : str
        Such as ``region`` and ``eu``.
    relation : {"is", "since"}
        Whether runs have this value, or it or a later one.
    """

    label: str
    value: str
    relation: Relation

    def describe(self) -> str:
        """Return it in words, such as ``region eu`` or ``release since 1.4``."""
        return f"{self.label} {'since ' if self.relation == 'since' else ''}{self.value}"


def find_label_values(labels: pd.DataFrame, *, min_units: int) -> tuple[Mapping[LabelValue, Mask], int]:
    """Return which rows have which value, and of how many labels; what all rows have or too few is left out.

    Parameters
    ----------
    labels : DataFrame
        A column a label; unknown is None or NaN, and is no value.
    min_units : int
        Rows that must have a value, and must not.
    """
    found: dict[LabelValue, Mask] = {}
    counted = 0
    for name in labels.columns:
        own = dict(_list_values(str(name), labels[name], min_units=min_units))
        found |= own
        counted += bool(own)
    return found, counted


def _list_values(name: str, column: "pd.Series[str]", *, min_units: int) -> Iterator[tuple[LabelValue, Mask]]:
    codes, values = pd.factorize(column)
    if len(values) < 2 and not (codes < 0).any():
        return
    counts = np.bincount(codes[codes >= 0], minlength=len(values))
    for code in np.flatnonzero((counts >= min_units) & (counts <= len(codes) - min_units)).tolist():
        yield LabelValue(label=name, value=str(values[code]), relation="is"), codes == code
    keys = [_read_version(str(value)) for value in values]
    names = {key[0] for key in keys if key is not None}
    is_version = any(_DOTTED.search(str(value)) for value in values)  # h1, h2, h3 are names
    if None in keys or len(names) != 1 or len(values) < 3 or not is_version:
        return
    order = sorted(range(len(values)), key=lambda code: keys[code])  # type: ignore[arg-type, return-value]
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[order] = np.arange(len(values))
    known = np.where(codes >= 0, ranks[codes], -1)
    for rank in range(1, len(values) - 1):  # from the last on is that value itself
        mask = known >= rank
        if min_units <= mask.sum() <= len(codes) - min_units:
            yield LabelValue(label=name, value=str(values[order[rank]]), relation="since"), mask


def _read_version(text: str) -> tuple[str, tuple[tuple[int, str], ...]] | None:
    """Return the name before a version, and what versions are ordered by; None where it is none."""
    found = _VERSION.fullmatch(text)
    if found is None:
        return None
    parts = _PARTS.findall(found["numbers"])
    ranked = [(int(part) + 1, "") if part.isdigit() else (-1, part.lower()) for part in parts]  # 1.0rc1 is before 1.0
    return found["name"], (*ranked, (0, ""))
