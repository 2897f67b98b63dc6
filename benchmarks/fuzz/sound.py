"""The sound ledger that every case damages: three services. Two of them must be judged as if nothing had happened."""

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.units import MIB

__all__ = ["BYSTANDERS", "VICTIM", "SoundLedger", "write_sound_ledger"]

START = 1_750_000_000.0
BYSTANDERS = ("calm", "leaky")
"""Services whose files no case touches."""

VICTIM = "victim"


@dataclass(frozen=True, slots=True)
class SoundLedger:
    """Content of each file by its path in the folder: sealed into Parquet, and as lines of JSON."""

    sealed: dict[str, bytes]
    live: dict[str, bytes]

    def of_victim(self, *, sealed: bool) -> dict[str, bytes]:
        """Files of the service that may be damaged."""
        files = self.sealed if sealed else self.live
        return {path: content for path, content in files.items() if f"service_key={VICTIM}/" in path}


@cache
def write_sound_ledger() -> SoundLedger:
    """Write the ledger once with the product's own writer."""
    return SoundLedger(sealed=_write(seal=True), live=_write(seal=False))


def _write(*, seal: bool) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "ledger"
        for number, (service, growth) in enumerate((("calm", 0.0), ("leaky", 0.5), (VICTIM, 0.25))):
            run_id = f"20250615T150640Z-{number}-{number:08x}"
            run = {"run_id": run_id, "service": service, "started": START, "argv": ["app.py"], "python": "3.11.7"}
            writer = LedgerWriter(root, run=run, flush="manual")
            writer.append("samples", [_sample(seq, growth) for seq in range(40)])
            writer.append("sites", [_site(seq, growth) for seq in range(0, 40, 10)])
            writer.append(
                "objects", [{"seq": seq, "timestamp": START + seq, "type": "dict", "count": seq} for seq in range(3)]
            )
            writer.append("events", [{"timestamp": START + 1, "kind": "mark", "data": {"note": "begin"}}])
            writer.close(ended=START + 40, seal=seal)
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _sample(seq: int, growth: float) -> dict[str, object]:
    rss_bytes = round((40 + growth * seq) * MIB) + seq * 7919 % 4096
    return {"seq": seq, "timestamp": START + seq, "elapsed_s": float(seq), "label": "tick", "rss_bytes": rss_bytes}


def _site(seq: int, growth: float) -> dict[str, object]:
    described = {"site_id": "a", "file": "app.py", "line": 42, "function": "f", "traceback": [["app.py", 42]]}
    size_bytes = round(growth * seq * MIB)
    return {"seq": seq, "timestamp": START + seq, "size_bytes": size_bytes, "live_allocations": seq, **described}
