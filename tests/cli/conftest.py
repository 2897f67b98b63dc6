"""A small ledger for the commands, written by the ledger's own writer."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from fleet_ledger import fleet

from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.units import MIB

__all__ = ["fleet", "recorded"]

START = 1_750_000_000.0


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A leak of 0.5 MiB a second with its line, a flat service, one with three samples, and one of a hostile name."""
    path = tmp_path_factory.mktemp("recorded") / "ledger"
    series: dict[str, tuple[int, Callable[[float], float]]] = {
        "leaking_registry": (60, lambda at: (40 + 0.5 * at) * MIB + 20_000 * math.sin(7 * at)),
        "größe": (60, lambda at: 50 * MIB + 10_000 * math.sin(3 * at)),
        "young": (3, lambda at: 50 * MIB),
        "../../x<script>\x1b[31m": (60, lambda at: 50 * MIB + 10_000 * math.sin(3 * at)),
    }
    for number, (service, (n, rss_bytes)) in enumerate(series.items()):
        run_id = f"20250615T150640Z-{number}-{number:08x}"
        writer = LedgerWriter(path, run={"run_id": run_id, "service": service, "started": START}, flush="manual")
        writer.append(
            "samples",
            [
                {"seq": at, "timestamp": START + at, "elapsed_s": float(at), "rss_bytes": round(rss_bytes(at))}
                for at in range(n)
            ],
        )
        if service == "leaking_registry":
            writer.append(
                "sites",
                [
                    {
                        "seq": at, "timestamp": START + at, "site_id": "a", "file": "app/registry.py", "line": 42,
                        "function": "remember", "traceback": [["app/registry.py", 42]], "size_bytes": at * MIB // 2,
                        "live_allocations": at,
                    }
                    for at in range(0, 60, 10)
                ],
            )  # fmt: skip
        writer.close(ended=START + n)
    return path
