"""A small ledger of two services, sealed and live."""

from pathlib import Path

import pytest
from ledger_rows import write_ledger


@pytest.fixture(params=["sealed", "live"])
def root(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "ledger"
    write_ledger(path, seal=request.param == "sealed")
    return path
