"""Find what refers to some objects, whatever the version of Python."""

import gc
from collections.abc import Iterable
from typing import Any

__all__ = ["find_referrers"]


def find_referrers(items: Iterable[Any]) -> list[Any]:
    """Return the objects, of those that the garbage collector tracks, that refer to at least one of the items.

    A container of the items that the caller has is among them; it is the caller's to leave out. The arguments of
    ``gc.get_referrers`` are not: from CPython 3.13 on it copies them, and finds the tuple that it was called with.
    """
    arguments = tuple(items)
    found = gc.get_referrers(*arguments)  # a call with nothing but a tuple passes on this very one
    return [holder for holder in found if holder is not arguments]
