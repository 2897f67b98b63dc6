"""The plugin that watches each worker of a Dask cluster into one ledger: starts with a worker, and stops with it."""

import os
import time
from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any

from dask.utils import key_split
from distributed.diagnostics.plugin import WorkerPlugin
from tornado.ioloop import PeriodicCallback

from memanalysis.capture import sampler
from memanalysis.capture.process import ProcessReader, read_allocator_used_bytes
from memanalysis.dask.task_accounts import TaskAccounts
from memanalysis.ledger.writing.spool import is_url
from memanalysis.watcher.watch import watch

if TYPE_CHECKING:
    from distributed import Worker

    from memanalysis.watcher.recorder import Recorder

__all__ = ["DEFAULT_SERVICE", "TASKS_EVENT", "TASK_SIZES", "WORKER_LABEL", "WatchWorkers"]

DEFAULT_SERVICE = "dask-worker"

WORKER_LABEL = "dask_worker"
"""Label of a run with the name of its worker."""

TASKS_EVENT = "tasks"
"""Kind of the events that record which tasks ran and what the memory did meanwhile."""

TASK_SIZES = ("sampled_bytes", "allocator_used_bytes", "rss_bytes")
"""What is measured while tasks run, each without the results: what Python holds as the sampler estimates it, what the C
allocator has handed out, and what is resident."""

MAX_ASKING_S = 0.001
"""Processor time of a question to the C allocator: 10 microseconds mostly, 100 ms with 200,000 free blocks."""

_RUNNING_STATES = ("executing", "long-running")


class WatchWorkers(WorkerPlugin):
    """Plugin of a Dask cluster: watches each worker, also those that join later.

    Parameters
    ----------
    ledger : path or URL
        Folder of the ledger, which all workers reach: one that all hosts share, or a URL such as
        ``s3://bucket/ledger``.
    service : str
        Name of the workers in the ledger; each worker is a run of it, with its name as the label ``dask_worker``.
    labels : mapping of str to str, optional
        More labels of these runs.
    **options
        More arguments of `memanalysis.watch`, such as ``interval=5``.

    Raises
    ------
    InvalidArgumentError
        An argument that cannot be used.

    See Also
    --------
    memanalysis.dask.assess_workers : The verdicts on what is recorded.

    Notes
    -----
    The memory of the process is read as tasks begin and end, at most every 5 ms, in some 20 microseconds. An event
    ``tasks`` of each interval in which a task ran has the sums. A worker that is killed leaves all rows up to then.
    Workers that share a process are one run.

    Examples
    --------
    >>> from memanalysis.dask import WatchWorkers
    >>> watching = WatchWorkers("s3://bucket/ledger")
    >>> client.register_plugin(watching)  # doctest: +SKIP
    """

    name = "memanalysis"
    """One plugin a cluster: registered again, the new one takes the place of the old one."""

    def __init__(
        self,
        ledger: str | os.PathLike[str],
        *,
        service: str = DEFAULT_SERVICE,
        labels: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        path = os.fspath(ledger)
        self.ledger = path if is_url(path) else os.path.abspath(path)  # noqa: PTH100  the worker's folder is another
        self.service = service
        self.labels = dict(labels or {})
        self.options = options
        watch(service, ledger=self.ledger, labels=labels, **options)  # raises here what would be logged on workers
        self._watched: _WatchedProcess | None = None

    def setup(self, worker: "Worker") -> None:
        """Begin to watch the process of a worker."""
        self._watched = _find_process(self)
        self._watched.add(worker)

    def teardown(self, worker: "Worker") -> None:
        """Stop as the last worker of the process closes; what is recorded is written."""
        if self._watched is not None:
            self._watched.remove(worker)
            self._watched = None

    def transition(self, key: Any, start: str, finish: str, **kwargs: Any) -> None:
        """Note that a task begins or ends."""
        if self._watched is not None and (start in _RUNNING_STATES) != (finish in _RUNNING_STATES):
            self._watched.note_task(key, begins=finish in _RUNNING_STATES)


class _WatchedProcess:
    """The recorder of this process, and the accounts of the tasks of its workers."""

    def __init__(self, plugin: WatchWorkers) -> None:
        self._plugin = plugin
        self._workers: list[Worker] = []
        self._reader = ProcessReader()
        self._recorder: Recorder | None = None
        self._accounts: TaskAccounts | None = None
        self._callback: PeriodicCallback | None = None
        self._written_managed_bytes: int | None = None
        self._asks_allocator = True
        self._lock = Lock()

    def add(self, worker: "Worker") -> None:
        """Watch one more worker; the first starts the recorder."""
        with self._lock:
            self._workers.append(worker)
            if self._recorder is not None:
                return
            plugin = self._plugin
            labels = plugin.labels | {WORKER_LABEL: str(worker.address if worker.name is None else worker.name)}
            self._recorder = watch(plugin.service, ledger=plugin.ledger, labels=labels, **plugin.options)
            self._recorder.start()
            self._accounts = TaskAccounts(self._read_memory, time.monotonic)
            self._write_block()
            self._callback = PeriodicCallback(self._write_in_loop, 1000 * self._recorder.settings.interval_s)
            self._callback.start()

    def remove(self, worker: "Worker") -> None:
        """Watch a worker no more; the last stops the recorder, whose files stay JSON lines until they are compacted."""
        with self._lock:
            self._workers = [other for other in self._workers if other is not worker]
            if self._workers or self._recorder is None:
                return
            _watched.pop(self._plugin.service, None)
            if self._callback is not None:
                self._callback.stop()
            self._write_block()
            self._recorder.stop(seal=False)
            self._recorder = self._accounts = self._callback = None
            self._reader.close()

    def note_task(self, key: Any, *, begins: bool) -> None:
        """Count a task that begins or ends."""
        with self._lock:
            if self._accounts is not None:
                self._accounts.begin(key, key_split(key)) if begins else self._accounts.end(key)

    def _write_in_loop(self) -> None:
        with self._lock:
            self._write_block()

    def _write_block(self) -> None:
        """Write what ran since the last block; nothing where nothing ran and the managed memory is the same."""
        if self._accounts is None or self._recorder is None:
            return
        block = self._accounts.take_block()
        managed_bytes = self._read_managed_bytes()
        if block is None and managed_bytes == self._written_managed_bytes:
            return
        self._written_managed_bytes = managed_bytes
        self._recorder.record_event(TASKS_EVENT, level="info", data={"managed_bytes": managed_bytes} | (block or {}))

    def _read_memory(self) -> dict[str, int | None]:
        """Return what the process holds beside its results."""
        managed_bytes = self._read_managed_bytes()
        sizes = (sampler.read_live_bytes(), self._read_used_bytes(), self._reader.read_rss_bytes())
        known = zip(TASK_SIZES, sizes, strict=True)
        return {name: None if size is None else size - managed_bytes for name, size in known}

    def _read_used_bytes(self) -> int | None:
        """Ask the C allocator, which walks its free blocks meanwhile; no more once that takes long."""
        if self._asks_allocator:
            began_s = time.thread_time()
            used_bytes = read_allocator_used_bytes()
            self._asks_allocator = time.thread_time() - began_s <= MAX_ASKING_S
            return used_bytes
        return None

    def _read_managed_bytes(self) -> int:
        """Return the results that the workers hold in memory, as Dask sizes them."""
        return sum(_read_managed_bytes(worker) for worker in self._workers)


_watched: dict[str, _WatchedProcess] = {}
_watched_lock = Lock()


def _find_process(plugin: WatchWorkers) -> _WatchedProcess:
    with _watched_lock:
        return _watched.setdefault(plugin.service, _WatchedProcess(plugin))


def _read_managed_bytes(worker: "Worker") -> int:
    spilled = getattr(worker.data, "spilled_total", None)  # a plain dict where no memory limit is set
    return max(0, worker.state.nbytes - (0 if spilled is None else int(spilled.memory)))
