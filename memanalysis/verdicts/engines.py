"""Where the parts of a ledger are worked on: one after the other in this process, or on a Dask cluster."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, Protocol, TypeVar

from memanalysis.errors import InvalidArgumentError

__all__ = ["ENGINES", "IN_PROCESS", "Engine", "EngineSource", "InProcess", "resolve_engine"]

ENGINES = ("pandas", "dask")

MAX_PART_BYTES = 16 * 2**20
"""Parquet of a part: 0.6 to two million samples, by how well they compress; two million take 0.7 GB to be judged."""

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


class Engine(Protocol):
    """What works on the parts of a ledger, within its own ``with``."""

    max_part_bytes: int

    def __enter__(self) -> object: ...
    def __exit__(self, *exc_info: object) -> None: ...

    def map(self, work: Callable[[_Job], _Result], jobs: Sequence[_Job]) -> Iterator[_Result]:
        """Return what the work gives for each job, in the order of the jobs."""


EngineSource = Literal["pandas", "dask"] | Engine


class InProcess:
    """Works on one part after the other: of all but one, only the results are held."""

    max_part_bytes = MAX_PART_BYTES

    def __enter__(self) -> "InProcess":
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Nothing was opened."""

    def map(self, work: Callable[[_Job], _Result], jobs: Iterable[_Job]) -> Iterator[_Result]:
        """Return what the work gives for each job."""
        return map(work, jobs)


IN_PROCESS = InProcess()


def resolve_engine(engine: EngineSource, *, call: str) -> Engine:
    """Return the engine of that name, unless it is one.

    Raises
    ------
    InvalidArgumentError
        There is no such engine; `call` names the verb in the text.
    """
    if engine == "pandas":
        return IN_PROCESS
    if engine == "dask":
        from memanalysis.verdicts.dask_engine import DaskEngine

        return DaskEngine()
    if isinstance(engine, str) or not hasattr(engine, "map"):
        raise InvalidArgumentError(
            f"{call} needs engine= as one of {', '.join(map(repr, ENGINES))}, but got {engine!r}. Name one of these."
        )
    return engine
