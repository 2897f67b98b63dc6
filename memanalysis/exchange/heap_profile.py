"""Read the heap of one run from the table ``sites``: what each stack holds in the last snapshot, and what it grew by.

Growth goes from the first snapshot to the last. A stack that a snapshot does not list held nothing then, as in reports:
a snapshot lists the largest sites and those that grew most. With a single snapshot growth is unknown.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pandas as pd

from memanalysis._text import make_encodable
from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.reading.ledger import Ledger

__all__ = ["CallStack", "Frame", "HeapProfile", "StackUse", "read_heap_profile"]

UNKNOWN_FILE = "<unknown>"

_KEYS = ["service", "run_id", "timestamp"]
_COLUMNS = [
    *_KEYS, "file", "line", "function", "traceback", "user_file", "user_line", "user_function",
    "size_bytes", "live_allocations",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Frame:
    """One call of a stack; ``line`` is 0 where it is unknown, ``function`` empty."""

    file: str
    line: int
    function: str = ""

    @property
    def name(self) -> str:
        """Name of the function, or file and line where only these were recorded."""
        return self.function or f"{self.file.strip('<>').replace(chr(92), '/').rpartition('/')[2]}:{self.line}"


CallStack = tuple[Frame, ...]
"""The outermost call first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackUse:
    """What was allocated below one stack: alive in the last snapshot, and more (or less) than in the first."""

    frames: CallStack
    live_bytes: int
    live_objects: int | None
    grown_bytes: int | None
    grown_objects: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeapProfile:
    """The heap of one run.

    Parameters
    ----------
    service, run_id : str
    trace : str or None
        What found the lines: ``sampled``, ``windows`` or ``full``.
    sampling_interval_bytes : int or None
        Mean bytes between two samples, where the heap was sampled.
    first, last : datetime
        When the first and the last snapshot were taken; the same where there is but one.
    uses : tuple of StackUse
        The most live bytes first.
    n_unknown : int
        Sites of the two snapshots that are left out, because their size is unknown.
    """

    service: str
    run_id: str
    trace: str | None
    sampling_interval_bytes: int | None
    first: datetime
    last: datetime
    uses: tuple[StackUse, ...]
    n_unknown: int = 0

    @property
    def has_growth(self) -> bool:
        """Whether there are two snapshots to compare."""
        return self.first < self.last

    @property
    def has_objects(self) -> bool:
        """Whether the number of blocks is known of every stack."""
        return all(use.live_objects is not None for use in self.uses)

    @property
    def live_bytes(self) -> int:
        """Sum of what all stacks hold."""
        return sum(use.live_bytes for use in self.uses)

    @property
    def grown_bytes(self) -> int | None:
        """Sum of what all stacks grew by, less what others shrank by; None where it is unknown."""
        return sum(use.grown_bytes or 0 for use in self.uses) if self.has_growth else None


def read_heap_profile(ledger: Ledger, *, service: str | None = None, run_id: str | None = None) -> HeapProfile:
    """Return the heap of one run: of the service the run whose snapshot is the latest, unless one is named.

    Parameters
    ----------
    ledger : Ledger
    service : str, optional
        Needed where the ledger has snapshots of several services.
    run_id : str, optional
        A run of the table ``runs``.

    Raises
    ------
    InvalidArgumentError
        The ledger has no snapshots of that service or run, or of several services, and none is named.
    LedgerError
        The ledger cannot be read.
    """
    taken = _choose_run(ledger, service, run_id)
    service, run_id = str(taken["service"].iloc[0]), str(taken["run_id"].iloc[0])
    first, last = taken["timestamp"].min(), taken["timestamp"].max()
    ends = pd.concat([_read_snapshot(ledger, service, run_id, moment) for moment in sorted({first, last})])
    names = _name_frames(ends)
    sizes = {moment: _sum_by_stack(ends[ends["timestamp"] == moment], names) for moment in {first, last}}
    before, after = sizes[first], sizes[last]
    uses = [_compare(frames, before, after, has_growth=first < last) for frames in after | before]
    is_known = all(objects is not None for table in sizes.values() for _, objects in table.values())
    if not is_known:
        uses = [replace(use, live_objects=None, grown_objects=None) for use in uses]
    trace, interval_bytes = _read_tracing(ledger, service, run_id)
    return HeapProfile(
        service=service,
        run_id=run_id,
        trace=trace,
        sampling_interval_bytes=interval_bytes,
        first=first.to_pydatetime(),
        last=last.to_pydatetime(),
        uses=tuple(sorted(uses, key=lambda use: (use.live_bytes, use.grown_bytes or 0), reverse=True)),
        n_unknown=int(ends["size_bytes"].isna().sum()),
    )


def _read_snapshot(ledger: Ledger, service: str, run_id: str, moment: pd.Timestamp) -> pd.DataFrame:
    """Read the sites of one moment alone: a run of weeks has millions."""
    after = moment + pd.Timedelta(1, "us")
    rows = ledger.read(
        "sites", columns=_COLUMNS, services=[service], since=moment.to_pydatetime(), until=after.to_pydatetime()
    )
    return rows[rows["run_id"] == run_id]


def _choose_run(ledger: Ledger, service: str | None, run_id: str | None) -> pd.DataFrame:
    """Return the rows, with their keys, of the run that is asked for, or that has the latest snapshot."""
    taken = ledger.read("sites", columns=[*_KEYS, "size_bytes"]).dropna()
    if service is not None:
        taken = taken[taken["service"] == service]
    if run_id is not None:
        taken = taken[taken["run_id"] == run_id]
    services = sorted(taken["service"].unique())
    if not services:
        of = f" of service {service!r}" * (service is not None) + f" of run {run_id!r}" * (run_id is not None)
        raise InvalidArgumentError(
            f"export needs snapshots of allocation sites, but the ledger {ledger.path} has none{of}. "
            "Name another, or record with trace='auto' until the first snapshot is written, after some seconds."
        )
    if len(services) > 1:
        raise InvalidArgumentError(
            f"export needs one service, but the ledger {ledger.path} has snapshots of "
            f"{', '.join(map(repr, services))}. Name one with --service."
        )
    latest = taken.sort_values("timestamp", kind="stable").iloc[-1]
    own: pd.DataFrame = taken[taken["run_id"] == latest["run_id"]]
    return own


def _read_tracing(ledger: Ledger, service: str, run_id: str) -> tuple[str | None, int | None]:
    """Return what found the lines, and the mean bytes between two samples."""
    runs = ledger.read("runs", columns=["run_id", "trace", "sampling_interval_bytes"], services=[service])
    for _, trace, interval_bytes in runs[runs["run_id"] == run_id].itertuples(index=False, name=None):
        return None if pd.isna(trace) else str(trace), None if pd.isna(interval_bytes) else int(interval_bytes)
    return None, None


def _name_frames(sites: pd.DataFrame) -> dict[tuple[str, int], str]:
    """Functions by file and line, as any row knows them: for frames that a traceback does not name."""
    names: dict[tuple[str, int], str] = {}
    for traceback in sites["traceback"]:
        for place in traceback if isinstance(traceback, list) else []:
            if isinstance(place, list) and len(place) == 3 and isinstance(place[1], int) and isinstance(place[2], str):
                names[str(place[0]), place[1]] = place[2]
    for prefix in ("user_", ""):
        columns = [f"{prefix}{name}" for name in ("file", "line", "function")]
        known = sites[columns].dropna().drop_duplicates()
        for file, line, function in known.itertuples(index=False, name=None):
            names[str(file), int(line)] = str(function)
    return names


def _sum_by_stack(rows: pd.DataFrame, names: Mapping[tuple[str, int], str]) -> dict[CallStack, tuple[int, int | None]]:
    sums: dict[CallStack, tuple[int, int | None]] = {}
    columns = ["traceback", "file", "line", "size_bytes", "live_allocations"]
    for traceback, file, line, size, objects in rows[columns].itertuples(index=False, name=None):
        if pd.isna(size):
            continue
        frames = tuple(_read_frames(traceback, file, line, names))
        size_before, objects_before = sums.get(frames, (0, 0))
        total = None if objects_before is None or pd.isna(objects) else objects_before + int(objects)
        sums[frames] = size_before + int(size), total
    return sums


def _read_frames(traceback: Any, file: Any, line: Any, names: Mapping[tuple[str, int], str]) -> Iterator[Frame]:
    """Frames of a row; where its traceback is missing or is none, the one that allocates."""
    is_whole = isinstance(traceback, list) and all(
        isinstance(place, list) and len(place) in (2, 3) and isinstance(place[0], str) for place in traceback
    )
    places = (
        traceback
        if is_whole and traceback
        else [[None if pd.isna(file) else file, None if pd.isna(line) else int(line)]]
    )
    for name, number, *own in places:
        known_line = number if isinstance(number, int) and number >= 0 else 0
        named = [function for function in own if isinstance(function, str)]
        function = named[0] if named else names.get((str(name), known_line), "")
        yield Frame(make_encodable(str(name or UNKNOWN_FILE)), known_line, make_encodable(function))


def _compare(
    frames: CallStack,
    before: Mapping[CallStack, tuple[int, int | None]],
    after: Mapping[CallStack, tuple[int, int | None]],
    *,
    has_growth: bool,
) -> StackUse:
    size_before, objects_before = before.get(frames, (0, 0))
    size, objects = after.get(frames, (0, 0))
    is_known = has_growth and objects is not None and objects_before is not None
    return StackUse(
        frames=frames,
        live_bytes=size,
        live_objects=objects,
        grown_bytes=size - size_before if has_growth else None,
        grown_objects=(objects or 0) - (objects_before or 0) if is_known else None,
    )
