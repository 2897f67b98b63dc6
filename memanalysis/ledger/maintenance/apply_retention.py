"""Drops and thins out sealed files of a folder, as a retention defines. What stays is not rewritten.

Whole files are dropped, the oldest first: what a limit leaves is at most one file too much. Live files are never
touched. A run's row of ``runs`` goes when nothing else of the run is left.
"""

import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pyarrow as pa

from memanalysis.errors import LedgerFormatError
from memanalysis.ledger.arrow import conform_table
from memanalysis.ledger.files import Files, LocalFiles
from memanalysis.ledger.maintenance.downsample import downsample
from memanalysis.ledger.maintenance.index_runs import index_runs, measure_index
from memanalysis.ledger.maintenance.merge import finish_merge
from memanalysis.ledger.maintenance.retention import SECONDS_A_DAY, Retention
from memanalysis.ledger.maintenance.seal import SealedWriter
from memanalysis.ledger.merge_journal import MERGED_PREFIX, find_replaced
from memanalysis.ledger.paths import JSONL_SUFFIX, PARQUET_SUFFIX
from memanalysis.ledger.reading.footers import (
    DOWNSAMPLED_KEY,
    Footer,
    Span,
    join_spans,
    open_parquet,
    read_footer,
    read_spans,
)
from memanalysis.ledger.walk import walk_ledger

__all__ = ["RetentionResult", "SealedFile", "apply_retention", "list_sealed"]


@dataclass(frozen=True, slots=True)
class SealedFile:
    """One Parquet file of a ledger."""

    table: str
    partition: str
    path: str
    size: int
    footer: Footer
    span: Span

    @property
    def newest(self) -> float:
        """Moment of the newest row in microseconds; a file that does not state it counts as the newest of all."""
        last = self.span.last
        return float("inf") if last is None else last

    @property
    def is_merged(self) -> bool:
        """Return whether it holds rows of several runs."""
        return PurePosixPath(self.path).name.startswith(MERGED_PREFIX)

    @property
    def run_stem(self) -> str:
        """Name of its run, where the footer gives it, and of its file elsewhere."""
        return PurePosixPath(self.path).stem if self.footer.order is None else self.footer.order.run_id


@dataclass(slots=True)
class RetentionResult:
    """What was dropped and thinned out; ``failed`` names the files that cannot be read and stay, and why."""

    files_dropped: int = 0
    rows_dropped: int = 0
    bytes_dropped: int = 0
    files_thinned: int = 0
    rows_thinned: int = 0
    bytes_thinned: int = 0
    paths: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def apply_retention(files: Files, retention: Retention, *, now: float, dry_run: bool = False) -> RetentionResult:
    """Drop and thin out what a retention does not keep; return what was done.

    Parameters
    ----------
    files : Files
        The ledger's.
    retention : Retention
    now : float
        Epoch seconds from which ages count.
    dry_run : bool
        True only reports what would go.
    """
    if isinstance(files, LocalFiles) and not dry_run:
        finish_merge(files)
    result = RetentionResult()
    sealed = list_sealed(files, failed=result.failed)
    stay = [file for file in sealed if file.table != "runs"]
    if retention.max_age_days is not None:
        oldest = (now - retention.max_age_days * SECONDS_A_DAY) * 1e6
        stay = [file for file in stay if file.newest >= oldest]
    if retention.max_entries is not None:
        stay = _few_enough(stay, retention.max_entries, _count_live_samples(files))
    if retention.max_bytes is not None:
        free_bytes = retention.max_bytes - sum(file.size for file in sealed if file.table == "runs")
        free_bytes -= measure_index(files)
        stay = _small_enough(stay, free_bytes)
    kept = {file.path for file in stay}
    live = _live_stems(files)
    runs = {file.path: _find_runs(files, file) for file in sealed}
    alive = {run for file in stay for run in runs[file.path]} | live
    others = {run for file in sealed if file.table != "runs" for run in runs[file.path]}
    for file in sealed:
        # a row of runs stays where something of the run is left, or never was more than it
        stays = file.path in kept or (
            file.table == "runs" and any(run in alive or run not in others for run in runs[file.path])
        )
        if not stays:
            result.files_dropped += 1
            result.rows_dropped += file.footer.n_rows
            result.bytes_dropped += file.size
            result.paths.append(file.path)
            if not dry_run:
                files.remove(file.path)
    if not dry_run and any(path.startswith("runs/") for path in result.paths):
        result.failed += index_runs(files, adds=False).failed  # nothing of a run outlasts it there
    if retention.downsample_after_days is not None:
        before = (now - retention.downsample_after_days * SECONDS_A_DAY) * 1e6
        for file in stay:
            if file.table == "samples" and file.newest < before:
                _thin_out(files, file, retention.downsample_interval_s, result, dry_run=dry_run)
    return result


def list_sealed(files: Files, *, failed: list[str]) -> list[SealedFile]:
    """Sealed files that can be read; each other one is named in ``failed``, with the reason."""
    sealed = []
    names: dict[tuple[str, str], list[str]] = {}
    walked = [file for file in walk_ledger(files).files if file.suffix == PARQUET_SUFFIX]
    for file in walked:
        names.setdefault((file.table, file.partition), []).append(file.stem + file.suffix)
    replaced = {folder: find_replaced(files, "/".join(folder), listed) for folder, listed in names.items()}
    for file in walked:
        if file.stem + file.suffix in replaced[file.table, file.partition]:
            continue
        try:
            with files.open(file.path) as stream, open_parquet(stream, file.path) as parquet:
                footer = read_footer(parquet.metadata, file.table, name=file.path)
                span = join_spans(read_spans(parquet.metadata, file.table))
            sealed.append(SealedFile(file.table, file.partition, file.path, files.size(file.path), footer, span))
        except Exception as exc:  # whatever one file holds, retention goes on with the others
            failed.append(_describe_unreadable(files, file.path, exc))
    return sealed


def _describe_unreadable(files: Files, path: str, exc: Exception) -> str:
    return f"{files.root}/{path}: retention leaves it as it is: {exc or type(exc).__name__}"


def _few_enough(stay: list[SealedFile], max_entries: int, n_live: Counter[str]) -> list[SealedFile]:
    """Newest files of samples of each service until they have enough rows, and what is not older than these."""
    bound: dict[str, float] = {}
    for partition in {file.partition for file in stay}:
        n_rows = n_live[partition]
        bound[partition] = float("-inf")
        samples = [file for file in stay if file.table == "samples" and file.partition == partition]
        for file in sorted(samples, key=_age_key, reverse=True):
            if n_rows >= max_entries:
                bound[partition] = file.newest
                break
            n_rows += file.footer.n_rows
    return [file for file in stay if file.newest > bound[file.partition]]


def _small_enough(stay: list[SealedFile], free_bytes: int) -> list[SealedFile]:
    """Newest files that fit into ``free_bytes``."""
    kept = []
    for file in sorted(stay, key=_age_key, reverse=True):
        free_bytes -= file.size
        if free_bytes < 0:
            break
        kept.append(file)
    return kept


def _count_live_samples(files: Files) -> Counter[str]:
    """Lines of samples that are not sealed yet, by service."""
    found: Counter[str] = Counter()
    for file in walk_ledger(files, tables=["samples"]).files:
        if file.suffix == JSONL_SUFFIX:
            with suppress(FileNotFoundError), files.open(file.path) as stream:  # sealed or dropped meanwhile
                found[file.partition] += sum(piece.count(b"\n") for piece in iter(lambda: stream.read(1 << 20), b""))
    return found


def _age_key(file: SealedFile) -> tuple[float, str]:
    return file.newest, file.path


def _find_runs(files: Files, file: SealedFile) -> set[tuple[str, str]]:
    """Runs that a file has rows of, each with the folder of its service."""
    if not file.is_merged:
        return {(file.partition, file.run_stem)}
    try:
        with files.open(file.path) as stream, open_parquet(stream, file.path, dictionaries=["run_id"]) as parquet:
            found = parquet.read(columns=["run_id"], use_threads=False)["run_id"].unique().to_pylist()
    except (LedgerFormatError, pa.ArrowException, OSError):
        return {(file.partition, file.run_stem)}
    return {(file.partition, run_id) for run_id in found}


def _live_stems(files: Files) -> set[tuple[str, str]]:
    """Runs that have a file of lines still; of a second file (``<run_id>.2``) the run's name is the part before."""
    stems = set()
    for file in walk_ledger(files).files:
        if file.suffix == JSONL_SUFFIX:
            head, dot, number = file.stem.rpartition(".")
            stems |= {(file.partition, file.stem)} | ({(file.partition, head)} if dot and number.isdigit() else set())
    return stems


def _thin_out(files: Files, file: SealedFile, interval_s: float, result: RetentionResult, *, dry_run: bool) -> None:
    if file.footer.downsampled_s is not None and file.footer.downsampled_s >= interval_s:
        return
    with files.open(file.path) as stream, open_parquet(stream, file.path) as parquet:
        try:
            samples = conform_table(parquet.read(use_threads=False), "samples", name=file.path)
        except Exception as exc:  # what cannot be read stays as it is
            result.failed.append(_describe_unreadable(files, file.path, exc))
            return
    thinned = downsample(samples, interval_s=interval_s)
    if thinned.num_rows >= samples.num_rows:
        return
    with tempfile.TemporaryDirectory(prefix="memanalysis-") as folder:
        temporary = Path(folder) / "thinned.parquet"
        with temporary.open("wb") as stream:
            writer = SealedWriter(stream, "samples", metadata={DOWNSAMPLED_KEY: str(interval_s)})
            writer.write(thinned)
            writer.close()
        result.files_thinned += 1
        result.rows_thinned += samples.num_rows - thinned.num_rows
        result.bytes_thinned += file.size - temporary.stat().st_size
        result.paths.append(file.path)
        if not dry_run:
            files.put(temporary, file.path)
