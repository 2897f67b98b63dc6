"""One alert for what several processes see: each claims an alert before it sends it, and the others keep quiet.

A claim is a small file in a folder that the processes share. It is made by one process alone, whatever the moment. It
holds as long as its process stays at that level, and at least for the cooldown and `SAME_EPISODE_S`, so that a process
which is killed or leaves just after its alert leaves no second one to the rest. One that still sees the level then
takes the claim over. Where a process was killed before its alert was on disk, that one sends its own.
"""

import hashlib
import json
import math
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from memanalysis._process_identity import is_still_running
from memanalysis.response.alerts.alert import ALERT_LEVELS, BUDGET_PROBLEM, Alert, AlertLevel

__all__ = ["AlertClaims"]

SAME_EPISODE_S = 60.0
"""So soon after an alert the same level, seen by another process, is the same event: what a family or a container holds
is read every second, and less often where that is expensive."""

TAKE_OVER_INTERVAL_S = 10.0
"""Seconds between two checks whether those that claimed before us still run."""

MAX_AGE_S = 86400.0
"""Claims of ended processes are removed after a day."""

_SUFFIX = ".json"
_DIGEST_DIGITS = 32
_MAKE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


class _Claim(NamedTuple):
    """Which process has it, since when (epoch seconds), when the alert was, and whether that process still sees it.

    ``is_sent`` is whether the alert went out, or waits on disk.
    """

    pid: int
    since: float
    at: float
    is_held: bool
    is_sent: bool

    def is_alive(self) -> bool:
        return self.is_held and is_still_running(self.pid, seen_at=self.since)

    def is_lost(self) -> bool:
        return not self.is_sent and not is_still_running(self.pid, seen_at=self.since)


@dataclass(slots=True)
class _Place:
    """What an alert is about: the rank of its level, 0 for a leak, which is not left; and whether the claim is ours.

    ``alert`` is our own, which was sent only if the claim is ours.
    """

    rank: int
    is_ours: bool
    alert: Alert


class AlertClaims:
    """Claims alerts among the processes that use a folder. Raises nothing: where the disk refuses, all alert.

    Parameters
    ----------
    folder : Path
        Made with the first claim.
    monotonic, wall : callable
        Seconds that only go forward, and epoch seconds.
    file_mode : int
        Permissions of the files, less the umask.
    """

    def __init__(
        self,
        folder: Path,
        *,
        monotonic: Callable[[], float],
        wall: Callable[[], float],
        file_mode: int = 0o600,
    ) -> None:
        self._folder = folder
        self._monotonic = monotonic
        self._wall = wall
        self._file_mode = file_mode
        self._places: dict[Path, _Place] = {}
        self._unsent: dict[Path, Alert] = {}
        self._lock = threading.Lock()  # the thread that stores alerts writes claims too
        self._next_take_over = float("-inf")

    def begin(self) -> None:
        """Begin a run: nothing is ours, and what is long past is removed."""
        self._places.clear()
        self._unsent.clear()
        self._lock = threading.Lock()  # in a forked child nobody may be there to release the parent's
        with suppress(OSError):
            for path in self._folder.glob(f"*{_SUFFIX}"):
                if self._wall() - path.stat().st_mtime > MAX_AGE_S:  # the others are not opened, however many they are
                    found = _read(path)
                    if found is not None and not found.is_alive():
                        path.unlink(missing_ok=True)

    def claim(self, alert: Alert, group: str, *, seconds: float) -> bool:
        """Return whether this process is to send an alert: no other of its group has, within the same episode.

        Parameters
        ----------
        alert : Alert
        group : str
            The same for all processes that see the same memory.
        seconds : float
            How long the cooldown of the alert's level lasts.
        """
        text = "\n".join((group, alert.service, alert.level, alert.fingerprint))
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_DIGITS]
        path = self._folder / f"{digest}{_SUFFIX}"
        is_claimed = self._claim(path, alert, quiet_s=max(seconds, SAME_EPISODE_S))
        rank = ALERT_LEVELS.index(alert.level) + 1 if alert.fingerprint == BUDGET_PROBLEM else 0
        self._places[path] = _Place(rank, is_claimed, alert)
        return is_claimed

    def note_sent(self, alert: Alert) -> None:
        """Note that a claimed alert went out or waits on disk, so that it outlasts this process; from any thread."""
        for path, unsent in list(self._unsent.items()):
            if unsent == alert:
                self._unsent.pop(path, None)
                self._change(path, is_sent=True)

    def leave(self, level: AlertLevel | None) -> None:
        """Release the claims above the level at which the budget is now; None releases them all but those of leaks."""
        if self._places:
            rank = 0 if level is None else ALERT_LEVELS.index(level) + 1
            self._release({path: place for path, place in self._places.items() if place.rank > rank})

    def wake(self) -> list[Alert]:
        """Take over the claims of processes that have ended, for what is still seen here; to be called at each tick.

        Returns
        -------
        list of Alert
            To be sent by this process now: of the same level as those that ended processes did not get out.
        """
        to_send: list[Alert] = []
        if not self._places or self._monotonic() < self._next_take_over:
            return to_send
        self._next_take_over = self._monotonic() + TAKE_OVER_INTERVAL_S
        for path, place in self._places.items():
            found = None if place.is_ours else _read(path)
            if found is None or found.is_alive():
                continue
            if not found.is_lost():
                own = found._replace(pid=os.getpid(), since=self._wall(), is_held=True)
                place.is_ours = self._write(path, own)
            elif self._claim(path, place.alert, quiet_s=math.inf):
                place.is_ours = True
                to_send.append(place.alert)
        return to_send

    def end(self) -> None:
        """End a run: release every claim."""
        self._release(dict(self._places))

    def _claim(self, path: Path, alert: Alert, *, quiet_s: float) -> bool:
        self._unsent.pop(path, None)  # one of before, of the same level
        is_claimed = self._try_claim(path, quiet_s)
        if is_claimed:
            self._unsent[path] = alert
        return is_claimed

    def _try_claim(self, path: Path, quiet_s: float) -> bool:
        now = self._wall()
        own = _Claim(os.getpid(), since=now, at=now, is_held=True, is_sent=False)
        for _ in range(2):
            try:
                self._make(path, own)
            except FileExistsError:
                found = _read(path)
            except OSError:  # the disk refuses: two alerts are better than none
                return True
            else:
                return True
            if found is None:  # it was removed meanwhile
                continue
            if found.pid == own.pid:
                self._write(path, own)
                return True
            is_past = found.is_lost() or not (abs(now - found.at) < quiet_s or found.is_alive())
            if not is_past or not _remove_past(path, found):
                return False
        return True

    def _make(self, path: Path, claim: _Claim) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, _MAKE_FLAGS, self._file_mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(_encode(claim))

    def _release(self, places: dict[Path, _Place]) -> None:
        for path, place in places.items():
            del self._places[path]
            if place.is_ours:
                self._change(path, is_held=False)

    def _change(self, path: Path, **cells: bool) -> None:
        """Change a claim where it is this process's."""
        with self._lock:
            found = _read(path)
            if found is not None and found.pid == os.getpid():
                self._write(path, found._replace(**cells))

    def _write(self, path: Path, claim: _Claim) -> bool:
        with suppress(OSError):
            path.write_bytes(_encode(claim))
            return True
        return False


def _encode(claim: _Claim) -> bytes:
    return json.dumps(claim._asdict()).encode()


def _read(path: Path) -> _Claim | None:
    """Read a claim; None where there is none. One that is being written counts from the time of its file."""
    try:
        content = json.loads(path.read_bytes())
        pid, since, at = int(content["pid"]), float(content["since"]), float(content["at"])
        return _Claim(pid, since, at, is_held=bool(content["is_held"]), is_sent=bool(content["is_sent"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        with suppress(OSError):
            written = path.stat().st_mtime
            return _Claim(0, written, written, is_held=False, is_sent=True)
        return None


def _remove_past(path: Path, past: _Claim) -> bool:
    """Remove a claim that holds no longer; False where another process was quicker, and has made its own."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.rename(aside)
        if _read(aside) != past:
            aside.rename(path)
            return False
        aside.unlink()
    except OSError:
        return False
    return True
