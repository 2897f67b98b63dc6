"""Alerts on their way: a bounded queue, sent by one daemon thread, with retry and backoff, and kept on disk meanwhile.

The thread runs only while something is due, so that a server which is down costs the watched program no thread: `wake`
is called at each tick and starts it again when the next attempt is due. A destination that fails is tried again after
1 s, 2 s and so on up to a minute, and does not hold up the others. An alert is delivered at least once: a process that
is killed just after a delivery repeats it at its next start, under the same cue id.
"""

import logging
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memanalysis._forked_child import call_in_child, settle
from memanalysis.capture.forking import is_forking
from memanalysis.response.alerts.alert import ALERT_LEVELS, Alert
from memanalysis.response.alerts.undelivered import UndeliveredFolder

__all__ = ["END_TIMEOUT_S", "MAX_WAITING", "Outbox", "RecordEvent", "Send"]

_LOGGER = logging.getLogger("memanalysis")

Send = Callable[[Alert, str], None]
"""Delivers an alert to a recipient, or raises what went wrong."""

RecordEvent = Callable[..., None]
"""Writes an event: ``record_event(kind, *, level, message, data)``."""

MAX_WAITING = 256
"""Deliveries that wait at most; beyond that the mildest and oldest is given up until the next start, and recorded."""

FIRST_BACKOFF_S = 1.0
MAX_BACKOFF_S = 60.0

TAKE_OVER_INTERVAL_S = 10.0
"""What another process of this host could not deliver before it was killed is looked for this often."""

END_TIMEOUT_S = 5.0
"""What is not delivered this long after the end of a run waits for the next start."""


@dataclass(slots=True, eq=False)
class _Delivery:
    channel: str
    recipient: str
    alert: Alert
    file: Path | None = None
    is_on_disk_tried: bool = False
    replaced_file: Path | None = None
    is_replaced: bool = False
    attempts: int = 0
    is_late: bool = False
    error: str | None = None
    is_last_tried: bool = False


class Outbox:
    """Delivers alerts off the threads of the program. May be used from several threads.

    Parameters
    ----------
    folder : Path, optional
        Where alerts wait on disk; None keeps them in memory alone.
    first_backoff_s, max_backoff_s : float
        Seconds before a destination is tried again, and up to how much they double.

    Attributes
    ----------
    on_safe : callable
        Given each alert once it is on disk or delivered, so that it outlasts the process; from any thread.
    """

    def __init__(
        self,
        *,
        folder: Path | None = None,
        first_backoff_s: float = FIRST_BACKOFF_S,
        max_backoff_s: float = MAX_BACKOFF_S,
    ) -> None:
        self.senders: dict[str, Send] = {}
        self.on_safe: Callable[[Alert], None] = _note_nothing
        self._folder = None if folder is None else UndeliveredFolder(folder)
        self._record_event: RecordEvent | None = None
        self._first_backoff_s = first_backoff_s
        self._max_backoff_s = max_backoff_s
        self._waiting: list[_Delivery]
        self._sending: _Delivery | None
        self._thread: threading.Thread | None
        self._retry_at: dict[tuple[str, str], float]
        self._backoff_s: dict[tuple[str, str], float]
        self._next_take_over: float
        self._forget()
        _outboxes.add(self)

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels by which it delivers."""
        return tuple(self.senders)

    @property
    def waiting(self) -> tuple[tuple[str, str, Alert], ...]:
        """Channel, recipient and alert of each delivery that is not done."""
        with self._lock:
            return tuple((one.channel, one.recipient, one.alert) for one in self._waiting)

    def begin(self, senders: Mapping[str, Send], record_event: RecordEvent | None = None) -> None:
        """Begin a run: take over what earlier runs left undelivered.

        Parameters
        ----------
        senders : mapping
            By the name of a channel: what delivers.
        record_event : callable, optional
            Writes what became of an alert into the ledger.
        """
        settle()
        self.senders, self._record_event = dict(senders), record_event
        self._is_ended = False
        self._take_over(at_start=True)
        self.wake()

    def _take_over(self, *, at_start: bool) -> None:
        self._next_take_over = time.monotonic() + TAKE_OVER_INTERVAL_S
        left = [] if self._folder is None else self._folder.take_abandoned(self.channels, at_start=at_start)
        with self._lock:
            self._waiting += [
                _Delivery(found.channel, found.recipient, found.alert, found.file, is_on_disk_tried=True, is_late=True)
                for found in left
            ]

    def put(self, channel: str, recipient: str, alert: Alert) -> None:
        """Queue an alert; one about the same problem that waits for the same recipient is replaced by it.

        What is replaced, or too much, is recorded as an event ``undelivered``. What is too much stays on disk for the
        next start.
        """
        settle()
        with self._lock:
            same = next((one for one in self._waiting if _is_repeat(one, channel, recipient, alert)), None)
            new = _Delivery(channel, recipient, alert)
            if same is not None and same is not self._sending:
                self._waiting.remove(same)
                same.is_replaced = True
                new.replaced_file = same.file or same.replaced_file
            self._waiting.append(new)
            given_up = self._make_space()
        if same is not None and same.is_replaced:
            why = f"replaced by {alert.cue_id} about the same problem"
            self._note_undelivered(same, why, replaced_by=alert.cue_id)
        for one in given_up:
            self._leave_for_next_start(one, "given up, because too many alerts wait")
        self.wake()

    def wake(self) -> None:
        """Start the thread if something is due, or not on disk yet; to be called at each tick."""
        if self._folder is not None and not self._is_ended and time.monotonic() >= self._next_take_over:
            self._take_over(at_start=False)
        if not self._waiting or self._thread is not None:
            return
        with self._lock:
            if self._thread is not None or self._is_ended:
                return
            if self._find_due() is None and not self._list_unstored():
                return
            thread = threading.Thread(target=self._run, name="memanalysis-alerts", daemon=True)
            with suppress(
                RuntimeError
            ):  # the interpreter ends, or the system refuses a thread: the next tick, or `end`
                thread.start()
                self._thread = thread

    def end(self, *, timeout_s: float = END_TIMEOUT_S) -> list[Alert]:
        """End a run: try once more what waits, and return the alerts that are not delivered.

        Those are recorded as events ``undelivered``, and stay on disk for the next start. What was put after an earlier
        end is not tried: nothing sends any more.
        """
        settle()
        timeout_s = 0.0 if self._is_ended else timeout_s
        deadline = time.monotonic() + timeout_s
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        with self._lock:
            self._retry_at.clear()
            for one in self._waiting:
                one.is_last_tried = False
            self._is_ending = True
        while self._find_untried() and time.monotonic() < deadline:
            self.wake()
            thread = self._thread
            if thread is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
            elif self._find_untried():  # the interpreter ends, and starts no thread
                self._run()
        with self._lock:
            self._is_ended, self._is_ending = True, False
            left, self._waiting = self._waiting, []
        for one in left:
            self._leave_for_next_start(one, one.error or "not tried in time")
        return list(dict.fromkeys(one.alert for one in left))

    def _run(self) -> None:
        """Put on disk what is not there yet and send what is due, until nothing is."""
        while True:
            with self._lock:
                unstored = self._list_unstored()
            for one in unstored:
                self._store(one)
            with self._lock:
                replaced = [one for one in unstored if one.is_replaced]
                delivery = self._sending = None if self._is_ended else self._find_due()
                is_over = delivery is None and (self._is_ended or not self._list_unstored())
                if is_over:
                    self._thread = None
            for one in replaced:
                self._drop_file(one)
            if is_over:
                return
            if delivery is not None:
                self._deliver(delivery)

    def _deliver(self, one: _Delivery) -> None:
        place = one.channel, one.recipient
        one.attempts += 1
        one.is_last_tried = True
        try:
            self.senders[one.channel](one.alert, one.recipient)
        except Exception as exc:  # a server, a disk or a library of somebody else's failed: the alert waits
            error = f"{type(exc).__name__}: {exc}"
            with self._lock:
                backoff_s = min(self._max_backoff_s, 2 * self._backoff_s.get(place, self._first_backoff_s / 2))
                self._backoff_s[place] = backoff_s
                self._retry_at[place] = time.monotonic() + backoff_s
                self._sending = None
            if one.error is None:
                _LOGGER.warning("An alert could not be sent to %s by %s, and waits: %s", *reversed(place), error)
            one.error = error
            return
        with self._lock:
            self._sending = None
            if one in self._waiting:
                self._waiting.remove(one)
            self._backoff_s.pop(place, None)
            self._retry_at.pop(place, None)
        self.on_safe(one.alert)
        self._drop_file(one)
        if one.is_late or one.attempts > 1:
            self._note("delivered", one, f"The alert reached {one.recipient or one.channel} after all.")

    def _find_due(self) -> _Delivery | None:
        """Return the oldest delivery whose destination may be tried now; the lock is held."""
        now = time.monotonic()
        for one in self._waiting:
            is_tried = self._is_ending and one.is_last_tried
            if not is_tried and self._retry_at.get((one.channel, one.recipient), now) <= now:
                return one
        return None

    def _list_unstored(self) -> list[_Delivery]:
        """Return what is not on disk yet; the lock is held."""
        return [] if self._folder is None else [one for one in self._waiting if not one.is_on_disk_tried]

    def _find_untried(self) -> bool:
        with self._lock:
            return self._find_due() is not None

    def _make_space(self) -> list[_Delivery]:
        """Take out what is too much, the mildest and oldest first; the lock is held."""
        given_up = []
        while len(self._waiting) > MAX_WAITING:
            candidates = [one for one in self._waiting if one is not self._sending]
            mildest = min(candidates, key=lambda one: ALERT_LEVELS.index(one.alert.level))
            self._waiting.remove(mildest)
            given_up.append(mildest)
        return given_up

    def _store(self, one: _Delivery) -> None:
        if self._folder is None or one.file is not None:
            return
        one.is_on_disk_tried = True
        try:
            one.file = self._folder.store(one.channel, one.recipient, one.alert)
        except OSError as exc:
            _LOGGER.warning("An alert that waits could not be written to disk, and goes on without: %s", exc)
        else:
            _remove(one.replaced_file)
            one.replaced_file = None
            self.on_safe(one.alert)

    def _drop_file(self, one: _Delivery) -> None:
        _remove(one.file)
        _remove(one.replaced_file)
        one.file = one.replaced_file = None

    def _leave_for_next_start(self, one: _Delivery, why: str) -> None:
        self._store(one)
        where = "and waits for the next start" if one.file is not None else "and is in the log alone"
        self._note_undelivered(one, f"{why.removesuffix('.')}, {where}")

    def _note_undelivered(self, one: _Delivery, why: str, **details: str) -> None:
        whom = one.recipient or "nobody in particular"
        _LOGGER.warning(
            "Undelivered alert %s for %s by %s (%s): %s",
            one.alert.cue_id, whom, one.channel, why, one.alert.message,
        )  # fmt: skip
        self._note("undelivered", one, f"The alert did not reach {whom} by {one.channel}: {why}.", **details)

    def _note(self, kind: str, one: _Delivery, message: str, **details: str) -> None:
        if self._record_event is None:
            return
        data: dict[str, Any] = {"channel": one.channel, "recipient": one.recipient, "attempts": one.attempts}
        data |= {"alert": one.alert.to_mapping(), **details}
        try:
            self._record_event(kind, level=one.alert.level, message=message, data=data)
        except Exception:  # the ledger may be the very thing that fails; the log has it
            _LOGGER.debug("What became of an alert could not be written to the ledger.", exc_info=True)

    def _forget(self) -> None:
        """Begin with an empty queue; in a forked child what waits, its files and the thread are the parent's."""
        self._lock = threading.RLock()
        self._waiting, self._sending, self._thread = [], None, None
        self._retry_at, self._backoff_s = {}, {}
        self._next_take_over = float("inf")
        self._is_ending = self._is_ended = False


def _note_nothing(alert: Alert) -> None:
    """Nothing is noted."""


def _is_repeat(one: _Delivery, channel: str, recipient: str, alert: Alert) -> bool:
    waiting = one.alert
    return (one.channel, one.recipient, waiting.service, waiting.level, waiting.fingerprint) == (
        channel,
        recipient,
        alert.service,
        alert.level,
        alert.fingerprint,
    )


def _remove(path: Path | None) -> None:
    if path is not None:
        with suppress(OSError):
            path.unlink(missing_ok=True)


_outboxes: "weakref.WeakSet[Outbox]" = weakref.WeakSet()


def _forget_in_child() -> None:
    if not is_forking():
        for outbox in list(_outboxes):
            outbox._forget()


call_in_child(_forget_in_child)
