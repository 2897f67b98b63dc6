"""Which line retains what other lines allocate: the one whose container grew along with them.

A list, dict or set that is resized in place is one block that grows: the bytes of its line rise while its blocks stay
few. That line allocated next to nothing of what leaked, and is where the leak is: there the reference is held. A full
cache keeps still in its blocks too, but has one for each value, and its bytes swing with the size of the values.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from memanalysis.analysis.arrays import FloatArray
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, RetainerThresholds

__all__ = ["find_retainer"]


def find_retainer(
    sizes: FloatArray,
    blocks: FloatArray,
    shares: FloatArray,
    *,
    thresholds: RetainerThresholds = DEFAULT_THRESHOLDS.retainer,
) -> int | None:
    """Find the line whose container grew along with the objects that leaked.

    Parameters
    ----------
    sizes, blocks : arrays of float, shape (t, m)
        Bytes and live blocks of each line in each snapshot, in the order of time; NaN where unknown. A line must be
        known in the last snapshot and in an earlier one.
    shares : array of float, shape (m,)
        Their parts of all growth. Lines with a part worth naming show how many objects leaked: of those that add
        blocks the one that adds the fewest, since an object may be several blocks of one line.
    thresholds : RetainerThresholds, optional
        The numbers to judge by.

    Returns
    -------
    int or None
        Its column: of several the one that grew most. None where no line is such a container.
    """
    known = np.isfinite(sizes) & np.isfinite(blocks)
    if known.shape[0] < 2:
        return None
    allocators = np.flatnonzero((shares >= thresholds.min_share) & known[-1])
    first = known.argmax(axis=0)
    candidates = np.flatnonzero(known[-1] & (first < known.shape[0] - 1))
    candidates = candidates[_never_fell(sizes[:, candidates], known[:, candidates])]
    grown = sizes[-1, candidates] - sizes[first[candidates], candidates]
    held = blocks[-1, candidates]
    added = held - blocks[first[candidates], candidates]
    for place in _largest_first(grown):
        start = int(first[candidates[place]])
        counted = _count_retained(blocks, start, allocators, thresholds.min_objects)
        if counted is None:
            continue
        before, retained = counted
        if (
            # It held what was there in the first snapshot: what appears at once is no container of these objects.
            sizes[start, candidates[place]] >= thresholds.min_bytes_an_object * before
            and thresholds.min_bytes_an_object <= grown[place] / retained <= thresholds.max_bytes_an_object
            and held[place] * thresholds.objects_a_block <= retained
            and grown[place] >= thresholds.min_bytes_an_added_block * added[place]
        ):
            return int(candidates[place])
    return None


def _never_fell(sizes: FloatArray, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which columns never fell from one known snapshot to the next: what retains a leak is never emptied."""
    highest = np.maximum.accumulate(np.where(known, sizes, -np.inf), axis=0)
    never_fell: NDArray[np.bool_] = np.all(~known | (sizes >= highest), axis=0)
    return never_fell


def _largest_first(grown: FloatArray) -> Iterable[int]:
    return (int(place) for place in np.argsort(-grown, kind="stable") if grown[place] > 0)


def _count_retained(
    blocks: FloatArray, first: int, allocators: NDArray[np.intp], min_objects: int
) -> tuple[float, float] | None:
    """Return the number of objects in a snapshot, and of those added since; None where that is not known.

    They are the blocks of the allocating line that added the fewest.
    """
    added = blocks[-1, allocators] - blocks[first, allocators]
    many = np.flatnonzero(added >= min_objects)
    if not many.size:
        return None
    fewest = many[np.argmin(added[many])]
    return float(blocks[first, allocators[fewest]]), float(added[fewest])
