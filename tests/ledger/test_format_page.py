"""The page on the format is true: its tables are the schema, and its examples give equal numbers."""

import re
from pathlib import Path

import duckdb
import pytest
from ledger_rows import NEW_YEAR, run_row, sample_row

from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.schema import SCHEMA_VERSION, TABLES

PAGE = (Path(__file__).parents[2] / "docs" / "ledger-format.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("table", TABLES)
def test_the_columns_of_a_table_are_those_of_the_schema(table: str) -> None:
    section = PAGE.split(f"### {table}:")[1].split("\n#")[0]
    columns = re.findall(r"^\| `(\w+)` \| (\w+) \| .+ \|$", section, re.MULTILINE)

    assert columns == list(TABLES[table].items())


def test_the_version_is_the_present_one() -> None:
    assert f"The schema's version is {SCHEMA_VERSION}." in PAGE
    assert f'"schema_version": {SCHEMA_VERSION}}}' in PAGE


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # Dask's own call of pandas
@pytest.mark.parametrize("example", EXAMPLES, ids=["pandas", "pyarrow", "polars", "dask", "duckdb", "memanalysis"])
def test_an_example_runs_and_gives_the_peaks(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for service, n_rows in (("api", 5), ("web/\u00fc", 9)):
        for run_id, seal in (("sealed", True), ("live", False)):
            writer = LedgerWriter("ledger", run=run_row(service, run_id))
            writer.append("samples", [sample_row(seq) for seq in range(n_rows if seal else 3)])
            writer.close(ended=NEW_YEAR, seal=seal)
    names: dict[str, object] = {}

    exec(compile(example, "example", "exec"), names)  # noqa: S102 - the page's own examples

    peaks = [(str(service), int(peak)) for service, peak in names["peaks"]]  # type: ignore[attr-defined]
    assert peaks == [("api", 4096), ("web/\u00fc", 8192)]
    if "live" in names:
        assert names["live"].fetchall() == [("api", 2048), ("web/\u00fc", 2048)]  # type: ignore[attr-defined]
    duckdb.default_connection().close()
