"""An endpoint that Prometheus scrapes: the figures of one service, by the official client, in a registry of its own.

One daemon thread answers one request after another. A client that stalls is cut off after some seconds, and at once
when the run ends. A forked child closes the port at the fork. A program that closes every descriptor, as daemons do,
ends the endpoint, and what it opens under that number is left alone.
"""

import os
import selectors
import socket
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from memanalysis._descriptors import OwnDescriptor
from memanalysis.errors import MissingDependencyError
from memanalysis.policy.exported_metrics import ALERTS_TOTAL, LEVEL_LABEL, SERVICE_LABEL
from memanalysis.response.exports.service_figures import GAUGES, ServiceFigures

__all__ = ["PrometheusEndpoint"]

CLIENT_TIMEOUT_S = 2.0
"""A client that is silent for so long is cut off, so that the next one is answered."""

CHECK_INTERVAL_S = 1.0
"""How often the thread checks that the descriptor is still the endpoint's, and waits where the system refuses one."""

END_TIMEOUT_S = 5.0


class PrometheusEndpoint:
    """Serves the figures of a service until `end`.

    Parameters
    ----------
    figures : ServiceFigures
        What is exported.
    address : str
        IP address of an interface of this machine.
    port : int
        0 takes a free one.

    Attributes
    ----------
    url : str
        Where it is scraped.

    Raises
    ------
    MissingDependencyError
        ``prometheus-client`` is not installed.
    OSError
        The port is in use, or the address is not of this machine.
    RuntimeError
        The system refuses a thread.
    """

    def __init__(self, figures: ServiceFigures, *, address: str, port: int) -> None:
        self._answer = _make_handler(figures)
        self._is_ending = threading.Event()
        self._client: _OwnSocket | None = None
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listening = _OwnSocket(socket.create_server((address, port), family=family), timeout_s=0)
        shown = f"[{address}]" if ":" in address else address
        self.url = f"http://{shown}:{self._listening.socket.getsockname()[1]}/metrics"
        self._thread = threading.Thread(target=self._serve, name="memanalysis-prometheus", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self._listening.close()
            raise
        _close_at_fork(self)

    def end(self) -> None:
        """Stop serving, and cut off a client that is being answered."""
        self._is_ending.set()
        for one in (self._listening, self._client):
            if one is not None:
                one.shut_down()
        self._thread.join(END_TIMEOUT_S)
        self._listening.close()
        _endpoints.discard(self)

    def close_in_child(self) -> None:
        """Close in a forked child what is the parent's."""
        for one in (self._listening, self._client):
            if one is not None:
                one.close()

    def _serve(self) -> None:
        kind = getattr(selectors, "PollSelector", selectors.SelectSelector)  # neither has a descriptor
        with kind() as selector:
            selector.register(self._listening.socket.fileno(), selectors.EVENT_READ)
            while not self._is_ending.is_set() and self._listening.is_ours():
                if selector.select(CHECK_INTERVAL_S) and self._listening.is_ours():
                    self._serve_next()

    def _serve_next(self) -> None:
        try:
            accepted, client = self._listening.socket.accept()
        except BlockingIOError:  # the client is gone
            return
        except OSError:  # the process may have no more descriptors, for example
            self._is_ending.wait(CHECK_INTERVAL_S)
            return
        self._client = one = _OwnSocket(accepted, timeout_s=CLIENT_TIMEOUT_S)
        try:
            if not self._is_ending.is_set():
                self._answer(one.socket, client, self)
        except Exception:  # noqa: S110 - a client that went away or stalls is no error of the program
            pass
        finally:
            self._client = None
            one.shut_down()
            one.close()


class _OwnSocket:
    """A socket that is closed only while its descriptor is its own."""

    def __init__(self, made: socket.socket, *, timeout_s: float) -> None:
        self._owned = None if sys.platform == "win32" else OwnDescriptor(made.detach())
        self.socket = made if self._owned is None else socket.socket(fileno=self._owned.number)
        self.socket.settimeout(timeout_s)

    def is_ours(self) -> bool:
        return self._owned is None or self._owned.stat() is not None

    def shut_down(self) -> None:
        """Wake whoever waits for it."""
        if self.is_ours():
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self.is_ours():
            self.socket.close()
        else:
            self.socket.detach()


def _make_handler(figures: ServiceFigures) -> Any:
    try:
        from prometheus_client import CollectorRegistry, MetricsHandler
    except ImportError as exc:
        raise MissingDependencyError(
            "alerts.prometheus needs prometheus-client, which is not installed. "
            "Run: pip install 'memanalysis[prometheus]'."
        ) from exc
    own = CollectorRegistry(auto_describe=False)
    own.register(_Collector(figures))

    class Handler(MetricsHandler):
        registry = own
        timeout = CLIENT_TIMEOUT_S

    return Handler


class _Collector:
    """Gives the client the figures as they are at a scrape."""

    def __init__(self, figures: ServiceFigures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        figures = self._figures
        for gauge in GAUGES:
            value = gauge.read(figures)
            if value is not None:
                family = GaugeMetricFamily(gauge.name, gauge.meaning, labels=[SERVICE_LABEL])
                family.add_metric([figures.service], value)
                yield family
        counter = CounterMetricFamily(
            ALERTS_TOTAL, "Alerts that went out in this run.", labels=[SERVICE_LABEL, LEVEL_LABEL]
        )
        for level, count in dict(figures.alert_counts).items():
            counter.add_metric([figures.service, level], count)
        yield counter


_endpoints: "weakref.WeakSet[PrometheusEndpoint]" = weakref.WeakSet()
_has_fork_hook = False


def _close_at_fork(endpoint: PrometheusEndpoint) -> None:
    """Have a forked child close the port at once: else it is held open there after its end here."""
    global _has_fork_hook
    _endpoints.add(endpoint)
    if not _has_fork_hook and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_close_in_child)
        _has_fork_hook = True


def _close_in_child() -> None:
    for endpoint in list(_endpoints):
        endpoint.close_in_child()
    _endpoints.clear()
