"""The figures are scraped over loopback as Prometheus reads them, and nothing is left of the endpoint."""

import os
import re
import socket
from urllib.request import urlopen

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.policy.model import parse_policy
from memanalysis.policy.prometheus_rules import make_alert_rules
from memanalysis.response.exports.prometheus_endpoint import PrometheusEndpoint
from memanalysis.response.exports.service_figures import ServiceFigures
from memanalysis.units import MIB
from memanalysis.watcher.watch import watch


def scrape(url):
    with urlopen(url, timeout=60) as answer:  # noqa: S310 - our own server
        text = answer.read().decode()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def can_connect(url):
    port = int(re.search(r":(\d+)/", url)[1])
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def watch_served(tmp_path, *, port=0):
    policy = {
        "memory_budgets": {"services": {"api": "1MB"}},
        "leak_detection": {"enabled": False},
        "alerts": {"channels": ["prometheus"], "prometheus": {"port": port}},
    }
    return watch("api", ledger=tmp_path / "ledger", policy=policy, interval=60, trace="off", seal=False)


def test_what_is_known_is_scraped_by_its_name_and_service():
    figures = ServiceFigures('a "b"', used_bytes=110.0, budget_bytes=100.0, alert_counts={"critical": 2})
    endpoint = PrometheusEndpoint(figures, address="127.0.0.1", port=0)
    try:
        first = scrape(endpoint.url)
        figures.severity = "critical"
        second = scrape(endpoint.url)
    finally:
        endpoint.end()

    service = ("service", 'a "b"')
    known = {
        ("memanalysis_memory_bytes", service): 110.0,
        ("memanalysis_budget_bytes", service): 100.0,
        ("memanalysis_headroom_bytes", service): -10.0,
        ("memanalysis_alerts_total", ("level", "critical"), service): 2.0,
    }
    assert first == known
    assert second == known | {("memanalysis_leak_severity", service): 4.0}
    assert not can_connect(endpoint.url)


def test_a_client_that_is_silent_does_not_hold_up_the_end():
    endpoint = PrometheusEndpoint(ServiceFigures("api"), address="127.0.0.1", port=0)
    port = int(re.search(r":(\d+)/", endpoint.url)[1])
    with socket.create_connection(("127.0.0.1", port)):
        endpoint.end()

    assert not endpoint._thread.is_alive()


def test_a_client_that_sends_what_is_no_request_leaves_the_next_one_its_answer(capfd):
    endpoint = PrometheusEndpoint(ServiceFigures("api", used_bytes=1.0), address="127.0.0.1", port=0)
    port = int(re.search(r":(\d+)/", endpoint.url)[1])
    try:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"\x00\xff\r\n\r\n")
        found = scrape(endpoint.url)
    finally:
        endpoint.end()

    assert found["memanalysis_memory_bytes", ("service", "api")] == 1.0
    assert capfd.readouterr() == ("", "")


def test_a_run_serves_what_the_alert_rules_ask_for_until_it_ends(tmp_path):
    before = {family.name for family in REGISTRY.collect()}
    with watch_served(tmp_path) as recorder:
        url = recorder.status().metrics_url
        found = scrape(url)
        policy = recorder.policy
    rules = " ".join(rule["expr"] for rule in make_alert_rules(policy)["groups"][0]["rules"])

    assert url.startswith("http://127.0.0.1:")
    assert set(re.findall(r"memanalysis_\w+", rules)) <= {name for name, *_ in found}
    assert found["memanalysis_budget_bytes", ("service", "api")] == MIB
    assert recorder.status().metrics_url is None
    assert not can_connect(url)
    assert {family.name for family in REGISTRY.collect()} == before


def test_nothing_is_served_until_the_policy_asks_for_it(tmp_path):
    with watch("api", ledger=tmp_path / "ledger", policy=parse_policy({}), trace="off", seal=False) as recorder:
        assert recorder.status().metrics_url is None


def test_a_port_in_use_is_an_event_and_the_run_goes_on(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with watch_served(tmp_path, port=port) as recorder:
            status = recorder.status()

    errors = open_ledger(tmp_path / "ledger").events.query("kind == 'error'")["message"].tolist()
    assert (status.running, status.metrics_url) == (True, None)
    assert len(errors) == 1
    assert f"port {port}" in errors[0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.slow
def test_a_program_that_closes_every_descriptor_or_forks_keeps_what_it_opens(run_program):
    program = (
        "import os, re, socket\n"
        "from memanalysis import watch\n"
        "policy = {'leak_detection': {'enabled': False}}\n"
        "policy |= {'alerts': {'channels': ['prometheus'], 'prometheus': {'port': 0}}}\n"
        "def find_port(recorder):\n"
        "    return int(re.search(r':(\\d+)/', recorder.status().metrics_url)[1])\n"
        "with watch('api', ledger=None, policy=policy, interval=60, trace='off') as recorder:\n"
        "    port = find_port(recorder)\n"
        "    end, child_end = os.pipe()\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        os.close(child_end)\n"
        "        os.read(end, 1)\n"
        "        os._exit(0)\n"
        "print(socket.socket().connect_ex(('127.0.0.1', port)) != 0)\n"
        "os.close(child_end)\n"
        "os.waitpid(child, 0)\n"
        "with watch('api', ledger=None, policy=policy, interval=60, trace='off') as recorder:\n"
        "    os.closerange(3, 1024)\n"
        "    own = [open(f'own-{n}', 'wb', buffering=0) for n in range(1021)]\n"
        "print(all(one.write(b'x') == 1 for one in own))\n"
    )

    assert run_program(program).stdout == "True\nTrue\n"
