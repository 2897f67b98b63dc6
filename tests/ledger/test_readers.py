"""Every reader of Parquet opens a table of a ledger with a plain call, whatever its services are called."""

import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import dask.dataframe as dd
import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from ledger_rows import NEW_YEAR, run_row, sample_row

from memanalysis.ledger.maintenance.compact import compact_ledger
from memanalysis.ledger.paths import slug_of_service
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter

HOSTILE = (
    *("api", "API", "Api", "a b", "a/b", "/", "..", "../../x<script>", "100%", "%41", "a=b", "service=x", "x" * 300),
    *("\u00e4" * 300, "\u00fcber", "u\u0308ber", "\U0001f600", "NULL", "null", "100", "1e5", "2025-01-01"),
    *(
        "true",
        "nan",
        "a\0b",
        "a\nb",
        "__HIVE_DEFAULT_PARTITION__",
        ".hidden",
        "_hidden",
        "con",
        "api.",
        "epoch",
        "infinity",
    ),
)
ROWS = 3


def read_with_pandas(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder)


def read_with_pyarrow(folder: Path) -> pd.DataFrame:
    return pq.read_table(folder).to_pandas()


def read_with_duckdb(folder: Path) -> pd.DataFrame:
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.read_parquet(f"{folder}/*/*.parquet").df()


def read_with_duckdb_and_its_partitions(folder: Path) -> pd.DataFrame:
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.read_parquet(f"{folder}/*/*.parquet", hive_partitioning=True).df()


def read_with_polars(folder: Path) -> pd.DataFrame:
    return pd.DataFrame(pl.read_parquet(folder).to_dicts())


def read_with_dask(folder: Path) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The inplace keyword")  # Dask's own call of pandas
        return dd.read_parquet(folder).compute(scheduler="synchronous")


READERS = (
    *(read_with_pandas, read_with_pyarrow, read_with_polars, read_with_dask),
    *(read_with_duckdb, read_with_duckdb_and_its_partitions),
)


def write(root: Path, services: tuple[str, ...]) -> None:
    """A sealed run of each service, and one that is still written, whose rows count from 100."""
    for number, service in enumerate(services):
        for run_id, first in ((f"sealed{number}", 0), (f"live{number}", 100)):
            writer = LedgerWriter(root, run=run_row(service, run_id), flush="manual")
            writer.append("samples", [sample_row(first + seq) for seq in range(ROWS)])
            writer.close(ended=NEW_YEAR, seal=not first)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("readers") / "ledger"
    write(root, HOSTILE)
    return root


def summarize(samples: pd.DataFrame) -> dict[str, tuple[int, int]]:
    grouped = samples.groupby(samples["service"].astype(object))["rss_bytes"].agg(["count", "sum"])
    return {str(service): (int(row["count"]), int(row["sum"])) for service, row in grouped.iterrows()}


@pytest.mark.slow
@pytest.mark.parametrize("read", READERS)
def test_a_plain_call_gives_the_sealed_rows_of_every_service(root: Path, read: Callable[[Path], pd.DataFrame]) -> None:
    """``sample_row`` has 1024 bytes a number."""
    samples = read(root / "samples")

    assert summarize(samples) == {service: (ROWS, 1024 * sum(range(ROWS))) for service in HOSTILE}
    if read is read_with_duckdb:  # decides by the paths whether it shows partitions
        return
    keys = {str(service): str(key) for service, key in zip(samples["service"], samples["service_key"], strict=True)}
    assert keys == {service: slug_of_service(service) for service in HOSTILE}


@pytest.mark.parametrize("service", ["100", "2025-01-01", "1e5", "NULL", "true", "nan", "epoch", "infinity", "API"])
def test_the_only_service_of_a_ledger_keeps_its_name_in_every_reader(tmp_path: Path, service: str) -> None:
    """Where every folder's name looks like a number or a date, readers take it for one."""
    write(tmp_path, (service,))

    for read in READERS:
        assert summarize(read(tmp_path / "samples")) == {service: (ROWS, 1024 * sum(range(ROWS)))}, read.__name__


def test_live_lines_are_read_by_duckdb_from_their_own_folder(root: Path) -> None:
    with duckdb.connect() as connection:
        lines = connection.read_json(f"{root}/live/samples/*/*.jsonl", format="newline_delimited")
        found = lines.aggregate("service, count(*), sum(rss_bytes)::bigint").fetchall()

    assert {service: (count, total) for service, count, total in found} == {
        service: (ROWS, 1024 * (300 + sum(range(ROWS)))) for service in HOSTILE
    }


def test_open_ledger_gives_live_and_sealed_rows_and_every_name(root: Path) -> None:
    ledger = open_ledger(root)

    assert ledger.services == sorted(HOSTILE)
    assert ledger.samples["service"].value_counts().to_dict() == dict.fromkeys(HOSTILE, 2 * ROWS)
    for service in ("API", "..", "\u00fcber"):
        assert ledger.read("samples", services=[service])["service"].tolist() == [service] * 2 * ROWS
    assert ledger.damage == []


@pytest.mark.slow
def test_a_merged_ledger_opens_with_a_plain_call(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "ledger")
    compact_ledger(tmp_path / "ledger")

    for read in READERS:
        assert len(read(tmp_path / "ledger" / "samples")) == 2 * ROWS * len(HOSTILE), read.__name__


SPARK = """
import sys
from pyspark.sql import SparkSession
builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
builder = builder.config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
spark = builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
for row in spark.read.parquet(sys.argv[1]).groupBy("service", "service_key").count().collect():
    print("row", ascii((row["service"], row["service_key"], row["count"])))
spark.stop()
"""


@pytest.mark.skipif(shutil.which("java") is None or find_spec("pyspark") is None, reason="needs pyspark and a JDK")
def test_spark_reads_every_name_with_a_plain_call(root: Path) -> None:
    command = [sys.executable, "-c", SPARK, str(root / "samples")]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True).stdout

    found = {line for line in answer.splitlines() if line.startswith("row ")}
    assert found == {f"row {(service, slug_of_service(service), ROWS)!a}" for service in HOSTILE}
