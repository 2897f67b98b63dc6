"""Export the heap of one run of a ledger in a format of another tool."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from memanalysis._atomic import write_atomic
from memanalysis.errors import InvalidArgumentError, LedgerError
from memanalysis.exchange.flame_graph import render_flame_graph
from memanalysis.exchange.heap_profile import HeapProfile, read_heap_profile
from memanalysis.exchange.otlp_profile import render_otlp
from memanalysis.exchange.pprof_writer import render_pprof
from memanalysis.exchange.sample_values import Shown
from memanalysis.exchange.text_profiles import render_folded, render_speedscope
from memanalysis.ledger.reading.ledger import open_ledger

__all__ = ["ExportFormat", "Exported", "choose_format", "export_heap"]

ExportFormat = Literal["pprof", "otlp", "speedscope", "folded", "flamegraph"]

_SUFFIXES: Mapping[str, ExportFormat] = {
    ".pb.gz": "pprof",
    ".pprof": "pprof",
    ".otlp": "otlp",
    ".speedscope.json": "speedscope",
    ".folded": "folded",
    ".html": "flamegraph",
}
"""The format that follows from the end of a file's name."""

_WRITERS: Mapping[ExportFormat, Callable[..., bytes]] = {
    "pprof": render_pprof,
    "otlp": render_otlp,
    "speedscope": render_speedscope,
    "folded": render_folded,
    "flamegraph": render_flame_graph,
}


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported: the format, the heap, and the bytes of the file."""

    form: ExportFormat
    profile: HeapProfile
    content: bytes


def export_heap(
    ledger: str | os.PathLike[str],
    target: str | os.PathLike[str] | None,
    *,
    form: ExportFormat | None = None,
    shown: Shown = "live",
    service: str | None = None,
    run_id: str | None = None,
) -> Exported:
    """Write what the stacks of one run hold and grew by; whatever was at the target is replaced.

    Parameters
    ----------
    ledger : path or URL
    target : path, optional
        File to write; without one the bytes are returned only.
    form : {"pprof", "otlp", "speedscope", "folded", "flamegraph"}, optional
        Follows from the end of the target's name where it is not given.
    shown : {"live", "grew"}
        What folded stacks hold, and what the other formats, which hold both, show first.
    service, run_id : str, optional
        Which run; by default the one of the ledger's only service with the latest snapshot.

    Raises
    ------
    InvalidArgumentError
        No format follows from the target's name, the run has no such snapshots, or growth is asked of a single one.
    LedgerError
        The ledger cannot be read, or the target not be written.

    Examples
    --------
    >>> done = export_heap("sample_ledgers/leaking_service", None, form="folded", shown="grew")
    >>> done.profile.live_bytes, done.profile.grown_bytes
    (47244006, 42632338)
    """
    chosen = form or choose_format(target)
    profile = read_heap_profile(open_ledger(ledger), service=service, run_id=run_id)
    if shown == "grew" and not profile.has_growth:
        raise InvalidArgumentError(
            f"export needs two snapshots of a run to show what grew, but run {profile.run_id} of {profile.service!r} "
            "has one. Export what is live, or name another run with --run."
        )
    content = _WRITERS[chosen](profile, shown=shown)
    if target is not None:
        _write(Path(target), content)
    return Exported(chosen, profile, content)


def choose_format(target: str | os.PathLike[str] | None) -> ExportFormat:
    """Return the format that follows from the name of a file.

    Raises
    ------
    InvalidArgumentError
        None does.
    """
    name = "" if target is None else Path(target).name.lower()
    for suffix, form in _SUFFIXES.items():
        if name.endswith(suffix):
            return form
    formats = ", ".join(cast("tuple[str, ...]", get_args(ExportFormat)))
    raise InvalidArgumentError(
        f"export needs a file that ends in {', '.join(_SUFFIXES)}, but got {name or 'no file'!r}. "
        f"Name one of these, or the format with --to ({formats})."
    )


def _write(target: Path, content: bytes) -> None:
    if target.is_dir():
        raise InvalidArgumentError(f"export needs a file to write, but {target} is a folder. Name a file in it.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(target, content)
    except OSError as exc:
        raise LedgerError(
            f"export needs to write {target}, but cannot: {exc.strerror or exc}. Free some space, or name another path."
        ) from exc
