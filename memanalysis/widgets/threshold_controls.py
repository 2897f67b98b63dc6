"""Sliders for the thresholds of a policy: the budget of a service, and the growth from which a leak matters."""

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets

from memanalysis.analysis.budgets.budget_breaches import Budget
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.policy.model import Policy
from memanalysis.schema import Sensitivity
from memanalysis.units import MIB
from memanalysis.verdicts.sources import find_budgets, find_rules
from memanalysis.widgets.explorer_view import Judging
from memanalysis.widgets.number_controls import NAME_STYLE, ValuePicker

__all__ = ["ThresholdControls"]

DEFAULT_PERCENTS = (80, 95)
"""Warning and critical threshold of the shipped policy, where no policy is given."""

BUDGET_REACH = 4
"""The slider of the budget goes up to this many times the most that a run used, or twice the policy's."""

SENSITIVITIES: tuple[Sensitivity, ...] = ("low", "medium", "high")


class ThresholdControls(ipywidgets.Accordion):  # type: ignore[misc]
    """The sliders, folded away at first.

    Parameters
    ----------
    policy : Policy or None
        Where they stand at first.
    on_change : callable
        Called after each change by a hand.
    """

    def __init__(self, policy: Policy | None, *, on_change: Callable[[], None]) -> None:
        self._policy = policy
        self._on_change = on_change
        self.budget = ValuePicker(
            "Budget (MiB)", "Budget of the service in MiB; 0 is none", low=0, high=1, step=1, on_change=on_change
        )
        self.warning, self.critical = (
            ValuePicker(
                f"{name} (%)",
                f"Percent of the budget from which the service is at its {name.lower()} level",
                low=1,
                high=100,
                step=1,
                on_change=on_change,
            )
            for name in ("Warning", "Critical")
        )
        self.growth = ValuePicker(
            "Growth (MiB)",
            "Growth over the range from which a leak is of medium severity",
            low=0.5,
            high=100,
            step=0.5,
            on_change=on_change,
        )
        self.growth_percent = ValuePicker(
            "Growth (%)",
            "Growth in percent from which a leak is of medium severity",
            low=1,
            high=100,
            step=1,
            on_change=on_change,
        )
        self.sensitivity = ipywidgets.Dropdown(
            description="Sensitivity",
            options=SENSITIVITIES,
            tooltip="Sensitivity of the severity",
            layout={"width": "220px"},
            style=NAME_STYLE,
        )
        self.reset_button = ipywidgets.Button(
            description="As the policy", tooltip="Set all thresholds as the policy has them", layout={"width": "150px"}
        )
        controls = (self.budget, self.warning, self.critical, self.growth, self.growth_percent, self.sensitivity)
        self._is_updating = False
        super().__init__([ipywidgets.VBox([*controls, self.reset_button])], selected_index=None)
        self.set_title(0, "Thresholds")
        self._shown: tuple[str, float, Callable[[], Mapping[str, float]]] = ("", 0.0, dict)
        self._metric = "auto"
        self.sensitivity.observe(self._handle_change, names="value")
        self.reset_button.on_click(lambda _: self._reset())

    @property
    def judging(self) -> Judging:
        """The thresholds as the sliders stand."""
        budget_bytes = self.budget.value * MIB
        budget = Budget(
            max_bytes=budget_bytes,
            warning_bytes=budget_bytes * min(self.warning.value, self.critical.value) / 100,
            critical_bytes=budget_bytes * self.critical.value / 100,
            metric=self._metric,
        )
        rules = SeverityRules(
            growth_bytes=self.growth.value * MIB,
            growth_percent=self.growth_percent.value,
            sensitivity=self.sensitivity.value,
        )
        return Judging(budget=budget if budget_bytes else None, rules=rules)

    def show_service(
        self, service: str, *, highest_bytes: float, find_limits: Callable[[], Mapping[str, float]]
    ) -> None:
        """Set the sliders as the policy has them for a service.

        Parameters
        ----------
        service : str
        highest_bytes : float
            The most it used, which sets the end of the budget's slider.
        find_limits : callable
            Gives the recorded limit of each service.
        """
        self._shown = (service, highest_bytes, find_limits)
        budget = find_budgets(self._policy, [service], find_limits=find_limits).get(service)
        self._metric = "auto" if budget is None else budget.metric
        rules = find_rules(self._policy)
        max_bytes = 0.0 if budget is None else budget.max_bytes
        percents: tuple[float, ...] = DEFAULT_PERCENTS
        if budget is not None:
            percents = tuple(100 * size / max_bytes for size in (budget.warning_bytes, budget.critical_bytes))
        self.budget.show(max_bytes / MIB, high=round(max(BUDGET_REACH * highest_bytes, 2 * max_bytes) / MIB) + 1)
        self.warning.show(percents[0])
        self.critical.show(percents[1])
        self.growth.show(rules.growth_bytes / MIB)
        self.growth_percent.show(rules.growth_percent)
        self._is_updating = True
        try:
            self.sensitivity.value = rules.sensitivity
        finally:
            self._is_updating = False

    def _reset(self) -> None:
        service, highest_bytes, find_limits = self._shown
        self.show_service(service, highest_bytes=highest_bytes, find_limits=find_limits)
        self._on_change()

    def _handle_change(self, change: Any) -> None:
        if not self._is_updating:
            self._on_change()
