"""Tasks for a Dask cluster: one retains what it made, one frees it, one returns it as its result.

::

    client.map(remember, [time.time() + number / 10 for number in range(600)], pure=False)
"""

import time

__all__ = ["load", "remember", "tokenize"]

_seen: list[list[object]] = []


def remember(at: float) -> int:
    """Keep 4,000 objects for ever, at a moment."""
    _wait_for(at)
    _seen.append([object() for _ in range(4_000)])  # the leak
    return len(_seen)


def tokenize(at: float) -> int:
    """Make 20,000 texts and free them."""
    _wait_for(at)
    return len([str(number) for number in range(20_000)])


def load(at: float) -> bytes:
    """Return a million bytes, which the worker holds as long as anybody wants them."""
    _wait_for(at)
    return b"x" * 1_000_000


def _wait_for(at: float) -> None:
    time.sleep(max(0.0, at - time.time()))
