"""Maintains a growing ledger beside its writer: full shards sealed, old rows dropped, sealed files uploaded.

Runs in the short-lived process that `worker_process` starts, or in the writer's own when that ends and has pyarrow
loaded.
"""

import logging
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from memanalysis.errors import LedgerBusyError
from memanalysis.ledger.files import files_at
from memanalysis.ledger.maintenance.apply_retention import apply_retention
from memanalysis.ledger.maintenance.compact import Compacted, hold_lock, seal_abandoned
from memanalysis.ledger.maintenance.note_ends import note_ends
from memanalysis.ledger.maintenance.retention import Retention
from memanalysis.ledger.maintenance.seal import seal_shard
from memanalysis.ledger.maintenance.upload import upload_spool

__all__ = ["main", "run_job"]

NICENESS = 10
"""Sealing can wait: the watched program comes first."""

_log = logging.getLogger(__name__)


def run_job(job: Mapping[str, Any]) -> bool:
    """Seal, drop and upload; True when all of it was done. What fails is logged, and left as it was.

    Parameters
    ----------
    job : mapping
        ``root`` (folder), ``url`` (or None), ``retention`` (plain values, or None) and ``segments`` (table and path of
        each full shard, locked by the caller).
    """
    root, done = Path(job["root"]), True
    with suppress(OSError):
        note_ends(root)
    for table, path in job["segments"]:
        try:
            seal_shard(Path(path), table)
        except OSError as exc:
            _log.warning("memanalysis left %s unsealed, which reads as well: %s", path, exc)
            done = False
    try:
        if job["url"] is not None:
            with suppress(LedgerBusyError), hold_lock(root):  # somebody else at it will do as well
                seal_abandoned(root, Compacted())
            upload_spool(root, job["url"])
        if job["retention"] is not None:
            _apply_job_retention(job, root)
    except OSError as exc:
        _log.warning("memanalysis goes on: %s", exc)
        done = False
    return done


def main(job: Mapping[str, Any]) -> None:
    """Do a job in a process of its own."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    sys.exit(0 if run_job(job) else 1)


def _apply_job_retention(job: Mapping[str, Any], root: Path) -> None:
    retention = Retention.from_mapping(job["retention"])
    if job["url"] is not None:
        apply_retention(files_at(job["url"]), retention, now=time.time())
        return
    with suppress(LedgerBusyError), hold_lock(root):  # somebody else applies it now
        apply_retention(files_at(root), retention, now=time.time())
