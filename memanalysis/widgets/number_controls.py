"""Sliders with a number beside them: a hand moves the slider, and a keyboard or a screen reader uses the number.

The handles of the sliders of ipywidgets have no name for screen readers. The field of a number has one.
"""

import math
from collections.abc import Callable
from typing import Any

import ipywidgets

__all__ = ["NAME_STYLE", "RangePicker", "ValuePicker", "choose_step"]

SLIDER_STEPS = 500
"""Steps of the slider over a run, at most: finer than a hand can set."""

DECIMALS = 3
"""Of a number that is shown."""

NAME_STYLE = {"description_width": "110px"}


class RangePicker(ipywidgets.HBox):  # type: ignore[misc]
    """A range of time, in seconds.

    Parameters
    ----------
    name : str
        Stands before the fields, such as ``B`` in *B from (s)*.
    on_change : callable
        Called with both ends after each change by a hand.
    """

    def __init__(self, name: str, tooltip: str, *, on_change: Callable[[float, float], None]) -> None:
        self._on_change = on_change
        self._is_updating = False
        self.slider = ipywidgets.FloatRangeSlider(
            continuous_update=False, readout=False, tooltip=tooltip, layout={"width": "330px", "max_width": "100%"}
        )
        names = [f"{name} from (s)", f"{name} to (s)"] if name else ["From (s)", "To (s)"]
        self.start, self.end = (
            ipywidgets.BoundedFloatText(
                description=each, tooltip=tooltip, style={"description_width": "76px"}, layout={"width": "176px"}
            )
            for each in names
        )
        super().__init__([self.start, self.end, self.slider], layout={"flex_flow": "row wrap"})
        self.slider.observe(self._on_slider, names="value")
        self.start.observe(self._on_number, names="value")
        self.end.observe(self._on_number, names="value")

    def show(self, start_s: float, end_s: float, *, length_s: float) -> None:
        """Show a range of a run; ends before value, since a slider refuses a value outside of its ends."""
        length_s = max(length_s, 1e-3)
        self._is_updating = True
        try:
            if self.slider.max != length_s:
                self.slider.value = (0.0, 0.0)
                self.slider.max = self.start.max = self.end.max = length_s
            self.slider.step = self.start.step = self.end.step = choose_step(length_s)
            self.slider.value = (start_s, max(end_s, start_s))
            self.start.value, self.end.value = round(start_s, DECIMALS), round(end_s, DECIMALS)
        finally:
            self._is_updating = False

    def _on_slider(self, change: Any) -> None:
        shown = (self.start.value, self.end.value)
        if not self._is_updating and tuple(round(end, DECIMALS) for end in change["new"]) != shown:
            self._on_change(*change["new"])

    def _on_number(self, change: Any) -> None:
        if not self._is_updating:
            self._on_change(self.start.value, self.end.value)


class ValuePicker(ipywidgets.HBox):  # type: ignore[misc]
    """One number with a slider.

    Parameters
    ----------
    name, tooltip : str
        What it is.
    low, high, step : float
        Ends and steps of the slider.
    on_change : callable
        Called after each change by a hand.
    """

    def __init__(
        self, name: str, tooltip: str, *, low: float, high: float, step: float, on_change: Callable[[], None]
    ) -> None:
        self._on_change = on_change
        self._is_updating = False
        self._value = low
        ends = {"min": low, "max": high, "step": step, "tooltip": tooltip}
        self.number = ipywidgets.BoundedFloatText(description=name, style=NAME_STYLE, layout={"width": "220px"}, **ends)
        self.slider = ipywidgets.FloatSlider(readout=False, layout={"width": "240px", "max_width": "100%"}, **ends)
        super().__init__([self.number, self.slider], layout={"flex_flow": "row wrap"})
        for part in (self.number, self.slider):
            part.observe(self._handle_change, names="value")

    @property
    def value(self) -> float:
        """The number."""
        return self._value

    def show(self, value: float, *, high: float | None = None) -> None:
        """Show a number; ``high`` is a new end of the slider."""
        self._is_updating = True
        self._value = value = round(value, DECIMALS)
        try:
            for part in (self.number, self.slider):
                part.max = max(high or part.max, value)
                part.value = value
        finally:
            self._is_updating = False

    def _handle_change(self, change: Any) -> None:
        """Take a new number; a browser sends a slider's value back with an error in its last digit."""
        value = round(change["new"], DECIMALS)
        if self._is_updating or value == self._value:
            return
        self.show(value)
        self._on_change()


def choose_step(length_s: float) -> float:
    """Return a round number of seconds to move by."""
    rough = length_s / SLIDER_STEPS
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * each for each in (1, 2, 5, 10) if power * each >= rough)
