"""Alerts and figures reach a real collector by OTLP over HTTP, and the program's OpenTelemetry stays its own."""

import pytest
from alert_servers import Received, find_free_port, serve_http
from opentelemetry import metrics
from opentelemetry._logs import get_logger_provider
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.response.alerts.alert import Alert
from memanalysis.response.exports.otlp import CollectorRefusedError, MetricPush, send_as_log_record
from memanalysis.response.exports.service_figures import ServiceFigures
from memanalysis.units import MIB
from memanalysis.watcher.watch import watch

pytestmark = pytest.mark.slow


def read_points(bodies):
    """Give each data point of the metrics that came: name, labels and value."""
    requests = [ExportMetricsServiceRequest.FromString(body) for path, body in bodies if path == "/v1/metrics"]
    points = []
    for request in requests:
        (resource,) = request.resource_metrics
        for metric in resource.scope_metrics[0].metrics:
            data = metric.gauge if metric.HasField("gauge") else metric.sum
            for point in data.data_points:
                labels = {each.key: each.value.string_value for each in point.attributes}
                value = getattr(point, point.WhichOneof("value"))
                points.append((metric.name, labels, value))
    return points


def read_records(bodies):
    requests = [ExportLogsServiceRequest.FromString(body) for path, body in bodies if path == "/v1/logs"]
    return [
        record
        for one in requests
        for each in one.resource_logs
        for logs in each.scope_logs
        for record in logs.log_records
    ]


def test_an_alert_is_a_log_record_with_its_facts():
    port, received = find_free_port(), Received()
    alert = Alert("critical", "api", "api uses 97 MB of 100 MB.", 1_700_000_000.5, current_bytes=97 * MIB)
    with serve_http(port, received):
        send_as_log_record(alert, f"http://127.0.0.1:{port}/")

    (record,) = read_records(received.bodies)
    facts = {each.key: each.value for each in record.attributes}
    assert (record.severity_number, record.severity_text) == (17, "critical")  # ERROR in the log data model
    assert record.body.string_value == "api uses 97 MB of 100 MB."
    assert record.time_unix_nano == 1_700_000_000_500_000_000
    assert facts["memanalysis.cue_id"].string_value == alert.cue_id
    assert facts["memanalysis.current_bytes"].int_value == 97 * MIB
    assert "memanalysis.held_by" not in facts


def test_an_alert_that_the_collector_refuses_has_not_arrived():
    port, received = find_free_port(), Received()
    with serve_http(port, received, status=400), pytest.raises(CollectorRefusedError):
        send_as_log_record(Alert("warning", "api", "grows", 0.0), f"http://127.0.0.1:{port}")


def test_known_figures_are_pushed_when_it_is_time_and_at_the_end():
    moments = [0.0]
    port, received, problems = find_free_port(), Received(), []
    figures = ServiceFigures("api", used_bytes=110.0, budget_bytes=100.0, severity="high")
    with serve_http(port, received):
        push = MetricPush(
            figures, endpoint=f"http://127.0.0.1:{port}", interval_s=60, monotonic=lambda: moments[-1],
            report=problems.append,
        )  # fmt: skip
        push.wake()
        moments.append(60.0)
        push.wake()
        first = read_points(received.wait_for(1))
        figures.slope_bytes_per_s, figures.alert_counts = 2.5, {"warning": 1}
        push.end()

    api = {"service": "api"}
    assert sorted(first) == [
        ("memanalysis_budget_bytes", api, 100.0),
        ("memanalysis_headroom_bytes", api, -10.0),
        ("memanalysis_leak_severity", api, 3),
        ("memanalysis_memory_bytes", api, 110.0),
    ]
    last = read_points(received.bodies[1:])
    assert ("memanalysis_slope_bytes_per_second", api, 2.5) in last
    assert ("memanalysis_alerts_total", {"service": "api", "level": "warning"}, 1) in last
    assert len(received.bodies) == 2
    assert problems == []


def test_a_collector_that_is_down_is_reported_once():
    problems = []
    push = MetricPush(
        ServiceFigures("api", used_bytes=1.0), endpoint=f"http://127.0.0.1:{find_free_port()}", interval_s=60,
        monotonic=lambda: 0.0, report=problems.append,
    )  # fmt: skip
    push._push()
    push.end()

    assert len(problems) == 1
    assert problems[0].startswith("The figures did not reach the collector at http://127.0.0.1:")


def test_a_watched_run_pushes_its_figures_and_alerts_and_leaves_the_providers_alone(tmp_path):
    port, received = find_free_port(), Received()
    policy = {
        "memory_budgets": {"services": {"api": "1MB"}},
        "leak_detection": {"enabled": False},
        "alerts": {"channels": ["opentelemetry"], "opentelemetry": {"endpoint": f"http://127.0.0.1:{port}"}},
    }
    before = metrics.get_meter_provider(), get_logger_provider()
    with (
        serve_http(port, received),
        watch("api", ledger=tmp_path / "ledger", policy=policy, interval=60, trace="off", seal=False),
    ):
        pass

    alerts = open_ledger(tmp_path / "ledger").events.query("kind == 'alert'")
    points = {(name, labels.get("level")): value for name, labels, value in read_points(received.bodies)}
    assert sorted(record.body.string_value for record in read_records(received.bodies)) == sorted(alerts["message"])
    assert points["memanalysis_budget_bytes", None] == MIB
    assert points["memanalysis_memory_bytes", None] > MIB
    assert points["memanalysis_alerts_total", "emergency"] == 1
    assert (metrics.get_meter_provider(), get_logger_provider()) == before
