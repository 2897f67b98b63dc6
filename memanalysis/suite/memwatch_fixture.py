"""What the fixture ``memwatch`` gives to a test."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from memanalysis.capture.process import ProcessReader
from memanalysis.capture.wrapper_frames import register_wrapper_frame
from memanalysis.suite.item_meter import ItemFigures, ItemMeter, SuiteSampling

if TYPE_CHECKING:
    from memanalysis.leaktest.finding import LeakFinding

__all__ = ["MeasuredPart", "MemWatch"]

register_wrapper_frame(__file__)


class MeasuredPart:
    """What ``with memwatch.measure() as part`` measured: the fields of `ItemFigures`, known when the block is left."""

    def __init__(self) -> None:
        self.figures: ItemFigures | None = None

    def __getattr__(self, name: str) -> Any:
        figures = self.__dict__.get("figures")
        if figures is None:
            raise AttributeError(f"{name} of memwatch.measure() is known when its block is left.")
        return getattr(figures, name)


class MemWatch:
    """Measures parts of a test.

    Parameters
    ----------
    note_peak : callable
        Called before the system's mark of the highest point is set back.
    """

    def __init__(self, note_peak: Callable[[], None]) -> None:
        self._note_peak = note_peak

    @contextmanager
    def measure(self) -> Iterator[MeasuredPart]:
        """Measure a block; garbage is collected before and after it.

        Yields
        ------
        MeasuredPart
            Has ``start_bytes``, ``peak_bytes``, ``end_bytes``, ``rise_bytes``, ``retained_bytes`` and ``peak_line``.
        """
        part = MeasuredPart()
        self._note_peak()
        gc.collect()
        sampling = SuiteSampling()
        sampling.start()
        try:
            with ProcessReader() as reader:
                meter = ItemMeter(reader)
                try:
                    yield part
                finally:
                    gc.collect()
                    part.figures = meter.stop()
        finally:
            sampling.stop()

    def find_leak(self, call: Callable[..., Any], **options: Any) -> "LeakFinding":
        """Repeat a call as `memanalysis.find_leak` does, with its options, and fail the test where it leaks."""
        from memanalysis.leaktest.find_leak import find_leak

        return find_leak(call, **options).raise_for_leak()
