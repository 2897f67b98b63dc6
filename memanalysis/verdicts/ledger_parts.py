"""Cut a ledger into parts that are judged one by one: bounded in size, and no family of processes in two of them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import pandas as pd
import pyarrow as pa

from memanalysis.analysis.leaks.kindred_runs import Groups, find_kindred
from memanalysis.ledger.paths import PARTITION_PREFIX, is_service_slug, slug_of_service
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.ledger.reading.ledger_part import WHOLE, LedgerPart

__all__ = ["plan_parts", "plan_service_parts"]


def plan_parts(ledger: Ledger, runs: pd.DataFrame, *, max_bytes: int) -> list[LedgerPart]:
    """Return parts that together are the ledger, each once.

    A part is some services, one after the other in the order of their folders, or some runs of a service that is
    larger than a part may be. A single run, or a family, is never cut, however large it is.

    Parameters
    ----------
    ledger : Ledger
        One that is a file is one part.
    runs : DataFrame
        Its table ``runs``, with the columns of `find_kindred` and ``run_id``.
    max_bytes : int
        Bytes of samples of a part, as they are on disk in Parquet.
    """
    sizes = ledger.partitions("samples")
    are_services = all(is_service_slug(name.removeprefix(PARTITION_PREFIX)) for name in sizes)
    if sum(sizes.values()) <= max_bytes or not are_services:
        return [WHOLE]
    kindred = _Kindred(runs)
    parts: list[LedgerPart] = []
    open_names: list[str] = []
    open_bytes = 0
    for names in kindred.join_partitions(sizes):
        n_bytes = sum(sizes[name] for name in names)
        if open_names and open_bytes + n_bytes > max_bytes:
            parts.append(LedgerPart(partitions=tuple(open_names)))
            open_names, open_bytes = [], 0
        if n_bytes > max_bytes:
            parts += _split_runs(ledger, names, kindred, max_share=max_bytes / n_bytes)
            continue
        open_names += names
        open_bytes += n_bytes
    return [*parts, LedgerPart(partitions=tuple(open_names))] if open_names else parts


def plan_service_parts(ledgers: Sequence[Ledger], *, max_bytes: int) -> list[LedgerPart]:
    """Return parts that together are the ledgers, each once. None cuts a service, however large it is.

    Parameters
    ----------
    ledgers : sequence of Ledger
        One or more, whose folders of a service have one name. Where one is a file there is one part.
    max_bytes : int
        Bytes of samples of a part in all ledgers, as they are on disk in Parquet.
    """
    sizes: Counter[str] = Counter()
    for ledger in ledgers:
        own = ledger.partitions("samples")
        if not ledger.reads_by_service or any(not is_service_slug(name.removeprefix(PARTITION_PREFIX)) for name in own):
            return [WHOLE]
        sizes.update(own)
    if sizes.total() <= max_bytes:
        return [WHOLE]
    parts: list[list[str]] = []
    open_bytes = max_bytes
    for name in sorted(sizes):
        if open_bytes + sizes[name] > max_bytes:
            parts.append([])
            open_bytes = 0
        parts[-1].append(name)
        open_bytes += sizes[name]
    return [LedgerPart(partitions=tuple(names)) for names in parts]


class _Kindred:
    """Which folders and runs have to be in one part."""

    def __init__(self, runs: pd.DataFrame) -> None:
        known = runs[runs["run_id"].notna() & runs["pid"].notna()]
        rows = zip(known["service"], known["run_id"], find_kindred(known).tolist(), strict=True)
        self._groups: dict[int, list[tuple[str, str]]] = defaultdict(list)
        for service, run_id, group in rows:
            slug = slug_of_service(None if pd.isna(service) or not service else str(service))
            self._groups[group].append((f"{PARTITION_PREFIX}{slug}", str(run_id)))

    def join_partitions(self, names: Iterable[str]) -> list[list[str]]:
        """Return folders in their order, those beside each other that share a family."""
        ordered = sorted(names)
        places = {name: place for place, name in enumerate(ordered)}
        groups = Groups(len(ordered))
        for members in self._groups.values():
            shared = [places[name] for name, _ in members if name in places]
            for place in shared[1:]:
                groups.join(shared[0], place)
        joined: dict[int, list[str]] = defaultdict(list)
        for place, name in enumerate(ordered):
            joined[groups.find(place)].append(name)
        return list(joined.values())

    def join_runs(self, run_ids: Sequence[str | None], names: Iterable[str]) -> list[list[str | None]]:
        """Return runs of some folders, those beside each other that may be a family."""
        places = {run_id: place for place, run_id in enumerate(run_ids)}
        wanted = set(names)
        groups = Groups(len(run_ids))
        for members in self._groups.values():
            shared = [places[run_id] for name, run_id in members if name in wanted and run_id in places]
            for place in shared[1:]:
                groups.join(shared[0], place)
        joined: dict[int, list[str | None]] = defaultdict(list)
        for place, run_id in enumerate(run_ids):
            joined[groups.find(place)].append(run_id)
        return list(joined.values())


def _split_runs(ledger: Ledger, names: Sequence[str], kindred: _Kindred, *, max_share: float) -> list[LedgerPart]:
    """Cut the runs of some folders into parts of at most a share of their rows each."""
    part = LedgerPart(partitions=tuple(names))
    found = ledger.aggregate("samples", _count_rows, columns=["run_id"], part=part)
    counts: Counter[str | None] = Counter()
    for run_id, n_rows in zip(found["run_id"].to_pylist(), found["n_rows"].to_pylist(), strict=True):
        counts[run_id] += n_rows
    if set(counts) <= {None}:
        return [part]
    run_ids = sorted(counts, key=lambda run_id: (run_id is None, run_id))
    max_rows = max_share * counts.total()
    parts: list[LedgerPart] = []
    open_runs: list[str | None] = []
    for members in kindred.join_runs(run_ids, names):
        n_rows = sum(counts[run_id] for run_id in [*open_runs, *members])
        if open_runs and n_rows > max_rows:
            parts.append(LedgerPart(partitions=tuple(names), run_ids=tuple(open_runs)))
            open_runs = []
        open_runs = open_runs + members
    return [*parts, LedgerPart(partitions=tuple(names), run_ids=tuple(open_runs))]


def _count_rows(rows: pa.Table) -> pa.Table:
    counted = rows["run_id"].value_counts()
    return pa.table({"run_id": counted.field("values"), "n_rows": counted.field("counts")})
