"""What resident memory consists of: what Python allocated, what tracing takes, what is held free, and the rest."""

import numpy as np
import pandas as pd

from memanalysis.analysis.input_frames import known_floats, require_columns

__all__ = ["RSS_PARTS", "split_rss"]

RSS_PARTS = ("traced_bytes", "tracer_bytes", "allocator_free_bytes", "rest_bytes")
"""Columns of the frame that ``split_rss`` gives, beside ``rss_bytes``; they add up to it."""


def split_rss(samples: pd.DataFrame) -> pd.DataFrame:
    """Split the resident memory of each sample into its parts.

    Parameters
    ----------
    samples : DataFrame
        Rows of the table ``samples``.

    Returns
    -------
    DataFrame
        ``rss_bytes`` and ``RSS_PARTS`` as float64, in the rows of `samples`. ``rest_bytes`` is what the other three
        leave: native memory, the interpreter and its modules, stacks, mapped files. It is null where any of the three
        is: a part that is not known cannot be taken off. (Full snapshots read all of them; a quick tick does not read
        ``allocator_free_bytes``, and without tracing nothing is traced.)

    Raises
    ------
    MissingColumnError
        There is no ``rss_bytes``.

    Notes
    -----
    The rest may be negative: traced memory that was swapped out, or never touched, is not resident. What memanalysis
    itself holds of the traced memory counts in both ``traced_bytes`` and ``tracer_bytes``.
    """
    require_columns("split_rss", samples, ["rss_bytes"])
    split = {name: known_floats(samples, name) for name in ("rss_bytes", *RSS_PARTS[:-1])}
    rest = split["rss_bytes"] - np.sum([split[name] for name in RSS_PARTS[:-1]], axis=0)
    return pd.DataFrame(split | {"rest_bytes": rest}, index=samples.index)
