"""What could not be read is a row of its service, by its name where the rows have it, and by its folder elsewhere."""

import pandas as pd
import pytest

from memanalysis.analysis.verdict import VERDICT_COLUMNS, VERDICT_DTYPES
from memanalysis.ledger.paths import slug_of_service
from memanalysis.ledger.reading.file_sources import SkippedRows
from memanalysis.verdicts.unreadable import add_unreadable

NOTE = "The service has the name of its folder here: its own could not be read."


def verdicts_of(*services: str) -> pd.DataFrame:
    known = {"shape": "flat", "is_leak": False, "windows": 0, "n_samples": 0}
    rows = [{"service": service, **known} for service in services]
    return pd.DataFrame(rows, columns=list(VERDICT_COLUMNS)).astype(VERDICT_DTYPES)


@pytest.mark.slow
@pytest.mark.parametrize("tree", ["", "live/"])
@pytest.mark.parametrize(
    ("service", "known", "shown", "has_note"),
    [
        ("api", (), "api", False),
        ("Web Shop", ("Web Shop", "api"), "Web Shop", False),
        ("Web Shop", ("api",), slug_of_service("Web Shop"), True),
    ],
)
def test_a_damaged_file_belongs_to_the_service_of_its_folder(
    tree: str, service: str, known: tuple[str, ...], shown: str, has_note: bool
) -> None:
    damage = SkippedRows(f"{tree}samples/service_key={slug_of_service(service)}/x.parquet", None, "broken")

    row = add_unreadable(verdicts_of(*known), [damage]).iloc[-1]

    assert (row["service"], row["shape"]) == (shown, "unreadable")
    assert row["sentence"].endswith(NOTE) == has_note


@pytest.mark.parametrize("file", ["x.jsonl", "ledger.json", "live", f"samples/service_key={slug_of_service(None)}/x"])
def test_what_belongs_to_no_service_has_none(file: str) -> None:
    row = add_unreadable(verdicts_of("api"), [SkippedRows(file, None, "broken")]).iloc[-1]

    assert pd.isna(row["service"])
    assert not row["sentence"].endswith(NOTE)
