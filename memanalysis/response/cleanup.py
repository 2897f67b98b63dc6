"""Free what can be freed: garbage collected, the program's own hooks run, caches emptied; and report what it freed.

Each step is measured in traced and in resident bytes. A hook or cache of the program runs in a thread of its own: one
that fails is reported, and one that hangs is left behind after some seconds.
"""

import gc
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import count

from memanalysis.capture.process import ProcessReader
from memanalysis.errors import InvalidArgumentError
from memanalysis.policy.model import AutoCleanupPolicy
from memanalysis.response.caches import FunctoolsCaches, clear_cache, is_cache
from memanalysis.response.known_caches import find_known_caches
from memanalysis.response.measured_step import CleanupStep, call_within, read_level, run_step
from memanalysis.response.trim import return_free_memory

__all__ = ["HOOK_WAIT_S", "Cleanup", "CleanupResult"]

HOOK_WAIT_S = 2.0
"""A hook that takes longer goes on alone, and the next one runs."""

_Step = tuple[str, Callable[[], object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupResult:
    """What one method of cleanup did.

    Parameters
    ----------
    did : str
        A sentence.
    freed_bytes : int or None
        None where the system does not show it; 0 where the process grew meanwhile.
    measured_by : str
        traced_bytes or rss_bytes: which of the following two ``freed_bytes`` is.
    freed_traced_bytes, freed_rss_bytes : int or None
        Traced bytes, None where nothing is traced, and resident bytes.
    errors : list of dict
        ``name`` and ``error`` of every hook or cache that failed.
    steps : list of CleanupStep
        The same of each hook, cache or step alone.
    """

    did: str
    freed_bytes: int | None
    measured_by: str
    freed_traced_bytes: int | None
    freed_rss_bytes: int | None
    errors: list[dict[str, str]]
    steps: list[CleanupStep]


class Cleanup:
    """Frees memory as the policy's section ``leak_detection.auto_cleanup`` wants.

    Parameters
    ----------
    policy : AutoCleanupPolicy
        Which methods run, and from which growth on a leak asks for them.

    Notes
    -----
    What is registered is held until it is unregistered: a hook that is a method keeps its object alive. A hook runs in
    a thread of its own, and is waited for no longer than 2 s.
    """

    def __init__(self, policy: AutoCleanupPolicy) -> None:
        self.policy = policy
        self._resources: dict[str, Callable[[], object]] = {}
        self._caches: dict[str, object] = {}
        self._hanging: dict[str, threading.Thread] = {}
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

    def register_functools_caches(self, module: str) -> None:
        """Register every `functools.lru_cache` and `functools.cache` of a module and those below it.

        Those that exist when memory is freed are emptied, under the name ``functools caches of MODULE``.
        """
        self.register_cache(FunctoolsCaches(module), name=f"functools caches of {module}")

    def unregister_cache(self, name: str) -> bool:
        """Forget a cache; True when there was one."""
        with self._lock:
            return self._caches.pop(name, None) is not None

    def is_due_after_leak(self, growth_mb: float) -> bool:
        """Return whether the policy wants memory freed after a leak of that size."""
        return self.policy.enabled and growth_mb >= self.policy.threshold_mb

    def run(self) -> dict[str, CleanupResult]:
        """Free memory by each method of the policy, in its order; the results by method.

        A hook or cache that fails or hangs is logged and listed, and does not stop the others.
        """
        methods: dict[str, Callable[[ProcessReader], tuple[str, list[CleanupStep]]]] = {
            "garbage_collection": _collect_garbage,
            "resource_cleanup": self._release_resources,
            "cache_flush": self._flush_caches,
        }
        with ProcessReader() as process:
            return {name: _measured(methods[name], process) for name in self.policy.methods}

    def _name_of(self, cache: object) -> str:
        """Give a name that only this cache has."""
        of_function = getattr(cache, "__qualname__", None)
        if isinstance(of_function, str):
            return f"{getattr(cache, '__module__', '?')}.{of_function}"
        kind = type(cache).__qualname__
        names = (f"{kind} {number}" for number in count(1))
        return next(name for name in names if self._caches.get(name, cache) is cache)

    def _release_resources(self, process: ProcessReader) -> tuple[str, list[CleanupStep]]:
        with self._lock:
            hooks = list(self._resources.items())
        steps = [self._run_foreign("hook", name, hook, process) for name, hook in hooks]
        return _describe("hook", "ran", steps), steps

    def _flush_caches(self, process: ProcessReader) -> tuple[str, list[CleanupStep]]:
        with self._lock:
            registered: list[_Step] = [(name, partial(clear_cache, cache)) for name, cache in self._caches.items()]
        steps = [self._run_foreign("cache", name, clear, process) for name, clear in registered]
        steps += [run_step("cache", name, clear, process=process) for name, clear in find_known_caches()]
        return _describe("cache", "emptied", steps), steps

    def _run_foreign(self, noun: str, name: str, call: Callable[[], object], process: ProcessReader) -> CleanupStep:
        """Run code of the program; it may hang."""

        def run() -> None:
            before = self._hanging.pop(f"{noun} {name}", None)
            if before is not None and before.is_alive():
                self._hanging[f"{noun} {name}"] = before
                raise TimeoutError("it still runs since an earlier cleanup")
            thread = call_within(call, seconds=HOOK_WAIT_S)
            if thread is not None:
                self._hanging[f"{noun} {name}"] = thread
                raise TimeoutError(f"it still runs after {HOOK_WAIT_S:g} s")

        return run_step(noun, name, run, process=process)


def _collect_garbage(process: ProcessReader) -> tuple[str, list[CleanupStep]]:
    outcome: dict[str, int | bool | None] = {}
    collect: _Step = ("garbage collection", lambda: outcome.update(collected=gc.collect()))
    trim: _Step = ("free memory of the C allocator", lambda: outcome.update(trimmed=return_free_memory()))
    steps = [run_step("step", name, call, process=process) for name, call in (collect, trim)]
    collected = outcome.get("collected", 0)
    did = f"Collected {collected} unreachable object{'' if collected == 1 else 's'}"
    trimmed = {
        True: "gave free memory back to the system",
        False: "the system had no free memory to take back",
        None: "this C library cannot give memory back",
    }[outcome.get("trimmed")]  # type: ignore[index]
    return f"{did}; {trimmed}.", steps


def _describe(noun: str, verb: str, steps: Iterable[CleanupStep]) -> str:
    done = [step.name for step in steps if step.error is None]
    n_failed = sum(step.error is not None for step in steps)
    if not done and not n_failed:
        return f"No {noun} is registered."
    did = f"{verb} {len(done)} {noun}{'' if len(done) == 1 else 's'}".capitalize()
    listed = f": {', '.join(done)}" if done else ""
    failed = f"; {n_failed} failed" if n_failed else ""
    return f"{did}{listed}{failed}."


def _measured(
    method: Callable[[ProcessReader], tuple[str, list[CleanupStep]]], process: ProcessReader
) -> CleanupResult:
    before = read_level(process)
    did, steps = method(process)
    traced, resident = before.freed_until(read_level(process))
    is_traced = before.traced_bytes is not None
    return CleanupResult(
        did=did,
        freed_bytes=traced if is_traced else resident,
        measured_by="traced_bytes" if is_traced else "rss_bytes",
        freed_traced_bytes=traced,
        freed_rss_bytes=resident,
        errors=[{"name": step.name, "error": step.error} for step in steps if step.error is not None],
        steps=steps,
    )
