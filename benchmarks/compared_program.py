"""A healthy program of one of five kinds that holds more than it should: ``compared_program.py KIND EXTRA SECONDS``.

EXTRA is a share of its resident memory, which `remember` keeps once the program has loaded its data.
"""

import json
import queue
import random
import sys
import threading
import time

import psutil

KEPT: list[bytearray] = []


def remember(share: float) -> None:
    """Keep this share of what the process uses, in pieces of 20 KB."""
    pieces = int(share * psutil.Process().memory_info().rss / 20_000)
    KEPT.extend(bytearray(b"x") * 20_000 for _ in range(pieces))


def records(number: int) -> list[dict[str, object]]:
    """Return rows as a program reads them from a file."""
    return [{"id": i, "name": f"user-{i}", "tags": [str(i)]} for i in range(number)]


def tables() -> list[object]:
    """Hold rows and an index on them."""
    rows = records(60_000)
    return [rows, {row["name"]: row for row in rows}]


def run(kind: str, extra: float, seconds: float) -> None:
    """Load, remember, and work until the time is over."""
    held = tables() if kind in {"tables", "threads"} else []
    cache: dict[int, bytes] = {}
    if kind == "cache":
        cache.update((i, bytes(1_000)) for i in range(20_000))
    remember(extra)
    jobs: queue.Queue[int] = queue.Queue(maxsize=50)
    if kind == "threads":
        for _ in range(4):
            threading.Thread(target=lambda: [json.dumps([jobs.get()] * 500) for _ in iter(int, 1)], daemon=True).start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if kind == "batches":
            batch = records(random.randrange(10_000, 20_000))
            time.sleep(0.05)
            del batch
        elif kind == "cache":
            cache[random.randrange(20_000)] = bytes(random.randrange(900, 1_100))
            cache.setdefault(random.randrange(20_000), b"")
        elif kind == "threads":
            jobs.put(random.randrange(1_000))
        elif kind == "buffers":
            pool = [bytearray(random.randrange(10_000, 200_000)) for _ in range(40)]
            pool.clear()
        time.sleep(0.005)
    del held


if __name__ == "__main__":
    run(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
