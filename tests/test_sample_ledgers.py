"""The sample ledgers are what their README describes: small, neutral, and judged as their programs were written."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from memanalysis import assess, open_ledger, report, trend
from memanalysis.dask import assess_workers
from memanalysis.schema import TABLES

FOLDER = Path(__file__).parent.parent / "sample_ledgers"
EXAMPLES = Path(__file__).parent.parent / "memanalysis" / "examples"

LEDGERS = (
    "leaking_service",
    "warming_cache",
    "batch_job",
    "notebook_session",
    "dask_workers",
    "json_array_ledger.json",
)

MAX_BYTES = 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "verdicts"),
    [
        ("leaking_service", {"leaky_service": ("growing", True, "python")}),
        ("warming_cache", {"warming_cache": ("plateauing", False, "unknown")}),
        ("batch_job", {"batch_job": ("sawtooth", False, "unknown")}),
        ("notebook_session", {"exploration": ("growing", True, "python")}),
        (
            "json_array_ledger.json",
            {"messaging": ("stable", False, "unknown"), "vector_database": ("growing", True, "unknown")},
        ),
    ],
)
def test_each_ledger_is_judged_as_its_program_was_written(
    name: str, verdicts: dict[str, tuple[str, bool, str]]
) -> None:
    found = assess(FOLDER / name).set_index("service")

    assert {service: tuple(found.loc[service, ["shape", "is_leak", "origin"]]) for service in found.index} == verdicts


def test_the_guilty_line_of_the_leaking_service_is_the_one_that_its_author_marked() -> None:
    row = assess(FOLDER / "leaking_service").iloc[0]
    source = (EXAMPLES / "leaky_service.py").read_text(encoding="utf-8").splitlines()

    assert row["responsible_file"].endswith("examples/leaky_service.py")
    assert "# the leak" in source[row["responsible_line"] - 1]


def test_the_guilty_line_of_the_notebook_is_named_by_its_cell() -> None:
    """Cell 4 defines ``evaluate``; its fifth line appends to the list that nobody empties."""
    row = assess(FOLDER / "notebook_session").iloc[0]

    assert (row["responsible_file"], row["responsible_line"], row["responsible_function"]) == ("In[4]", 5, "evaluate")


def test_the_notebook_session_has_a_row_for_each_cell() -> None:
    events = open_ledger(FOLDER / "notebook_session").events
    cells = list(events.query("kind == 'cell'")["data"])

    assert [data["cell"] for data in cells] == [f"In[{number}]" for number in range(3, 21)]
    assert max(data["run_number"] for data in cells) == 14


def test_the_dask_worker_that_leaks_is_named_with_its_tasks() -> None:
    workers = assess_workers(FOLDER / "dask_workers")

    assert workers[["worker", "memory"]].to_numpy().tolist() == [["0", "leak"], ["1", "cache"]]
    assert workers["task_prefix"].tolist() == ["remember", None]
    assert workers["responsible_file"].iloc[0].endswith("examples/dask_tasks.py")


@pytest.mark.slow
def test_report_and_trend_give_the_growth_of_both_dask_workers() -> None:
    """Each grows by 3.7 GiB/h, and the family of both by 7.5 GiB/h."""
    for made in (report(FOLDER / "dask_workers"), trend(FOLDER / "dask_workers")):
        assert "dask-worker grows by 7.5 GiB/h" in made.headline


def test_nothing_of_the_machine_is_in_them() -> None:
    """No absolute path, no host, no kernel release, no file name of a kernel."""
    for name in LEDGERS:
        ledger = open_ledger(FOLDER / name)
        text = "\n".join(ledger.read(table).to_csv() for table in TABLES)
        assert not re.search(r"(?<![\w.])/(?:root|home|work|tmp|usr|opt|var)/", text), name
        assert "ipykernel_" not in text.replace("ipykernel_launcher", "")
        assert ledger.runs["host"].isna().all()
        assert set(ledger.runs["platform"]) <= {"Linux x86_64", "Linux aarch64", "Darwin arm64"}


def test_together_they_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < MAX_BYTES


@pytest.mark.slow
def test_the_script_records_a_ledger_that_reads(tmp_path: Path) -> None:
    """Two seconds of the leaking service: too short for a verdict, long enough for rows of every table."""
    subprocess.run(
        [sys.executable, FOLDER / "record.py", "leaking_service", "--seconds", "2", "--out", tmp_path],
        check=True,
        capture_output=True,
        cwd=FOLDER.parent,
    )

    ledger = open_ledger(tmp_path / "leaking_service")
    assert {table for table in TABLES if len(ledger.read(table))} == set(TABLES)
    assert ledger.sites["file"].str.endswith("examples/leaky_service.py").any()
