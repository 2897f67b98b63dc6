"""Caches that a program registers for cleanup: what can be emptied, and how.

``functools.lru_cache`` is left alone unless it is asked for: programs also keep connections and settings in it, for
which emptying is not harmless.
"""

import functools
import gc
from collections.abc import Callable

from memanalysis.errors import InvalidArgumentError

__all__ = ["FunctoolsCaches", "clear_cache", "is_cache"]

_LRU_CACHE = type(functools.lru_cache(int))


def is_cache(candidate: object) -> bool:
    """Whether it has a method ``cache_clear``, as lru_cache gives, or ``clear``, as mappings have."""
    return any(callable(getattr(candidate, name, None)) for name in ("cache_clear", "clear"))


def clear_cache(cache: object) -> None:
    """Empty a cache that `is_cache` knows."""
    clear: Callable[[], object] = getattr(cache, "cache_clear", None) or cache.clear  # type: ignore[attr-defined]
    clear()


class FunctoolsCaches:
    """All caches of `functools` whose functions a module defines, or a module below it.

    Parameters
    ----------
    module : str
        Such as ``shop`` or ``shop.prices``.
    """

    def __init__(self, module: str) -> None:
        if not isinstance(module, str) or not module:
            raise InvalidArgumentError(
                f"register_functools_caches needs the name of a module, but got {module!r}. Pass __name__, for example."
            )
        self.module = module

    def cache_clear(self) -> None:
        """Empty each of them that exists now."""
        for found in gc.get_referrers(_LRU_CACHE):
            if isinstance(found, _LRU_CACHE) and f"{found.__module__}.".startswith(f"{self.module}."):
                found.cache_clear()
