"""Thin out old samples: those that stay still show the lowest, the highest and the mean of each interval.

Pure: a table of samples in, a table of samples out. An interval of more than three samples becomes three rows: ``min``
and ``max`` stand where the resident memory (else the traced bytes) was lowest and highest, ``mean`` at the mean of the
times; each column holds its own minimum, maximum or mean, and ``label`` names which. Samples that carry a label stay.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from memanalysis.ledger.arrow import arrow_schema
from memanalysis.schema import BYTE_METRICS, SAMPLES

__all__ = ["downsample"]

_WHOLE = ("min", "max", "mean")
_PLACE = ("seq", "timestamp", "elapsed_s")
_NUMBERS = [name for name, kind in SAMPLES.items() if kind in {"int64", "float64"} and name not in _PLACE]


def downsample(samples: pa.Table, *, interval_s: float) -> pa.Table:
    """Samples with at most three rows an interval and run, beside those with a label; by run, and in order of time.

    Parameters
    ----------
    samples : Table
        Conforms to ``samples``.
    interval_s : float
        Seconds; intervals count from 1970, so that those of all files agree.
    """
    runs = samples["run_id"].unique()
    if len(runs) > 1:
        return pa.concat_tables(
            downsample(samples.filter(_is_run(samples, run_id)), interval_s=interval_s)
            for run_id in sorted(runs.to_pylist(), key=lambda run_id: (run_id is None, run_id))
        )
    fixed = pc.or_(pc.is_valid(samples["label"]), pc.is_null(samples["timestamp"]))
    kept, rest = samples.filter(fixed), samples.filter(pc.invert(fixed))
    if rest.num_rows:
        rest = rest.take(pc.sort_indices(rest, sort_keys=[("timestamp", "ascending")]))
        interval = np.int64(max(round(interval_s * 1e6), 1))
        buckets = rest["timestamp"].cast(pa.int64()).to_numpy() // interval
        kept = pa.concat_tables([kept, _thin_out(rest, buckets)])
    order = [("timestamp", "ascending"), ("seq", "ascending")]
    return kept.take(pc.sort_indices(kept, sort_keys=order)).combine_chunks()


def _is_run(samples: pa.Table, run_id: str | None) -> pa.ChunkedArray:
    if run_id is None:
        return pc.is_null(samples["run_id"])
    return pc.fill_null(pc.equal(samples["run_id"], run_id), False)


def _thin_out(rows: pa.Table, buckets: NDArray[np.int64]) -> pa.Table:
    starts = np.flatnonzero(np.append(True, np.diff(buckets) != 0))
    counts = np.diff(np.append(starts, len(buckets)))
    is_large = np.repeat(counts > len(_WHOLE), counts)
    few, many = rows.filter(pa.array(~is_large)), rows.filter(pa.array(is_large))
    if not many.num_rows:
        return few
    counts = counts[counts > len(_WHOLE)]
    starts = np.append(0, np.cumsum(counts)[:-1])
    groups = many.append_column("bucket", pa.array(np.repeat(np.arange(len(counts)), counts)))
    wanted = [(name, how) for name in _NUMBERS for how in _WHOLE] + [("seq", "mean"), ("elapsed_s", "mean")]
    found = groups.group_by("bucket").aggregate(wanted).sort_by("bucket")
    moments = many["timestamp"].cast(pa.int64()).to_numpy()
    later = np.add.reduceat(moments - np.repeat(moments[starts], counts), starts)  # small: no sum of them overflows
    found = found.append_column("timestamp_mean", pa.array(moments[starts] + later // counts))
    places = {"min": _places(many, starts, counts, lowest=True), "max": _places(many, starts, counts, lowest=False)}
    return pa.concat_tables([few, *(_rows(many, found, how, starts, counts, places.get(how)) for how in _WHOLE)])


def _places(rows: pa.Table, starts: NDArray[np.int64], counts: NDArray[np.int64], *, lowest: bool) -> NDArray[np.int64]:
    """Where in each interval the memory was lowest, or highest."""
    values = np.full(rows.num_rows, np.nan)
    for name in reversed(BYTE_METRICS):
        column = rows[name].cast(pa.float64()).to_numpy()
        values = np.where(np.isnan(column), values, column)
    worst = np.inf if lowest else -np.inf
    values = np.where(np.isnan(values), worst, values)
    bucket = np.repeat(np.arange(len(starts)), counts)
    order = np.lexsort((values if lowest else -values, bucket))
    places: NDArray[np.int64] = order[starts]
    return places


def _rows(
    many: pa.Table,
    found: pa.Table,
    how: str,
    starts: NDArray[np.int64],
    counts: NDArray[np.int64],
    places: NDArray[np.int64] | None,
) -> pa.Table:
    schema = arrow_schema("samples")
    columns = []
    first = many.take(pa.array(starts))
    actual = None if places is None else many.take(pa.array(places))
    for field in schema:
        if field.name == "label":
            column = pa.array([f"{how} of {count} samples" for count in counts.tolist()])
        elif field.name in _PLACE and actual is not None:
            column = actual[field.name]
        elif field.name in {"run_id", "service"}:
            column = first[field.name]
        else:
            column = found[f"{field.name}_{how}"]
            if pa.types.is_integer(field.type) and pa.types.is_floating(column.type):
                column = pc.round(column)
        columns.append(column.cast(field.type))
    return pa.table(columns, schema=schema)
