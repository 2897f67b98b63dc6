"""How a running process appends to a ledger, and loses nothing when it is killed.

A process has its own shard a table, so writers never share a file and wait for no lock. A shard that has grown is
closed and a new one begun; a short-lived process seals it into Parquet (`full_segments`), and ``close`` seals the rest:
write, fsync, rename, and only then is the JSON-lines file removed. Readers pass over a JSON-lines file whose Parquet is
there, so a crash at any point leaves each row exactly once.

Into a URL nothing is written directly: rows go into a ledger in a folder of this machine, and what is sealed there is
uploaded and then removed. A network that fails delays that and loses nothing.

Standard library only, but for ``close`` where pyarrow is loaded already. A forked child must not write its parent's
rows again: in a process other than the one that made the writer, every call does nothing (the recorder opens a new run
there).
"""

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from memanalysis._descriptors import OwnDescriptor
from memanalysis._forked_child import call_in_child
from memanalysis._text import make_encodable
from memanalysis.errors import InvalidArgumentError, LedgerError, LedgerFormatError
from memanalysis.ledger.maintenance.retention import Retention
from memanalysis.ledger.marker import DEFAULT_FILE_MODE, make_ledger_folder
from memanalysis.ledger.paths import LIVE_FOLDER, PARTITION_PREFIX, check_run_id, slug_of_service
from memanalysis.ledger.writing.full_segments import FullSegments
from memanalysis.ledger.writing.row_encoder import encode_cells
from memanalysis.ledger.writing.segment_rotation import Incident, Shard
from memanalysis.ledger.writing.site_encoder import encode_site
from memanalysis.ledger.writing.spool import is_url, local_path, spool_folder
from memanalysis.schema import SCHEMA_VERSION, TABLES, Row

__all__ = ["FlushPolicy", "LedgerWriter"]

FlushPolicy = Literal["line", "fsync", "interval", "manual"]
"""Where a row is after ``append``: with the operating system, on the disk, with the operating system within a second,
or in memory until ``flush()``."""

FLUSH_INTERVAL_S = 1.0
"""Of ``interval``: the next append after it takes the rows along that came before."""

SEGMENT_BYTES = 8 * 1024**2
"""A shard of this size is sealed: about seven hours of samples, which become 700 KB."""

SEGMENT_S = 86_400.0
"""A shard that spans this time is sealed, so that retention can drop a day and not a month."""

REMOTE_SEGMENT_S = 600.0
"""The same behind a URL: how far a reader there is behind."""

_open: "weakref.WeakSet[LedgerWriter]" = weakref.WeakSet()


class LedgerWriter:
    """Appends the rows of one run to a directory ledger, which it makes if there is none.

    Parameters
    ----------
    path : path-like or URL
        Folder of the ledger, on this machine or behind a URL that fsspec knows.
    run : row of ``runs``
        Has ``run_id`` and ``service``; written at once with ``ended`` null.
    flush : {"line", "fsync", "interval", "manual"}
        When rows leave this process: see `FlushPolicy`.
    retention : Retention, optional
        What is dropped when a shard is sealed; without it nothing.
    segment_bytes, segment_s : optional
        When a shard is sealed while it grows: at 8 MiB or after a day, behind a URL after ten minutes.
    file_mode : int
        Permissions of the files that are made, less the umask: 0600. Folders follow the umask alone.
    report : callable, optional
        Is given one sentence about each removal of the ledger that was noticed and mended.

    Raises
    ------
    InvalidArgumentError
        No fit ``run_id`` or ``service``.
    LedgerError
        The folder cannot be made or written, or holds a ledger of a newer version.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        run: Row,
        flush: FlushPolicy = "line",
        retention: Retention | None = None,
        segment_bytes: int = SEGMENT_BYTES,
        segment_s: float | None = None,
        file_mode: int = DEFAULT_FILE_MODE,
        report: Callable[[str], None] | None = None,
    ) -> None:
        self.url = os.fspath(path) if is_url(path) else None
        self.path = local_path(path) if self.url is None else spool_folder(self.url)
        self.run_id = check_run_id(run.get("run_id"))
        self.service = make_encodable(str(run.get("service") or ""))
        self.dropped_rows = 0
        """Rows given up because the disk refused for too long."""
        self._run: dict[str, object] = {"schema_version": SCHEMA_VERSION, **run}
        self._partition = PARTITION_PREFIX + slug_of_service(self.service)
        self._prefix = "{" + encode_cells("runs", {"run_id": self.run_id, "service": self.service})
        self._flush_policy = flush
        self._writes_at_once = flush in {"line", "fsync"}
        self._flushed_at = float("-inf")
        self._file_mode = file_mode
        self._report = report
        self._is_removed = False
        self._segment_bytes = segment_bytes
        self._segment_s = segment_s or (SEGMENT_S if self.url is None else REMOTE_SEGMENT_S)
        self._shards: dict[str, Shard] = {}
        self._pid = os.getpid()
        # re-entrant: a signal handler or finalizer of the program may append amid an append
        self._lock = threading.RLock()
        self._closed = False
        self._prepare()
        self._full = FullSegments(self.path, url=self.url, retention=retention)
        _open.add(self)
        self.append("runs", [{"ended": None}])
        if flush in {"manual", "interval"}:
            self.flush()

    @property
    def upload_errors(self) -> int:
        """Uploads of this ledger that failed since the writer was made, by whatever process."""
        return self._full.upload_errors

    @property
    def upload_error(self) -> str | None:
        """Why the last upload failed, and what to do; None where it succeeded, or none was tried yet."""
        return self._full.upload_error

    def append(self, table: str, rows: Iterable[Row]) -> None:
        """Add rows; ``run_id`` and ``service`` are this run's, whatever the rows hold.

        Raises
        ------
        InvalidArgumentError
            No such table or column, or a value of a wrong type; no row of the call is added then.
        LedgerError
            The disk refuses. The rows stay in memory (up to 8 MiB a table) and go out with a later call.
        """
        if os.getpid() != self._pid:
            return
        if table not in TABLES:
            raise InvalidArgumentError(f"LedgerWriter.append needs a table of {list(TABLES)}, but got {table!r}.")
        if self._closed:
            raise LedgerError(
                f"LedgerWriter.append needs an open writer, but run {self.run_id!r} is closed. Begin a new run."
            )
        with self._lock:
            shard = self._find_shard(table)
            if table == "sites":  # its lines leave out what the open file holds already, so that must be there
                shard.check()
            described: dict[str, int] = {}
            lines = [self._encode(table, row, shard, described) for row in rows]
            if not lines:
                return
            shard.add("".join(lines).encode(), len(lines), described)
            if self._writes_at_once or self._is_due(shard):
                self._write(shard)

    def update_run(self, cells: Row) -> None:
        """Write the run's row with changed cells, which its last row will have too.

        Raises
        ------
        InvalidArgumentError, LedgerError
            As of `append`.
        """
        self._run |= cells
        self.append("runs", [{"ended": None}])

    def flush(self) -> None:
        """Hand every row that is still in memory to the operating system."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            self._flushed_at = time.monotonic()
            for shard in list(self._shards.values()):
                self._write(shard)

    def prepare_end(self) -> tuple[str, OwnDescriptor, bytes] | None:
        """Return what is needed to write the end of the run without this writer, when a signal ends the process.

        Returns
        -------
        (str, OwnDescriptor, bytes) or None
            Path and descriptor of the file, and a line of it without the closing brace, which ``ended`` and ``ending``
            are to be added to. None where nothing is written yet.
        """
        with self._lock:
            place = self._find_shard("runs").place
            if place is None:
                return None
            return str(place[0]), place[1], (self._prefix + "," + encode_cells("runs", self._run_cells())).encode()

    def close(
        self, *, ended: float | None = None, ending: Mapping[str, object] | None = None, seal: bool = True
    ) -> None:
        """Write the run's last row, then seal the shards into Parquet; a second call does nothing.

        Parameters
        ----------
        ended : float, optional
            Epoch seconds; now, if not given.
        ending : mapping, optional
            How it ended: the cell of ``runs``.
        seal : bool
            False leaves the JSON-lines files, which read as well and spare the program the wait. A ledger behind a URL
            is sealed and uploaded all the same.

        Raises
        ------
        LedgerError
            The disk refuses rows that are still in memory. What was written before stays readable. A seal that fails
            raises nothing: it is logged, and the JSON-lines file stays.
        """
        if os.getpid() != self._pid or self._closed:
            return
        with self._lock:
            try:
                self._mend()
                self.append("runs", [{"ended": time.time() if ended is None else ended, "ending": ending}])
                self.flush()
            finally:
                self._closed = True
                _open.discard(self)
                for shard in self._shards.values():
                    self._full.add(shard.release())
                self._full.forget_removed()
                if seal or self.url is not None:
                    self._full.seal_rest()
                self._full.close()

    def _prepare(self) -> None:
        try:
            make_ledger_folder(self.path, file_mode=self._file_mode)
        except (FileExistsError, NotADirectoryError) as exc:
            raise LedgerFormatError(
                f"LedgerWriter needs a folder, but {self.path} is or lies under a file. Give another path."
            ) from exc
        except LedgerError:
            raise
        except OSError as exc:
            raise LedgerError(
                f"LedgerWriter needs a folder that can be written, but {self.path} cannot: {exc.strerror}. "
                "Give another path, or free some space or grant the right to write there."
            ) from exc

    def _find_shard(self, table: str) -> Shard:
        shard = self._shards.get(table)
        if shard is None:
            shard = self._shards[table] = Shard(
                table,
                root=self.path,
                folder=self.path / LIVE_FOLDER / table / self._partition,
                run_id=self.run_id,
                fsync=self._flush_policy == "fsync",
                file_mode=self._file_mode,
            )
        return shard

    def _encode(self, table: str, row: Row, shard: Shard, described: dict[str, int]) -> str:
        """Write a row as a line; a site that the shard describes already is not described again."""
        if "run_id" in row or "service" in row:
            row = {name: value for name, value in row.items() if name not in {"run_id", "service"}}
        if table == "runs":
            row = {**self._run_cells(), **row}
        elif table == "sites":
            return self._prefix + encode_site(row, shard, described)
        cells = encode_cells(table, row)
        return f"{self._prefix},{cells}}}\n" if cells else f"{self._prefix}}}\n"

    def _run_cells(self) -> dict[str, object]:
        """Cells of the run's row as it began, without those that each line has."""
        return {name: value for name, value in self._run.items() if name not in {"run_id", "service"}}

    def _is_due(self, shard: Shard) -> bool:
        if shard.is_beyond_bound():
            return True
        if self._flush_policy == "interval" and time.monotonic() - self._flushed_at >= FLUSH_INTERVAL_S:
            self.flush()
        return False

    def _write(self, shard: Shard) -> None:
        self._write_pending(shard)
        if shard.incidents or self._is_removed:
            self._mend()
        if shard.table == "runs":  # few rows, and wanted together
            return
        self._full.add(shard.rotate_if_due(max_bytes=self._segment_bytes, max_age_s=self._segment_s))
        self._full.start_sealing()

    def _write_pending(self, shard: Shard) -> None:
        try:
            shard.write()
        except LedgerError:
            raise
        except OSError as exc:
            self.dropped_rows += shard.forget_oldest()
            raise LedgerError(
                f"LedgerWriter needs to write {shard.pending_bytes} bytes to {shard.folder}, but the system refused: "
                f"{exc.strerror}. The rows stay in memory; free some space and append or flush again."
            ) from exc

    def _mend(self) -> None:
        """Open files again whose descriptors the program took, make a ledger again that was removed, and record it."""
        shards = list(self._shards.values())
        for shard in shards:
            shard.check()
        tables: dict[Incident, list[str]] = {"descriptor": [], "removed": []}
        for shard in shards:
            for incident in set(shard.incidents):
                tables[incident].append(shard.table)
            shard.incidents.clear()
        if tables["descriptor"]:
            names = ", ".join(tables["descriptor"])
            message = f"The program closed or replaced descriptors of the ledger ({names}). The files are open again."
            self._add("events", kind="descriptor", level="info", message=message, data={"tables": tables["descriptor"]})
        if tables["removed"]:
            self._is_removed = True
            message = (
                f"Files of ledger {self.path} were removed while it was written ({', '.join(tables['removed'])}). "
                "New ones are begun; what the old ones held is gone. Stop the recorder before you remove its ledger."
            )
            data = {"during": "write the ledger", "tables": tables["removed"]}
            self._add("events", kind="error", level="warning", message=message, data=data)
            self._add("runs", ended=None)
            if self._report is not None:
                self._report(message)
        if self._is_removed:
            self._prepare()
            self._is_removed = False
        for table in ("runs", "events"):
            self._write_pending(self._find_shard(table))

    def _add(self, table: str, **row: object) -> None:
        """Put a row with those that wait to be written."""
        if table == "events":
            row["timestamp"] = time.time()
        shard = self._find_shard(table)
        shard.add(self._encode(table, row, shard, {}).encode(), 1, {})

    def _forget_in_child(self) -> None:
        """Let go of the parent's files: a child must not keep them locked when the parent is gone."""
        for shard in self._shards.values():
            self._full.add(shard.release())
        self._full.forget_in_child()
        self._lock = threading.RLock()


def _forget_in_child() -> None:
    for writer in list(_open):
        writer._forget_in_child()


call_in_child(_forget_in_child)
