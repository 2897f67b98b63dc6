"""Answers of Prometheus to range queries: columns, services and times of runs, and every way to be wrong."""

import json
from typing import Any

import pytest

from memanalysis.errors import LedgerFormatError
from memanalysis.exchange.prometheus_range import parse_prometheus

AT = 1_735_689_600.0  # 2025-01-01T00:00:00Z


def answer(*series: dict[str, Any]) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": list(series)}}).encode()


def series(name: str | None, *values: str, step_s: float = 15, **labels: str) -> dict[str, Any]:
    metric = labels | ({} if name is None else {"__name__": name})
    return {"metric": metric, "values": [[AT + step_s * at, value] for at, value in enumerate(values)]}


def test_a_series_of_a_process_is_a_run_of_its_job() -> None:
    """Prometheus prints large numbers with an exponent; 2.8311552e+07 bytes are 27 MiB."""
    found = series(
        "process_resident_memory_bytes", "2.8311552e+07", "NaN", "28315648", job="api", instance="10.0.0.1:80"
    )

    (run,), left_out = parse_prometheus(answer(found), name="a.json")

    assert (run.service, run.host, left_out) == ("api", "10.0.0.1:80", [])
    assert [(row["elapsed_s"], row["rss_bytes"]) for row in run.samples] == [
        (0, 27 * 1024**2),
        (15, None),
        (30, 28_315_648),
    ]
    assert run.started == AT


def test_a_container_has_its_limit_and_the_name_of_its_app() -> None:
    labels = {"job": "kubelet", "pod": "shop-7d9-x", "container": "shop"}
    (run,), left_out = parse_prometheus(
        answer(
            series("container_memory_rss", "5", "6", **labels),
            series("container_spec_memory_limit_bytes", "1000", "0", **labels),
            series("container_memory_working_set_bytes", "7", "8", **labels),
            series("container_threads", "3", "4", container="other"),
        ),
        name="a.json",
    )

    assert (run.service, run.host) == ("shop", "shop-7d9-x")
    assert [(row["rss_bytes"], row["limit_bytes"]) for row in run.samples] == [(7, 1000), (8, None)]
    assert left_out == [
        "container_memory_rss, where another metric of a series is its memory",
        "container_threads, where no memory has its labels",
    ]


def test_the_list_that_promtool_prints_is_read_too() -> None:
    content = json.dumps([series("process_resident_memory_bytes", "4096", "0", job="api")]).encode()

    (run,), _ = parse_prometheus(content, name="a.json")

    assert [row["rss_bytes"] for row in run.samples] == [4096, None]


def test_each_series_is_a_run_of_its_own_and_a_label_or_name_may_be_given() -> None:
    content = answer(
        *(series("process_resident_memory_bytes", "1", job="web", team="a", instance=str(at)) for at in range(3))
    )

    runs, _ = parse_prometheus(content, name="a.json", service_label="team")

    assert [(run.service, run.host) for run in runs] == [("a", "0"), ("a", "1"), ("a", "2")]
    assert len({run.key for run in runs}) == 3
    assert parse_prometheus(content, name="a.json", service="mine")[0][0].service == "mine"


def test_a_series_of_an_expression_is_memory_where_that_is_said() -> None:
    content = answer(series(None, "4096", pod="p1"))

    with pytest.raises(
        LedgerFormatError, match=r"a\.json: data\.result\[0\]: needs a metric of process_resident_memory"
    ):
        parse_prometheus(content, name="a.json")
    (run,), _ = parse_prometheus(content, name="a.json", is_memory=True)
    assert (run.service, run.samples[0]["rss_bytes"]) == ("p1", 4096)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b'{"status":\n\n nope}', r"a\.json:3: needs the JSON of a range query, but it breaks at column 2"),
        (b"[" * 100_000, r"a\.json: needs the JSON of a range query, but it cannot be read"),
        (b"{}", r"a\.json: needs a range query that succeeded, but has no answer of Prometheus"),
        (b'{"status": "error", "error": "bad step"}', r"but has the error 'bad step'"),
        (b'{"status": "success", "data": {"resultType": "vector", "result": []}}', "needs a result of type 'matrix'"),
        (answer(), r"a\.json: needs series of memory, but has none\."),
        (answer({"metric": {}, "histograms": []}), r"data\.result\[0\]: needs metric and values"),
        (answer(series("container_threads", "-1", job="x")), r"data\.result\[0\]\.values\[0\]: needs epoch"),
        (answer({"metric": {"__name__": "container_threads"}, "values": [[AT, "1", 2]]}), r"values\[0\]: needs epoch"),
        (answer({"metric": {"__name__": "container_threads"}, "values": [[True, "1"]]}), r"values\[0\]: needs epoch"),
        (answer(*[series("container_threads", "1", job="x")] * 2), r"data\.result\[1\]: has metric and labels of an"),
        (answer(series("process_resident_memory_bytes", "1", team="a")), "needs a label container or app or service"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_wrong_is_one_error_with_its_place(content: bytes, error: str) -> None:
    with pytest.raises(LedgerFormatError, match=error):
        parse_prometheus(content, name="a.json")
