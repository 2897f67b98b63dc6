"""Watch the workers of a Dask cluster, and judge the memory that Dask calls unmanaged.

`WatchWorkers` records each worker, `assess_workers` gives the verdict on each: a leak, fragmentation or a cache, and
the task prefix that grows it.
"""

from memanalysis.errors import MissingDependencyError

try:
    import distributed  # noqa: F401  without it there are no workers
except ImportError as exc:
    raise MissingDependencyError(
        f"memanalysis.dask needs {exc.name}, which is not installed. Run: pip install 'memanalysis[fleet]'"
    ) from exc

from memanalysis.dask.watch_workers import WatchWorkers
from memanalysis.dask.worker_verdicts import assess_workers

__all__ = ["WatchWorkers", "assess_workers"]
