"""The values that a profile has of each stack, by the names that pprof gave them: in use, and grown since the start."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from memanalysis.exchange.heap_profile import HeapProfile, StackUse

__all__ = ["Measure", "Shown", "choose_size", "list_measures"]

Shown = Literal["live", "grew"]
"""What is alive in the last snapshot, or what grew from the first snapshot to the last."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One value of a stack: its name and unit in profiles, and how it is read."""

    name: str
    unit: Literal["bytes", "count"]
    shown: Shown
    read: Callable[[StackUse], int]

    def is_first(self, shown: Shown) -> bool:
        """Whether it is the size that a reader asks for first."""
        return self.unit == "bytes" and self.shown == shown


_LIVE_OBJECTS = Measure("inuse_objects", "count", "live", lambda use: use.live_objects or 0)
_LIVE_BYTES = Measure("inuse_space", "bytes", "live", lambda use: use.live_bytes)
_GROWN_OBJECTS = Measure("growth_objects", "count", "grew", lambda use: use.grown_objects or 0)
_GROWN_BYTES = Measure("growth_space", "bytes", "grew", lambda use: use.grown_bytes or 0)


def list_measures(profile: HeapProfile) -> list[Measure]:
    """Return the values that are known of every stack of a profile."""
    objects = ([_LIVE_OBJECTS], [_GROWN_OBJECTS]) if profile.has_objects else ([], [])
    grown = [*objects[1], _GROWN_BYTES] if profile.has_growth else []
    return [*objects[0], _LIVE_BYTES, *grown]


def choose_size(shown: Shown) -> Measure:
    """Return the bytes that are alive, or that grew."""
    return _LIVE_BYTES if shown == "live" else _GROWN_BYTES
