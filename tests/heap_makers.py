"""Heaps to export: of any stacks, and in a ledger with known sizes."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from ledger_rows import NEW_YEAR, run_row, sample_row

from memanalysis.exchange.heap_profile import Frame, HeapProfile, StackUse
from memanalysis.ledger.writing.ledger_writer import LedgerWriter

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
FRAMES = st.builds(Frame, TEXT.filter(bool), st.integers(0, 100_000), TEXT)
SIZES = st.integers(0, 2**50)
GROWTHS = st.integers(-(2**50), 2**50)
USES = st.builds(
    StackUse,
    frames=st.lists(FRAMES, min_size=1, max_size=6).map(tuple),
    live_bytes=SIZES,
    live_objects=SIZES,
    grown_bytes=GROWTHS,
    grown_objects=GROWTHS,
)
profiles = st.builds(
    HeapProfile,
    service=TEXT.filter(bool),
    run_id=st.just("20250101T000000Z-42-0badcafe"),
    trace=st.sampled_from([None, "sampled", "windows"]),
    sampling_interval_bytes=st.none() | st.integers(1, 2**30),
    first=st.just(datetime(2025, 1, 1, tzinfo=UTC)),
    last=st.just(datetime(2025, 1, 1, 0, 1, 0, 123456, tzinfo=UTC)),
    uses=st.lists(USES, max_size=8, unique_by=lambda use: use.frames).map(tuple),
)
"""Any heap with two snapshots a minute apart."""

MakeLedger = Callable[..., Path]


@pytest.fixture
def make_ledger(tmp_path: Path) -> MakeLedger:
    """Return a function that writes a run with rows of ``sites`` at some seconds after New Year of 2025."""

    def make(sites: dict[int, list[dict[str, Any]]], *, service: str = "api", run_id: str = "r1", **run: Any) -> Path:
        root = tmp_path / "ledger"
        writer = LedgerWriter(root, run=run_row(service, run_id, **run))
        writer.append("samples", [sample_row(0)])
        for second, rows in sites.items():
            writer.append("sites", [{"seq": second, "timestamp": NEW_YEAR + second, **row} for row in rows])
        writer.close(ended=NEW_YEAR + 100, seal=True)
        return root

    return make


def site(*places: tuple[str, int], size: int | None, objects: int | None = 1, function: str | None = None) -> Any:
    """A row of ``sites`` of one stack, the outermost call first."""
    file, line = places[-1]
    return {
        "site_id": str(hash(places)),
        "file": file,
        "line": line,
        "function": function,
        "traceback": [*map(list, places[:-1]), [file, line, *([function] if function else [])]],
        "size_bytes": size,
        "live_allocations": objects,
    }
