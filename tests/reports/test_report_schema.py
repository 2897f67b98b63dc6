"""The JSON of a report is what its published schema describes, down to each row: reports of several kinds."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ledger_makers import LedgerMaker

from memanalysis.cli.output_schemas import make_output_schema
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.reports.make_report import report
from memanalysis.units import MIB

START = 1_750_000_000.0
KILLED = {"how": "gone", "seen_by": "parent", "exit_status": -9}
POLICY = {"memory_budgets": {"global": {"max_memory_mb": 100}}}
EVENTS = [
    {"timestamp": START, "kind": "start", "message": "Watching.", "data": {"interval_s": 1.0, "trace": "full"}},
    {"timestamp": START + 5, "kind": "mark", "message": "deploy 1.4"},
    {"timestamp": START + 9, "kind": "window", "level": "info", "data": [1, None, "x"]},
]


def die_over_budget(path: Path) -> None:
    """From 40 MiB it grows by 1 MiB a second, with its line, and is killed above its budget."""
    LedgerMaker(path).add(
        "api",
        lambda at: (40 + at) * MIB,
        n=90,
        sites=[("app/registry.py", 42, "remember", lambda at: at * MIB)],
        events=EVENTS,
        ending=KILLED,
    )


def go_on(path: Path) -> None:
    """From 40 MiB it grows by a tenth of a MiB a second, and goes on."""
    LedgerMaker(path).add("api", lambda at: (40 + at / 10) * MIB, n=120, has_ended=False)


def lose_data(path: Path) -> None:
    """Of two services one has a file that holds no rows, and the other a line that is cut off."""
    maker = LedgerMaker(path)
    maker.add("api", lambda at: 40 * MIB, events=EVENTS)
    maker.add("jobs", lambda at: 40 * MIB, has_ended=False)
    broken = next(path.glob("**/samples/**/*.parquet"))
    broken.write_bytes(b"PAR1 nothing PAR1")
    with next(path.glob("live/samples/**/*.jsonl")).open("ab") as stream:
        stream.write(b'{"seq": 7, "time')


def run_many(path: Path) -> None:
    """Five services of nine runs; in two of them those with release 2 of a library leak, and one run is far larger."""
    number = 0
    for service in ("a", "b", "c", "d", "e"):
        for copied in range(9):
            number += 1
            leaks = service in "ab" and copied % 2 == 0
            row = {
                "run_id": f"r{number}", "service": service, "host": f"h{copied}", "pid": number,
                "started": START + number, "labels": {"library": "2" if leaks else "1"},
            }  # fmt: skip
            writer = LedgerWriter(path, run=row, flush="manual")
            level = 400 if service == "e" and copied == 7 else 40 + copied / 10
            writer.append(
                "samples",
                [
                    {
                        "seq": at, "timestamp": START + number + at, "elapsed_s": float(at), "limit_bytes": 2**30,
                        "rss_bytes": round((level + 0.5 * at * leaks) * MIB),
                    }
                    for at in range(60)
                ],
            )  # fmt: skip
            writer.flush()


KINDS = {
    die_over_budget: ["post_mortem", "breaches", "sites", "events", "budget"],
    go_on: ["forecast", "budget"],
    lose_data: ["damage"],
    run_many: ["fleet", "explanations", "budgets", "growth", "leaks", "peers"],
}
"""Reports, and what each has that others lack: none of these may be empty."""


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = make_output_schema("report")
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def make(kind: Any, folder: Path) -> dict[str, Any]:
    kind(folder / "ledger")
    made: dict[str, Any] = json.loads(report(folder / "ledger", policy=POLICY).to_json())
    return made


def find_objects(value: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Return each object of a document with the key that it stands under; of an event's data none."""
    if isinstance(value, dict):
        yield name, value
        for key, item in value.items():
            if key != "data":
                yield from find_objects(item, key)
    if isinstance(value, list):
        for item in value:
            yield from find_objects(item, name)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_reports_of_each_kind_are_as_the_schema_describes_them(
    tmp_path: Path, validator: Draft202012Validator, kind: Any
) -> None:
    made = make(kind, tmp_path)

    validator.validate(made)
    assert set(KINDS[kind]) <= {name for name, value in find_objects(made) if value}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_object_in_a_report_is_described_in_full(
    tmp_path: Path, validator: Draft202012Validator, kind: Any
) -> None:
    """One key more or less in any of them is refused, wherever it stands."""
    made = make(kind, tmp_path)
    names = [name for name, _ in find_objects(made)]
    for place in {names.index(name) for name in names}:  # the first of each: rows of one table have one description
        more, less = copy.deepcopy(made), copy.deepcopy(made)
        list(find_objects(more))[place][1]["of another version"] = 1
        found = list(find_objects(less))[place][1]
        found.pop(next(iter(found)))

        assert not validator.is_valid(more), names[place]
        assert not validator.is_valid(less), names[place]
