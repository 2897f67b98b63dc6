"""Work on the parts of a ledger on a Dask cluster: that of the client this process has, else one of this machine.

The same functions run there as in this process. What a part gives is put in the order of the parts, so that neither the
number of workers nor which of them is fast shows in the frame.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from memanalysis.errors import EngineError, MemAnalysisError, MissingDependencyError

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["DaskEngine", "Progress"]

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")

Progress = Callable[[str], None]
"""Takes a line that shows how far the work is."""

MAX_PART_BYTES = 8 * 2**20
"""Parquet of a part: 0.3 to a million samples, so that a service with half of all rows is many parts."""

CONNECT_TIMEOUT_S = 20
"""Seconds that a scheduler has to answer."""

ORPHAN_TIMEOUT_S = 60
"""A cluster of this machine ends by itself after this time without work, where this process was killed."""

_GONE = "the scheduler at {} went away, or dropped the work. Start it again, and repeat the call."


class DaskEngine:
    """Works on several parts at a time, on a cluster, within its own ``with``.

    Parameters
    ----------
    scheduler : str, optional
        Address of a scheduler, such as ``tcp://10.0.0.1:8786``. Without one the client that this process has is used,
        and where it has none, a cluster of this machine is started, and closed at the end; not on Windows.
    show : callable, optional
        Takes lines of progress; without one they go to standard error, where that is a terminal.
    n_workers : int, optional
        Workers of a cluster of this machine; by default one a processor.

    Raises
    ------
    MissingDependencyError
        Dask is not installed.
    """

    max_part_bytes = MAX_PART_BYTES

    def __init__(
        self, scheduler: str | None = None, *, show: Progress | None = None, n_workers: int | None = None
    ) -> None:
        try:
            import distributed  # noqa: F401  whether it is installed is to be known before a ledger is read
        except ImportError as exc:
            raise MissingDependencyError(
                f"engine='dask' needs {exc.name}, which is not installed. Run: pip install 'memanalysis[fleet]'"
            ) from exc
        self._scheduler = scheduler
        self._show = _show_to_people if show is None else show
        self._n_workers = n_workers
        self._opened = ExitStack()
        self._depth = 0
        self._client: Client | None = None

    def __enter__(self) -> "DaskEngine":
        self._depth += 1
        if self._depth > 1:  # several calls in one 'with' share a cluster
            return self
        self._client = self._opened.enter_context(_open_client(self._scheduler, self._n_workers))
        self._show(f"Dask at {_address_of(self._client)}, dashboard at {self._client.dashboard_link}")
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._client = None
            self._opened.close()

    def map(self, work: Callable[[_Job], _Result], jobs: Sequence[_Job]) -> Iterator[_Result]:
        """Return what the work gives for each job, in the order of the jobs, when all are done.

        Raises
        ------
        EngineError
            The scheduler went away, or a job cannot be done there.
        MemAnalysisError
            The work raised it, such as for a bucket that is not there.
        """
        from distributed import as_completed

        if self._client is None:
            raise EngineError("DaskEngine.map needs an open cluster. Call it within 'with engine:'.")
        dashboard = self._client.dashboard_link
        futures = [self._client.submit(work, job, pure=False) for job in jobs]
        places = {future.key: place for place, future in enumerate(futures)}
        results: dict[int, Any] = {}
        try:
            for future in as_completed(futures, loop=self._client.loop):
                results[places[future.key]] = _take(self._client, future)
                self._show(f"Dask: {len(results)} of {len(jobs)} parts, dashboard at {dashboard}")
        except BaseException:
            _cancel(self._client, futures)
            raise
        return iter([results[place] for place in range(len(jobs))])


def _take(client: "Client", future: "Future[Any]") -> Any:
    """Return the result of a future that is done; what went wrong becomes an error of this package."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker
    from distributed.comm.core import CommClosedError

    try:
        return future.result()
    except MemAnalysisError:
        raise
    except (CancelledError, CommClosedError) as exc:
        raise EngineError(f"engine='dask' needs its cluster, but {_GONE.format(_address_of(client))}") from exc
    except KilledWorker as exc:
        raise EngineError(
            f"engine='dask' lost several workers over one part of the ledger, the last at {exc.last_worker.address}. "
            "They probably had too little memory: give each worker 2 GiB."
        ) from exc
    except Exception as exc:  # the boundary of a cluster: whatever its workers raise
        raise EngineError(
            f"engine='dask' needs workers that can run memanalysis, but one raised {type(exc).__name__}: {exc}. "
            "Install the same memanalysis on the workers as here."
        ) from exc


def _cancel(client: "Client", futures: "Sequence[Future[Any]]") -> None:
    with suppress(Exception):  # the cluster may be gone, and the first error is on its way
        client.cancel(futures)


@contextmanager
def _open_client(scheduler: str | None, n_workers: int | None) -> "Iterator[Client]":
    """Yield the client of that address, else the one of this process, else one of a cluster that is closed after."""
    from distributed import Client, default_client

    if scheduler is None:
        try:
            own = default_client()
        except ValueError:  # there is none
            with _start_cluster(n_workers) as client:
                yield client
            return
        if own.asynchronous:
            raise EngineError("engine='dask' needs a client that blocks, but this process has an asynchronous one.")
        yield own
        return
    _check_scheduler(scheduler)
    with Client(scheduler, timeout=CONNECT_TIMEOUT_S, set_as_default=False) as client:
        yield client


def _check_scheduler(address: str) -> None:
    """Raise an EngineError where no scheduler answers: a client that cannot connect leaves its thread."""
    from distributed.comm.core import connect
    from distributed.security import Security
    from distributed.utils import LoopRunner

    async def try_to_connect() -> None:
        comm = await connect(address, timeout=CONNECT_TIMEOUT_S, **Security().get_connection_args("client"))
        await comm.close()

    runner = LoopRunner()
    runner.start()
    try:
        runner.run_sync(try_to_connect)
    except (OSError, ValueError) as exc:
        raise EngineError(
            f"engine='dask' needs a scheduler at {address}, but cannot reach one: {exc}. Check the address."
        ) from exc
    finally:
        runner.stop()


@contextmanager
def _start_cluster(n_workers: int | None) -> "Iterator[Client]":
    """Yield the client of a cluster of this machine, whose processes do not import this program's main module.

    On Windows there is none: Dask's other clusters run the main module of the program again, in each process.
    """
    from dask.system import CPU_COUNT
    from distributed import Client
    from distributed.compatibility import WINDOWS
    from distributed.deploy.subprocess import SubprocessCluster

    if WINDOWS:
        raise EngineError(
            "engine='dask' needs a cluster, and cannot start one on Windows. Start your own and keep its client open: "
            "'with distributed.Client(n_workers=2):' below 'if __name__ == \"__main__\":'. For the command line run "
            "'dask scheduler' and 'dask worker tcp://127.0.0.1:8786', and add --scheduler tcp://127.0.0.1:8786."
        )
    with tempfile.TemporaryDirectory(prefix="memanalysis-dask-", ignore_cleanup_errors=True) as folder:
        options = {"local_directory": folder, "death_timeout": ORPHAN_TIMEOUT_S}
        cluster = SubprocessCluster(
            n_workers=n_workers or CPU_COUNT,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={
                "scheduler_file": str(Path(folder, "scheduler.json")),
                "idle_timeout": ORPHAN_TIMEOUT_S,
                "local_directory": folder,
            },
            worker_kwargs=options,
        )
        with cluster, Client(cluster, timeout=CONNECT_TIMEOUT_S, set_as_default=False) as client:
            yield client


def _address_of(client: "Client") -> str:
    return "an unknown address" if client.scheduler is None else str(client.scheduler.address)


def _show_to_people(text: str) -> None:
    """Write a line where somebody reads along: on a terminal, or below the cell of a notebook."""
    if sys.stderr.isatty() or "ipykernel.kernelapp" in sys.modules:
        sys.stderr.write(f"{text}\n")
