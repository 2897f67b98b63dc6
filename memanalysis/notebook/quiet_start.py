"""Start a recorder for somebody who reads the answer: what fails is reported once, in the words of the magic."""

import logging
from os import PathLike
from pathlib import Path

from memanalysis.errors import InvalidArgumentError
from memanalysis.watcher.recorder import Recorder

__all__ = ["check_ledger_folder", "start_silently"]


def check_ledger_folder(ledger: str | PathLike[str]) -> None:
    """Raise `InvalidArgumentError` where a file stands in the way of the folder of a ledger."""
    if "://" in str(ledger):
        return
    path = Path(ledger).absolute()
    existing = next((folder for folder in (path, *path.parents) if folder.exists()), None)
    if existing is not None and not existing.is_dir():
        raise InvalidArgumentError(
            f"%memwatch on needs a folder for --ledger, but got {ledger}: {existing} is a file. Name another folder."
        )


def start_silently(recorder: Recorder) -> bool:
    """Start a recorder without a line in the log: its status has the error, which the caller shows."""
    logger = logging.getLogger("memanalysis")
    logger.addFilter(_drop)
    try:
        return recorder.start()
    finally:
        logger.removeFilter(_drop)


def _drop(record: logging.LogRecord) -> bool:
    """Let no record of the starting thread pass."""
    return False
