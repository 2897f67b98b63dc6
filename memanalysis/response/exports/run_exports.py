"""Which exports a policy wants: begun with a run, another one when the policy changes, ended with the run."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from memanalysis.errors import MissingDependencyError
from memanalysis.policy.model import AlertsPolicy
from memanalysis.response.exports.service_figures import ServiceFigures

if TYPE_CHECKING:
    from memanalysis.response.exports.otlp import MetricPush
    from memanalysis.response.exports.prometheus_endpoint import PrometheusEndpoint

__all__ = ["RunExports"]


class RunExports:
    """Exports the figures of one service as its policy defines.

    Parameters
    ----------
    figures : ServiceFigures
        What is exported; changed from outside.
    monotonic : callable
        Seconds that only go forward.
    """

    def __init__(self, figures: ServiceFigures, *, monotonic: Callable[[], float]) -> None:
        self._figures = figures
        self._monotonic = monotonic
        self._push: MetricPush | None = None
        self._endpoint: PrometheusEndpoint | None = None

    @property
    def metrics_url(self) -> str | None:
        """Where the figures can be scraped; None where they are not served."""
        return None if self._endpoint is None else self._endpoint.url

    def begin(self, policy: AlertsPolicy, report: Callable[[str], None]) -> None:
        """Begin what a policy wants; what cannot begin is reported with its cure."""
        self._push, self._endpoint = None, None
        if "opentelemetry" in policy.channels:
            try:
                self._push = self._make_push(policy, report)
            except MissingDependencyError as exc:
                report(f"Figures are not exported: {exc}")
        if "prometheus" in policy.channels:
            address, port = policy.prometheus.address, policy.prometheus.port
            try:
                from memanalysis.response.exports.prometheus_endpoint import PrometheusEndpoint

                self._endpoint = PrometheusEndpoint(self._figures, address=address, port=port)
            except MissingDependencyError as exc:
                report(f"Figures are not served: {exc}")
            except (OSError, RuntimeError) as exc:
                cure = "Change alerts.prometheus.port, or write 0 for a free one."
                report(f"Figures are not served at {address}, port {port}: {exc}. {cure}")

    def wake(self) -> None:
        """Push what is due; to be called at each tick."""
        if self._push is not None:
            self._push.wake()

    def end(self) -> None:
        """End all exports, with the last figures."""
        push, self._push = self._push, None
        endpoint, self._endpoint = self._endpoint, None
        if endpoint is not None:
            endpoint.end()
        if push is not None:
            push.end()

    def _make_push(self, policy: AlertsPolicy, report: Callable[[str], None]) -> "MetricPush":
        from memanalysis.response.exports.otlp import MetricPush, load_opentelemetry

        load_opentelemetry()
        return MetricPush(
            self._figures,
            endpoint=os.path.expandvars(policy.opentelemetry.endpoint),
            interval_s=policy.opentelemetry.interval_seconds,
            monotonic=self._monotonic,
            report=report,
        )
