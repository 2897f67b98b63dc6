"""Import measurements of other tools into a ledger, so that they are judged as its own."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Literal

from memanalysis.errors import InvalidArgumentError, LedgerFormatError
from memanalysis.exchange.bounded_input import read_input, unpack_gzip
from memanalysis.exchange.imported_run import ImportedRun, make_run_id, make_samples
from memanalysis.exchange.mprof_file import MPROF_FIELDS, parse_mprof
from memanalysis.exchange.pprof_reader import HeapFile, parse_heap_file, site_rows
from memanalysis.exchange.prometheus_range import parse_prometheus
from memanalysis.ledger.paths import MARKER_NAME
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter

__all__ = ["ImportFormat", "Imported", "import_files"]

ImportFormat = Literal["mprof", "prometheus", "pprof"]

_SAMPLE_TYPE_TAG = b"\x0a"
"""First byte of a profile: its field 1, a message."""


@dataclass(slots=True)
class Imported:
    """Runs that were written, and sentences on what was left out."""

    runs: list[ImportedRun] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def import_files(
    sources: Sequence[str | os.PathLike[str]],
    target: str | os.PathLike[str],
    *,
    form: ImportFormat | None = None,
    service: str | None = None,
    service_label: str | None = None,
    is_memory: bool = False,
) -> Imported:
    """Write the measurements of other tools as runs of a ledger, which is made where there is none.

    All files are read before the first row is written.

    Parameters
    ----------
    sources : sequence of path
        Files of mprof, answers of Prometheus, or heap profiles of pprof, which together are one run.
    target : path
        Folder of the ledger.
    form : {"mprof", "prometheus", "pprof"}, optional
        Follows from the content of each file where it is not given.
    service : str, optional
        Name of the service; else what the files name.
    service_label : str, optional
        Label of Prometheus that names the service.
    is_memory : bool
        Whether series of Prometheus whose metric is not known are bytes of memory.

    Raises
    ------
    InvalidArgumentError
        The target is no ledger's folder, or has these runs already.
    LedgerError
        A file cannot be read, or is not what it seems; the text has the file and the line.
    """
    target = Path(target)
    _check_target(target)
    done = Imported()
    heaps: list[HeapFile] = []
    for source in sources:
        name = os.fspath(source)
        content = unpack_gzip(read_input(source), name=name)
        kind = form or _detect(content, name)
        if kind == "pprof":
            heaps.append(parse_heap_file(content, name=name))
            continue
        if kind == "mprof":
            runs, left_out = parse_mprof(content, name=name, service=service)
        else:
            runs, left_out = parse_prometheus(
                content, name=name, service=service, service_label=service_label, is_memory=is_memory
            )
        done.runs += runs
        done.left_out += [f"{name}: {sentence}" for sentence in left_out]
    if heaps:
        done.runs.append(_join_heaps(heaps, service))
    _check_new(done.runs, target)
    for run in done.runs:
        _write_run(run, target)
    return done


def _detect(content: bytes, name: str) -> ImportFormat:
    begin = content[:4096].lstrip()
    if begin.startswith((b"{", b"[")):
        return "prometheus"
    if begin.split(b" ", 1)[0].decode("ascii", "replace") in MPROF_FIELDS:
        return "mprof"
    if content.startswith(_SAMPLE_TYPE_TAG):
        return "pprof"
    raise LedgerFormatError(
        f"{name}:1: needs a file of mprof, an answer of Prometheus in JSON or a profile of pprof, but begins with "
        f"{content[:20]!r}. Name the format with --from."
    )


def _join_heaps(heaps: Iterable[HeapFile], service: str | None) -> ImportedRun:
    """One run of all snapshots, in the order of time."""
    ordered = sorted(heaps, key=lambda heap: heap.taken_s)
    for before, after in pairwise(ordered):
        if before.taken_s == after.taken_s:
            raise LedgerFormatError(
                f"{after.name}: was taken at the same moment as {before.name}. Leave one of them out."
            )
    samples = make_samples(
        [(heap.taken_s, {"traced_bytes": sum(size for size, _ in heap.stacks.values())}) for heap in ordered]
    )
    sites = [
        {"seq": sample["seq"], "timestamp": sample["timestamp"], **row}
        for sample, heap in zip(samples, ordered, strict=True)
        for row in site_rows(heap)
    ]
    digest = sha256(repr([(heap.taken_s, sorted(heap.stacks.values(), key=repr)) for heap in ordered]).encode())
    return ImportedRun(
        service=service or ordered[0].program or PurePath(ordered[0].name).name.partition(".")[0] or "pprof",
        key=b"pprof\0" + digest.digest(),
        samples=samples,
        sites=sites,
        sampling_interval_bytes=ordered[0].period_bytes,
    )


def _check_target(target: Path) -> None:
    is_other_folder = target.is_dir() and any(target.iterdir()) and not (target / MARKER_NAME).exists()
    if is_other_folder or (target.exists() and not target.is_dir()):
        what = "another folder" if is_other_folder else "a file"
        raise InvalidArgumentError(
            f"import needs the folder of a ledger, or a new one, as its last argument, but {target} is {what}. "
            "Name another."
        )


def _check_new(runs: Sequence[ImportedRun], target: Path) -> None:
    names = [make_run_id(run) for run in runs]
    twice = {name for name in names if names.count(name) > 1}
    known = set(open_ledger(target).runs["run_id"]) if (target / MARKER_NAME).exists() else set()
    for run, name in zip(runs, names, strict=True):
        if name in known | twice:
            where = f"{target} has it already" if name in known else "it is given twice"
            raise InvalidArgumentError(
                f"import needs new measurements, but of run {name} of {run.service!r} {where}. Leave its file out."
            )


def _write_run(run: ImportedRun, target: Path) -> None:
    row = {
        "run_id": make_run_id(run),
        "service": run.service,
        "pid": run.pid,
        "host": run.host,
        "labels": dict(run.labels) if run.labels else None,
        "started": run.started,
        "sampling_interval_bytes": run.sampling_interval_bytes,
    }
    writer = LedgerWriter(target, run=row, flush="manual")
    writer.append("samples", run.samples)
    writer.append("sites", run.sites)
    writer.close(ended=run.ended)
