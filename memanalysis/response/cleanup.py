"""Free what can be freed: garbage collected, the program's own hooks run, caches emptied; and say what it brought.

Bytes are measured: by tracemalloc where it traces, else by the resident memory of the process.
"""

import gc
import logging
import threading
import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import count

from memanalysis.capture.process import ProcessReader
from memanalysis.errors import InvalidArgumentError
from memanalysis.policy.model import AutoCleanupPolicy
from memanalysis.response.caches import KNOWN_CACHES, clear_cache, is_cache
from memanalysis.response.trim import return_free_memory

__all__ = ["Cleanup", "CleanupResult"]

_LOGGER = logging.getLogger(__name__)

_Step = tuple[str, Callable[[], object]]
_Problems = list[dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupResult:
    """What one method of cleanup did.

    Parameters
    ----------
    did : str
        A sentence.
    freed_bytes : int or None
        None where the system does not tell; 0 where the process grew meanwhile.
    measured_by : str
        traced_bytes or rss_bytes.
    errors : list of dict
        ``name`` and ``error`` of every hook or cache that failed.
    """

    did: str
    freed_bytes: int | None
    measured_by: str
    errors: list[dict[str, str]]


class Cleanup:
    """Frees memory as the policy's section ``leak_detection.auto_cleanup`` wants.

    Parameters
    ----------
    policy : AutoCleanupPolicy
        Which methods run, and from which growth on a leak asks for them.

    Notes
    -----
    What is registered is held until it is unregistered: a hook that is a method keeps its object alive.
    """

    def __init__(self, policy: AutoCleanupPolicy) -> None:
        self.policy = policy
        self._resources: dict[str, Callable[[], object]] = {}
        self._caches: dict[str, object] = {}
        self._lock = threading.Lock()

    def register_resource(self, name: str, release: Callable[[], object]) -> None:
        """Register a hook that frees something; the same name again replaces it, as when a notebook cell runs twice."""
        if not callable(release):
            raise InvalidArgumentError(
                f"register_resource needs a callable without arguments, but got {type(release).__name__}. "
                "Pass the function itself, without calling it."
            )
        with self._lock:
            self._resources[name] = release

    def unregister_resource(self, name: str) -> bool:
        """Forget a hook; True when there was one."""
        with self._lock:
            return self._resources.pop(name, None) is not None

    def register_cache(self, cache: object, *, name: str | None = None) -> None:
        """Register a cache that may be emptied: anything with ``cache_clear()`` or ``clear()``.

        Without a name it has that of its function, or that of its type and a number. The same name again replaces it.
        """
        if not is_cache(cache):
            raise InvalidArgumentError(
                f"register_cache needs something with cache_clear() or clear(), but got {type(cache).__name__}. "
                "Register a function that empties it with register_resource()."
            )
        with self._lock:
            self._caches[name or self._name_of(cache)] = cache

    def unregister_cache(self, name: str) -> bool:
        """Forget a cache; True when there was one."""
        with self._lock:
            return self._caches.pop(name, None) is not None

    def is_due_after_leak(self, growth_mb: float) -> bool:
        """Tell whether the policy wants memory freed after a leak of that size."""
        return self.policy.enabled and growth_mb >= self.policy.threshold_mb

    def run(self) -> dict[str, CleanupResult]:
        """Free memory by each method of the policy, in its order; the results by method.

        A hook or cache that fails is logged and listed, and does not stop the others.
        """
        methods: dict[str, Callable[[], tuple[str, _Problems]]] = {
            "garbage_collection": self._collect_garbage,
            "resource_cleanup": self._release_resources,
            "cache_flush": self._flush_caches,
        }
        return {name: _measured(methods[name]) for name in self.policy.methods}

    def _name_of(self, cache: object) -> str:
        """Give a name that only this cache has."""
        of_function = getattr(cache, "__qualname__", None)
        if isinstance(of_function, str):
            return f"{getattr(cache, '__module__', '?')}.{of_function}"
        kind = type(cache).__qualname__
        names = (f"{kind} {number}" for number in count(1))
        return next(name for name in names if self._caches.get(name, cache) is cache)

    def _collect_garbage(self) -> tuple[str, _Problems]:
        collected = gc.collect()
        did = f"Collected {collected} unreachable object{'' if collected == 1 else 's'}"
        trimmed = {
            True: "gave free memory back to the system",
            False: "the system had no free memory to take back",
            None: "this C library cannot give memory back",
        }[return_free_memory()]
        return f"{did}; {trimmed}.", []

    def _release_resources(self) -> tuple[str, _Problems]:
        with self._lock:
            hooks = list(self._resources.items())
        return _run("hook", "ran", hooks)

    def _flush_caches(self) -> tuple[str, _Problems]:
        with self._lock:
            registered = list(self._caches.items())
        steps: list[_Step] = [(name, partial(clear_cache, cache)) for name, cache in registered]
        return _run("cache", "emptied", [*steps, *KNOWN_CACHES.items()])


def _run(noun: str, verb: str, steps: Iterable[_Step]) -> tuple[str, _Problems]:
    """Run each step, whatever the others do."""
    done: list[str] = []
    problems: _Problems = []
    for name, step in steps:
        try:
            step()
        except Exception as exc:  # somebody's code, run inside somebody's process: reported, and never raised into it
            _LOGGER.warning("The %s %r failed during cleanup.", noun, name, exc_info=True)
            problems.append({"name": name, "error": f"{type(exc).__name__}: {exc}"})
        else:
            done.append(name)
    if not done and not problems:
        return f"No {noun} is registered.", problems
    did = f"{verb} {len(done)} {noun}{'' if len(done) == 1 else 's'}".capitalize()
    listed = f": {', '.join(done)}" if done else ""
    failed = f"; {len(problems)} failed" if problems else ""
    return f"{did}{listed}{failed}.", problems


def _measured(method: Callable[[], tuple[str, _Problems]]) -> CleanupResult:
    with ProcessReader() as process:
        traced = tracemalloc.is_tracing()
        before = _read_bytes(process, traced=traced)
        did, problems = method()
        after = _read_bytes(process, traced=traced)
    return CleanupResult(
        did=did,
        freed_bytes=None if before is None or after is None else max(0, before - after),
        measured_by="traced_bytes" if traced else "rss_bytes",
        errors=problems,
    )


def _read_bytes(process: ProcessReader, *, traced: bool) -> int | None:
    if not traced:
        return process.read_rss_bytes()
    return tracemalloc.get_traced_memory()[0] if tracemalloc.is_tracing() else None
