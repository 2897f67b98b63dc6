"""Alerts on disk until they are delivered: one small file each, which outlasts the process.

A file is ``<pid>-<cue id>-<digest>.json``. Any process of this host that uses the folder, and the next run of any,
takes the files of processes that have ended, by renaming them to its own, so that one process has each.
"""

import hashlib
import json
import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from memanalysis._atomic import TEMPORARY_SUFFIX, write_atomic
from memanalysis._process_identity import is_still_running
from memanalysis.errors import InvalidArgumentError
from memanalysis.response.alerts.alert import Alert, parse_alert

__all__ = ["StoredDelivery", "UndeliveredFolder"]

_SUFFIX = ".json"
_MAX_FILE_BYTES = 2**20
_HOST = os.uname().nodename if hasattr(os, "uname") else None
_DIGEST_DIGITS = 8


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """One alert that is to reach one recipient by one channel, and the file that holds it."""

    channel: str
    recipient: str
    alert: Alert
    file: Path


class UndeliveredFolder:
    """The folder of the alerts that are not delivered yet.

    Parameters
    ----------
    folder : Path
        Made when it is first needed.
    file_mode : int
        Permissions of the files, less the umask.
    """

    def __init__(self, folder: Path, *, file_mode: int = 0o600) -> None:
        self._folder = folder
        self._file_mode = file_mode

    def store(self, channel: str, recipient: str, alert: Alert) -> Path:
        """Write an alert, and return its file.

        Raises
        ------
        OSError
            The disk refuses.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(f"{channel}\n{recipient}".encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_DIGITS]
        path = self._folder / f"{os.getpid()}-{alert.cue_id}-{digest}{_SUFFIX}"
        content = {"host": _HOST, "channel": channel, "recipient": recipient, "alert": alert.to_mapping()}
        write_atomic(path, json.dumps(content).encode(), file_mode=self._file_mode)
        return path

    def take_abandoned(self, channels: Collection[str], *, at_start: bool = True) -> list[StoredDelivery]:
        """Take over what ended processes left, the oldest first; a file that is no alert stays where it is.

        Parameters
        ----------
        channels : collection of str
            Those by which this process delivers; what is for another is left to others.
        at_start : bool
            Take also what this process itself left in an earlier run, and what is of another host, whose processes are
            not seen here.
        """
        try:
            paths = [path for path in self._folder.iterdir() if path.name.endswith(_SUFFIX) and path.name[0].isdigit()]
        except OSError:  # no such folder: nothing was left
            return []
        self._remove_torn()
        taken = [found for path in paths if (found := self._take(path, channels, at_start=at_start))]
        return sorted(taken, key=lambda found: found.alert.timestamp)

    def _remove_torn(self) -> None:
        """Remove what killed processes had begun to write."""
        for path in self._folder.glob(f".*{_SUFFIX}.*{TEMPORARY_SUFFIX}"):
            with suppress(OSError, ValueError):
                pid = int(path.name[1:].partition("-")[0])
                if not is_still_running(pid, seen_at=path.stat().st_mtime):
                    path.unlink()

    def _take(self, path: Path, channels: Collection[str], *, at_start: bool) -> StoredDelivery | None:
        pid, _, rest = path.name.partition("-")
        with suppress(OSError, ValueError, KeyError, TypeError, InvalidArgumentError):
            is_ours = int(pid) == os.getpid()  # an earlier process of our number, or an earlier run of this one
            if is_ours and not at_start:
                return None
            if not is_ours and is_still_running(int(pid), seen_at=path.stat().st_mtime):
                return None
            content = json.loads(_read(path))
            if content["channel"] not in channels or (not at_start and content["host"] != _HOST):
                return None
            alert = parse_alert(content["alert"])
            own = path.with_name(f"{os.getpid()}-{rest}")
            os.utime(path)  # else it is older than this process may be, and counts as that of an earlier one
            path.rename(own)  # one process succeeds
            return StoredDelivery(str(content["channel"]), str(content["recipient"]), alert, own)
        return None


def _read(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_MAX_FILE_BYTES)
