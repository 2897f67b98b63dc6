"""Which caches may be emptied in anybody's process without harm: those that are only filled again when needed.

Of the standard library these are compiled regular expressions and the lines of source files that can be read again.
Lines that no file holds (notebook cells, generated code) stay: tracebacks and debuggers need them.
``functools.lru_cache`` is left alone: programs also keep connections and settings in it, for which emptying is not
harmless. Whoever has one that may be emptied registers it.
"""

import linecache
import re
from collections.abc import Callable, Mapping

__all__ = ["KNOWN_CACHES", "clear_cache", "is_cache"]


def is_cache(candidate: object) -> bool:
    """Whether it has a method ``cache_clear``, as lru_cache gives, or ``clear``, as mappings have."""
    return any(callable(getattr(candidate, name, None)) for name in ("cache_clear", "clear"))


def clear_cache(cache: object) -> None:
    """Empty a cache that `is_cache` knows."""
    clear: Callable[[], object] = getattr(cache, "cache_clear", None) or cache.clear  # type: ignore[attr-defined]
    clear()


def _forget_source_lines() -> None:
    for name, entry in list(linecache.cache.items()):
        is_from_file = (
            len(entry) == 4 and entry[1] is not None
        )  # (size, mtime, lines, path); generated code has no mtime
        if is_from_file:
            linecache.cache.pop(name, None)


KNOWN_CACHES: Mapping[str, Callable[[], None]] = {
    "compiled regular expressions": re.purge,
    "lines of source files": _forget_source_lines,
}
