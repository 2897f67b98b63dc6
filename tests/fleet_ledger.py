"""A ledger of six weeks and twelve services with known truth: releases, leaks that come and go, and breaches."""

import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.units import MIB

HOUR_S = 3600.0
WEEK_S = 168 * HOUR_S
BEGIN = 1_748_822_400.0
"""2025-06-02 00:00 UTC, a Monday."""

WEEKS = 6
LEAK_BYTES_PER_S = 300.0
HEALTHY = ("auth", "catalog", "gateway", "images", "jobs", "users")
POLICY = {
    "memory_budgets": {
        "global": {"max_memory_mb": 512, "warning_threshold_percent": 80, "critical_threshold_percent": 95}
    }
}

LEAKS: dict[str, tuple[set[int], str, int, str]] = {
    "checkout": ({1, 2}, "app/orders.py", 41, "remember"),
    "search": ({3, 4, 5}, "app/index.py", 88, "add_document"),
    "cart": ({1, 4, 5}, "app/cart.py", 12, "keep_session"),
    "payments": ({5}, "app/charge.py", 7, "authorize"),
    "archiver": ({1, 2}, "app/archive.py", 30, "store"),
}
"""Of each service that leaks the weeks (0 is the first), and the line. Release 1.N is deployed when week N begins."""


def write_run(
    path: Path,
    service: str,
    *,
    begin: float,
    sizes: Sequence[float | None],
    release: str | None = None,
    site: tuple[str, int, str] | None = None,
    column: str = "rss_bytes",
) -> LedgerWriter:
    """Write a run of a sample an hour, with a snapshot of its line every twelve hours, and return its open writer."""
    run_id = f"run-{crc32(service.encode()):08x}-{begin:.0f}"
    run = {"run_id": run_id, "service": service, "pid": 7, "host": "node-1", "started": begin, "release": release}
    writer = LedgerWriter(path, run=run, flush="manual")
    times = [number * HOUR_S for number in range(len(sizes))]
    writer.append(
        "samples",
        [
            {
                "seq": number,
                "timestamp": begin + at,
                "elapsed_s": at,
                column: None if size is None else round(size),
            }
            for number, (at, size) in enumerate(zip(times, sizes, strict=True))
        ],
    )
    file, line, function = site or ("", 0, "")
    writer.append(
        "sites",
        [
            {
                "seq": number, "timestamp": begin + at, "site_id": file, "file": file, "line": line,
                "function": function, "traceback": [[file, line]], "live_allocations": number,
                "size_bytes": round(0.95 * LEAK_BYTES_PER_S * at),
            }
            for number, at in enumerate(times) if site is not None and number % 12 == 0
        ],
    )  # fmt: skip
    writer.flush()
    return writer


def write_fleet(path: Path, *, seed: int = 0) -> None:
    """Write the twelve services: five leak for some weeks, one swings over its budget, six are healthy.

    Each service is restarted with the release of the week. The ledger is a copy that was taken while those of the last
    week ran. ``archiver`` was switched off after the third week, while it leaked.
    """
    rng = np.random.default_rng(seed)
    services = [*LEAKS, "mailer", *HEALTHY]
    original = path.with_name(f"{path.name}-original")
    writers = []
    for week in range(WEEKS):
        for number, service in enumerate(services):
            if service == "archiver" and week > 2:
                continue
            leaks, file, line, function = LEAKS.get(service, (set(), "", 0, ""))
            sizes = make_sizes(
                rng,
                level=(180 + 5 * number) * MIB,
                slope=LEAK_BYTES_PER_S if week in leaks else 0.0,
                spike=320 * MIB if service == "mailer" else 0.0,
            )
            writer = write_run(
                original,
                service,
                begin=BEGIN + week * WEEK_S,
                sizes=sizes,
                release=None if service == "users" else f"1.{week}",
                site=(file, line, function) if week in leaks else None,
            )
            writers.append(writer)
            if week < WEEKS - 1:
                writer.close(ended=BEGIN + (week + 1) * WEEK_S)
    shutil.copytree(original, path)
    for writer in writers:
        writer.close()
    shutil.rmtree(original)


def make_sizes(
    rng: np.random.Generator, *, level: float, slope: float = 0.0, spike: float = 0.0, hours: int = 168
) -> list[float]:
    """Return a size an hour: a level with a day cycle and noise, a leak, and two hours of work every other day."""
    noise = rng.normal(0.0, MIB / 2, size=hours)
    return [
        level
        + 2 * MIB * math.sin(2 * math.pi * (hour % 24) / 24)
        + slope * hour * HOUR_S
        + float(noise[hour])
        + (spike if hour % 48 in (9, 10) else 0.0)
        for hour in range(hours)
    ]


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledger of twelve services; read only."""
    path = tmp_path_factory.mktemp("fleet") / "ledger"
    write_fleet(path)
    return path
