"""Alerts and figures to OpenTelemetry, by OTLP over HTTP: log records and metrics.

All objects are our own: the providers that the program has set, or none, stay as they are. Nothing of the SDK runs in
the background here, so a forked child exports nothing of its parent.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from memanalysis.errors import MemAnalysisError, MissingDependencyError
from memanalysis.policy.exported_metrics import ALERTS_TOTAL, LEVEL_LABEL, SERVICE_LABEL
from memanalysis.response.alerts.alert import Alert, AlertLevel
from memanalysis.response.exports.service_figures import GAUGES, ExportedGauge, ServiceFigures

__all__ = ["CollectorRefusedError", "MetricPush", "load_opentelemetry", "send_as_log_record"]

_LOGGER = logging.getLogger("memanalysis")

SEND_TIMEOUT_S = 3.0
"""For one request, with the repetitions of the exporter."""

END_TIMEOUT_S = 5.0
"""How long the end of a run waits for its last figures."""

_SCOPE = "memanalysis"

_SEVERITY_NUMBERS: dict[AlertLevel, int] = {"warning": 13, "critical": 17, "emergency": 21}
"""WARN, ERROR and FATAL of the log data model of OpenTelemetry."""


class CollectorRefusedError(MemAnalysisError):
    """The collector of OpenTelemetry cannot be reached, or did not take what was sent."""


def load_opentelemetry() -> None:
    """Import what sending needs: at the start of a run, and not when memory is scarce.

    Raises
    ------
    MissingDependencyError
        The SDK of OpenTelemetry or its exporter is not installed.
    """
    try:
        import opentelemetry.exporter.otlp.proto.http._log_exporter
        import opentelemetry.exporter.otlp.proto.http.metric_exporter
        import opentelemetry.sdk._logs
        import opentelemetry.sdk.metrics  # noqa: F401 - loaded for later
    except ImportError as exc:
        raise MissingDependencyError(
            "alerts.opentelemetry needs the SDK of OpenTelemetry, which is not installed. "
            "Run: pip install 'memanalysis[otel]'."
        ) from exc


def send_as_log_record(alert: Alert, endpoint: str) -> None:
    """Send an alert as a log record; its facts are attributes ``memanalysis.<name>``.

    Raises
    ------
    CollectorRefusedError
        It did not arrive.
    """
    from opentelemetry._logs import LogRecord, SeverityNumber
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
    from opentelemetry.sdk._logs.export import LogRecordExportResult

    class Collect(LogRecordProcessor):
        def on_emit(self, log_record: Any) -> None:
            records.append(log_record)

        def shutdown(self) -> None: ...

        def force_flush(self, timeout_millis: int = 0) -> bool:
            return True

    records: list[Any] = []
    provider = LoggerProvider(resource=_make_resource(alert.service), shutdown_on_exit=False)
    provider.add_log_record_processor(Collect())
    facts = {f"{_SCOPE}.{name}": value for name, value in alert.to_mapping().items() if value is not None}
    record = LogRecord(
        timestamp=int(alert.timestamp * 1e9),
        severity_text=alert.level,
        severity_number=SeverityNumber(_SEVERITY_NUMBERS[alert.level]),
        body=alert.message,
        attributes=facts,
        event_name="memanalysis.alert",
    )
    provider.get_logger(_SCOPE).emit(record)
    exporter = OTLPLogExporter(endpoint=_join(endpoint, "v1/logs"), timeout=SEND_TIMEOUT_S)
    try:
        with _uninstrumented():
            result = exporter.export(records)
    finally:
        exporter.shutdown()  # type: ignore[no-untyped-call]
    if result is not LogRecordExportResult.SUCCESS:
        raise CollectorRefusedError(f"The collector at {endpoint} did not take the alert. Read its log.")


class MetricPush:
    """Pushes the figures of a service at an interval, by a thread that lives while it sends.

    Parameters
    ----------
    figures : ServiceFigures
        What is pushed.
    endpoint : str
        Address of the collector, without ``/v1/metrics``.
    interval_s : float
    monotonic : callable
        Seconds that only go forward.
    report : callable
        Notes what fails, once until it succeeds again.
    """

    def __init__(
        self,
        figures: ServiceFigures,
        *,
        endpoint: str,
        interval_s: float,
        monotonic: Callable[[], float],
        report: Callable[[str], None],
    ) -> None:
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader

        self._figures = figures
        self._endpoint = endpoint
        self._interval_s = interval_s
        self._monotonic = monotonic
        self._report = report
        self._is_failing = False
        self._thread: threading.Thread | None = None
        self._next_at = monotonic() + interval_s
        self._reader = InMemoryMetricReader()
        self._provider = MeterProvider([self._reader], _make_resource(figures.service), shutdown_on_exit=False)
        self._add_instruments()

    def wake(self) -> None:
        """Push the figures where it is time; to be called at each tick."""
        now = self._monotonic()
        if now < self._next_at or (self._thread is not None and self._thread.is_alive()):
            return
        self._next_at = now + self._interval_s
        self._start()

    def end(self) -> None:
        """Push the last figures, and end."""
        if self._thread is not None:
            self._thread.join(END_TIMEOUT_S)
        if self._thread is None or not self._thread.is_alive():
            try:
                self._start().join(END_TIMEOUT_S)
            except RuntimeError:  # the interpreter ends, and starts no thread
                self._push()
        self._provider.shutdown()

    def _start(self) -> threading.Thread:
        thread = threading.Thread(target=self._push, name="memanalysis-metrics", daemon=True)
        thread.start()
        self._thread = thread
        return thread

    def _push(self) -> None:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics.export import MetricExportResult

        error = "it refused them"
        try:
            exporter = OTLPMetricExporter(endpoint=_join(self._endpoint, "v1/metrics"), timeout=SEND_TIMEOUT_S)
            try:
                with _uninstrumented():
                    data = self._reader.get_metrics_data()
                    is_taken = data is None or exporter.export(data) is MetricExportResult.SUCCESS
            finally:
                exporter.shutdown()
        except Exception as exc:  # a server, the network or a library of somebody else's failed: the next push may do
            is_taken, error = False, f"{type(exc).__name__}: {exc}"
        if not is_taken and not self._is_failing:
            self._report(f"The figures did not reach the collector at {self._endpoint}, and are sent again: {error}")
        self._is_failing = not is_taken

    def _add_instruments(self) -> None:
        from opentelemetry.metrics import CallbackOptions, Observation

        figures = self._figures
        meter = self._provider.get_meter(_SCOPE)

        def observe(gauge: ExportedGauge) -> Callable[[CallbackOptions], list[Observation]]:
            def read(_: CallbackOptions) -> list[Observation]:
                value = gauge.read(figures)
                return [] if value is None else [Observation(value, {SERVICE_LABEL: figures.service})]

            return read

        def count(_: CallbackOptions) -> list[Observation]:
            return [
                Observation(n, {SERVICE_LABEL: figures.service, LEVEL_LABEL: level})
                for level, n in dict(figures.alert_counts).items()
            ]

        for gauge in GAUGES:
            meter.create_observable_gauge(gauge.name, [observe(gauge)], gauge.unit, gauge.meaning)
        meter.create_observable_counter(ALERTS_TOTAL, [count], "1", "Alerts that went out in this run.")


def _make_resource(service: str) -> Any:
    from opentelemetry.sdk.resources import Resource

    return Resource.create({"service.name": service, "process.pid": os.getpid()})


def _join(endpoint: str, path: str) -> str:
    return f"{endpoint.rstrip('/')}/{path}"


@contextmanager
def _uninstrumented() -> Iterator[None]:
    """Keep the program's own instrumentation from tracing what is sent here."""
    from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value

    token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
    try:
        yield
    finally:
        detach(token)
