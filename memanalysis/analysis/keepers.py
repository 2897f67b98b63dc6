"""Which line keeps what other lines make: the one whose container grew along with them.

A list, dict or set that is resized in place is one block that grows: the bytes of its line rise while its count of live
blocks does not. That line made next to nothing of what leaked, and is where the leak is: there the reference is kept.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.series import FloatArray

__all__ = ["find_keeper"]

LEAST_KEPT = 200
"""Objects that must have been added: containers that hold fewer are in every program, and grow for all sorts of
reasons."""

LEAST_BYTES_AN_OBJECT = 4.0
"""A reference takes 8 bytes (64 bits); half of it, since a list is enlarged by an eighth ahead of its need, and in the
last snapshot the next enlargement may be due."""

MOST_BYTES_AN_OBJECT = 200.0
"""A dict entry takes at most 120 bytes just after its table was enlarged, a set entry 107, and that of a dict whose
entries were deleted and added some more. What grows by more holds data of its own, and no references."""

OBJECTS_A_BLOCK = 32
"""A container makes no block for what it is given; but a deque makes one for 64 references. Half of that."""

LEAST_SHARE = 0.05
"""A line that has less of the growth than this does not tell how many objects leaked."""


def find_keeper(sizes: FloatArray, blocks: FloatArray, shares: FloatArray) -> int | None:
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
    made = blocks[-1, candidates] - blocks[first[candidates], candidates]
    for place in _largest_first(grown):
        kept = _count_kept(blocks, int(first[candidates[place]]), makers)
        if (
            kept is not None
            and LEAST_BYTES_AN_OBJECT <= grown[place] / kept <= MOST_BYTES_AN_OBJECT
            and made[place] * OBJECTS_A_BLOCK <= kept
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


def _count_kept(blocks: FloatArray, first: int, makers: NDArray[np.intp]) -> float | None:
    """How many objects were added since a snapshot: the fewest blocks that one of the makers added; None if unknown."""
    added = blocks[-1, makers] - blocks[first, makers]
    many = added[added >= LEAST_KEPT]
    return float(many.min()) if many.size else None
