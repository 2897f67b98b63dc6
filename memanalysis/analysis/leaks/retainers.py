"""Which line keeps what other lines make: the one whose container grew along with them.

A list, dict or set that is resized in place is one block that grows: the bytes of its line rise while its blocks stay
few. That line made next to nothing of what leaked, and is where the leak is: there the reference is kept.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray

__all__ = ["find_retainer"]

LEAST_KEPT = 200
"""Objects that must have been added: containers that hold fewer are in every program, and grow for all sorts of
reasons."""

LEAST_BYTES_AN_OBJECT = 4.0
"""A reference takes 8 bytes (64 bits); half of it, since a list is enlarged by an eighth ahead of its need, and in the
last snapshot the next enlargement may be due. The same for the objects that there were in the first: who kept those
was as large already, and what appears all at once is no container of theirs."""

MOST_BYTES_AN_OBJECT = 200.0
"""A dict entry takes at most 120 bytes just after its table was enlarged, a set entry 107, and that of a dict whose
entries were deleted and added some more. What grows by more holds data of its own, and no references."""

OBJECTS_A_BLOCK = 32
"""A container is one block for all that it is given, a deque one for 64 references: the line may hold as many, and half
as many again for what else it makes. (A full cache keeps still in its blocks too, but has one for each value, and its
bytes swing with what the values are.)"""

LEAST_BYTES_AN_ADDED_BLOCK = 500.0
"""A deque adds a block of 528 bytes for 64 references, other containers none: smaller blocks that come are objects."""

LEAST_SHARE = 0.05
"""A line that has less of the growth than this does not tell how many objects leaked."""


def find_retainer(sizes: FloatArray, blocks: FloatArray, shares: FloatArray) -> int | None:
    """Find the line whose container grew along with the objects that leaked.

    Parameters
    ----------
    sizes, blocks : arrays of float, shape (t, m)
        Bytes and live blocks of each line in each snapshot, in the order of time; NaN where unknown. A line must be
        known in the last snapshot and in an earlier one.
    shares : array of float, shape (m,)
        Their parts of all growth. Lines with a part worth naming tell how many objects leaked: of those that add blocks
        the one that adds the fewest, since an object may be several blocks of one line.

    Returns
    -------
    int or None
        Its column: of several the one that grew most. None where no line is such a container.
    """
    known = np.isfinite(sizes) & np.isfinite(blocks)
    if known.shape[0] < 2:
        return None
    makers = np.flatnonzero((shares >= LEAST_SHARE) & known[-1])
    first = known.argmax(axis=0)
    candidates = np.flatnonzero(known[-1] & (first < known.shape[0] - 1))
    candidates = candidates[_never_fell(sizes[:, candidates], known[:, candidates])]
    grown = sizes[-1, candidates] - sizes[first[candidates], candidates]
    held = blocks[-1, candidates]
    added = held - blocks[first[candidates], candidates]
    for place in _largest_first(grown):
        start = int(first[candidates[place]])
        counted = _count_kept(blocks, start, makers)
        if counted is None:
            continue
        before, kept = counted
        if (
            sizes[start, candidates[place]] >= LEAST_BYTES_AN_OBJECT * before
            and LEAST_BYTES_AN_OBJECT <= grown[place] / kept <= MOST_BYTES_AN_OBJECT
            and held[place] * OBJECTS_A_BLOCK <= kept
            and grown[place] >= LEAST_BYTES_AN_ADDED_BLOCK * added[place]
        ):
            return int(candidates[place])
    return None


def _never_fell(sizes: FloatArray, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Columns that grew and never fell from one known snapshot to the next; what keeps what leaks is never emptied."""
    highest = np.maximum.accumulate(np.where(known, sizes, -np.inf), axis=0)
    never_fell: NDArray[np.bool_] = np.all(~known | (sizes >= highest), axis=0)
    return never_fell


def _largest_first(grown: FloatArray) -> Iterable[int]:
    return (int(place) for place in np.argsort(-grown, kind="stable") if grown[place] > 0)


def _count_kept(blocks: FloatArray, first: int, makers: NDArray[np.intp]) -> tuple[float, float] | None:
    """How many objects there were in a snapshot, and how many were added since; None where that is not known.

    They are the blocks of the maker that added the fewest.
    """
    added = blocks[-1, makers] - blocks[first, makers]
    many = np.flatnonzero(added >= LEAST_KEPT)
    if not many.size:
        return None
    fewest = many[np.argmin(added[many])]
    return float(blocks[first, makers[fewest]]), float(added[fewest])
