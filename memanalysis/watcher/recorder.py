"""How does a program watch itself? ``watch("api")`` and a thread that ticks until it is told to stop.

The recorder is a guest: what goes wrong in it is logged once, counted in ``status()`` and written as an ``error``
event, and never reaches its host. Only wrong arguments and a broken policy raise, from ``watch`` itself, before
anything runs.
"""

import atexit
import logging
import os
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from memanalysis.capture.sample import SYSTEM_CLOCK, Clock, SampleReader
from memanalysis.errors import InvalidArgumentError
from memanalysis.schema import MemorySnapshot
from memanalysis.watcher.decorate import wrap_function
from memanalysis.watcher.loop import run_ticks
from memanalysis.watcher.observer import Observer
from memanalysis.watcher.run import make_run_row
from memanalysis.watcher.settings import Settings, TraceMode, choose_settings

if TYPE_CHECKING:
    from memanalysis.policy.model import Policy
    from memanalysis.response.cleanup import AutoCleanupManager
    from memanalysis.watcher.guard import PolicyGuard

__all__ = ["Recorder", "RecorderStatus", "watch"]

STOP_TIMEOUT_S = 10.0
"""A tick that is under way may take as long as its snapshot; after this, stopping goes on without waiting for it."""

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_LOGGER = logging.getLogger("memanalysis")
_running: "set[Recorder]" = set()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderStatus:
    """What a recorder is doing; None where there is nothing yet.

    ``capture_s`` is what the last tick cost, ``tracing`` whether tracemalloc traces now, ``errors`` what was swallowed.
    """

    service: str
    running: bool
    run_id: str | None
    ledger: Path | None
    ticks: int
    snapshots: int
    rss_bytes: int | None
    traced_bytes: int | None
    capture_s: float | None
    tracing: bool
    errors: int
    last_error: str | None


class Recorder:
    """Watches this process while it runs; made by ``watch``. Started again, it begins a new run.

    Parameters
    ----------
    settings : Settings
        What is read, how often, and where it is kept.
    policy : Policy, optional
        What the loop checks and acts on.
    clock, make_reader
        Where time and samples come from.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        policy: "Policy | None" = None,
        clock: Clock = SYSTEM_CLOCK,
        make_reader: Callable[[], SampleReader] = SampleReader,
    ) -> None:
        self.settings = settings
        self.policy = policy
        self._clock = clock
        self._make_reader = make_reader
        self._observer: Observer | None = None
        self._thread: threading.Thread | None = None
        self._is_running = False
        self._errors = 0
        self._last_error: str | None = None
        self._reported: set[str] = set()
        self._entered = 0
        self._stops_on_exit = False
        self._guard = None if policy is None else _make_guard(settings, policy, clock)
        self._renew_locks()

    def start(self) -> bool:
        """Start watching, with a first tick at once. True when it was started: not when it runs already, or cannot."""
        with self._lifecycle:
            if self._is_running:
                return False
            with self._as_guest("start"):
                self._stop_event = threading.Event()
                self._observer = None
                self._observer = self._open()
                self._note_start(self._observer)
                with self._as_guest("prepare"):
                    self._observer.prepare()
                with self._as_guest("tick"):
                    self._observer.begin()
                self._thread = threading.Thread(target=self._run, name="memanalysis-recorder", daemon=True)
                self._thread.start()
                self._is_running = True
                _running.add(self)
                atexit.register(self._stop_at_exit)
            if not self._is_running and self._observer is not None:  # no thread could be started
                with self._as_guest("start"):
                    self._observer.close(seal=False)
            return self._is_running

    def stop(self, *, seal: bool | None = None) -> bool:
        """Take a last tick and stop. True when it was running.

        Parameters
        ----------
        seal : bool, optional
            Whether this run's files become Parquet; as ``watch`` was told when not given.
        """
        with self._lifecycle:
            if not self._is_running or self._observer is None:
                return False
            self._is_running = False
            self._stop_event.set()
            if self._wait_for_thread():
                with self._as_guest("tick"), self._ticking:
                    self._observer.end()
            with self._as_guest("write an event"):
                self._observer.record_event("stop", message=f"Stopped watching {self.settings.service}.")
            with self._as_guest("stop"):
                self._observer.close(seal=self.settings.seal if seal is None else seal)
            _running.discard(self)
            atexit.unregister(self._stop_at_exit)
            return True

    def mark(self, text: str) -> bool:
        """Note that something happened, such as ``deploy 1.4``; labels the next sample. True when it was written."""
        return self._do("write an event", lambda observer: observer.mark(str(text)))

    def record_event(
        self, kind: str, *, level: str | None = None, message: str | None = None, data: Any | None = None
    ) -> bool:
        """Write a row of the table ``events``. True when it was written."""
        return self._do(
            "write an event", lambda observer: observer.record_event(kind, level=level, message=message, data=data)
        )

    def snapshot_now(self) -> MemorySnapshot | None:
        """Take a tick with a full snapshot now, in this thread; None when it is not running or could not."""
        taken: list[MemorySnapshot] = []

        def take(observer: Observer) -> None:
            with self._ticking:
                taken.append(observer.take_snapshot())

        self._do("take a snapshot", take)
        return taken[0] if taken else None

    @property
    def cleanup(self) -> "AutoCleanupManager | None":
        """Where to register hooks and caches that the policy may free; None without a policy."""
        return None if self._guard is None else self._guard.cleanup

    @property
    def snapshots(self) -> tuple[MemorySnapshot, ...]:
        """The last snapshots of this run, the oldest first; as many as the policy keeps."""
        return () if self._observer is None else tuple(self._observer.snapshots)

    def status(self) -> RecorderStatus:
        """Say what it is doing now."""
        observer = self._observer
        last = {} if observer is None else observer.last
        return RecorderStatus(
            service=self.settings.service,
            running=self._is_running,
            run_id=None if observer is None else observer.run_id,
            ledger=self.settings.ledger,
            ticks=0 if observer is None else observer.ticks,
            snapshots=0 if observer is None else observer.n_snapshots,
            rss_bytes=last.get("rss_bytes"),
            traced_bytes=last.get("traced_bytes"),
            capture_s=last.get("capture_s"),
            tracing=tracemalloc.is_tracing(),
            errors=self._errors,
            last_error=self._last_error,
        )

    def __enter__(self) -> Self:
        with self._lifecycle:
            self._entered += 1
            if self._entered == 1:
                self._stops_on_exit = self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lifecycle:
            self._entered -= 1
            if self._entered == 0 and self._stops_on_exit:
                self._stops_on_exit = False
                self.stop()

    def __call__(self, function: FunctionT) -> FunctionT:
        """Decorate a function: watching runs from the first call that begins to the last that ends."""
        return wrap_function(function, self)

    def _open(self) -> Observer:
        started = self._clock.wall()
        settings, policy = self.settings, self.policy
        run = make_run_row(settings.service, started=started, policy_sha256=None if policy is None else policy.sha256)
        return Observer(settings, run=run, reader=self._make_reader(), clock=self._clock, guard=self._guard)

    def _note_start(self, observer: Observer) -> None:
        settings = self.settings
        data = {"interval_s": settings.interval_s, "trace": settings.trace, "trace_limit": settings.trace_limit}
        with self._as_guest("write an event"):
            observer.record_event("start", message=f"Watching {settings.service}.", data=data)

    def _wait_for_thread(self) -> bool:
        """Wait until the thread has ended its tick; False when it takes too long."""
        if self._thread is None or self._thread is threading.current_thread():
            return True
        self._thread.join(STOP_TIMEOUT_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        run_ticks(
            self._tick,
            interval_s=self.settings.interval_s,
            wait=self._stop_event.wait,
            monotonic=self._clock.monotonic,
        )

    def _tick(self) -> None:
        with self._as_guest("tick"), self._ticking:
            if self._observer is not None and not self._stop_event.is_set():
                self._observer.tick()

    def _do(self, what: str, action: Callable[[Observer], None]) -> bool:
        done = False
        with self._as_guest(what):
            if self._is_running and self._observer is not None:
                action(self._observer)
                done = True
        return done

    @contextmanager
    def _as_guest(self, what: str) -> Iterator[None]:
        """Let nothing out: a recorder that fails must not fail its host. What is swallowed is told, once a kind."""
        try:
            yield
        except Exception as exc:  # the boundary to the host, on purpose
            self._errors += 1
            self._last_error = f"{type(exc).__name__}: {exc}"
            key = f"{what} {type(exc).__name__}"
            if key not in self._reported:
                self._reported.add(key)
                self._report(what, exc)

    def _report(self, what: str, exc: Exception) -> None:
        _LOGGER.warning(
            "memanalysis could not %s while watching %r, and goes on: %s", what, self.settings.service, self._last_error
        )
        if self._observer is not None:
            try:
                self._observer.record_event("error", level="warning", message=self._last_error, data={"during": what})
            except Exception:  # the ledger may be what failed; the log has it
                _LOGGER.debug("The error could not be written to the ledger either.", exc_info=exc)

    def _stop_at_exit(self) -> None:
        """Stop as the interpreter ends; a program's end is not the moment to load pyarrow."""
        self.stop(seal=self.settings.seal and "pyarrow" in sys.modules)

    def _renew_locks(self) -> None:
        self._lifecycle = threading.RLock()
        self._ticking = threading.RLock()
        self._stop_event = threading.Event()

    def _forget_in_child(self) -> None:
        """Be quiet in a forked child: the thread and the run are the parent's."""
        self._renew_locks()
        self._is_running = False
        self._stops_on_exit = False
        self._thread = None
        if self._observer is not None:
            self._observer.release()


def watch(
    service: str,
    *,
    ledger: str | os.PathLike[str] | None = None,
    policy: "str | os.PathLike[str] | Policy | None" = None,
    interval: float = 1.0,
    trace: TraceMode | None = None,
    trace_limit: int | None = None,
    snapshot_interval: float | None = None,
    top_sites: int = 50,
    top_types: int = 30,
    check_leaks: bool = True,
    seal: bool = True,
) -> Recorder:
    """Make a recorder of this process: a context manager, a decorator, or started and stopped by hand.

    Parameters
    ----------
    service : str
        Name under which its rows are kept, and by which the policy knows its budget.
    ledger : path, optional
        Folder of the ledger. Without it the policy's ``ledger.storage_path`` (of a ``.json`` its stem: that file is the
        founding ledger, kept by ``PersistentLedgerManager``), and without a policy ``memanalysis-ledger``.
    policy : path or Policy, optional
        What is allowed and what is done about it. Without it nothing is judged while it runs.
    interval : float
        Seconds between two ticks.
    trace : {"always", "never"}, optional
        Whether tracemalloc follows each allocation: names the lines, and costs time. The policy's, else always.
    trace_limit : int, optional
        Frames of each traceback; the policy's, else 25.
    snapshot_interval : float, optional
        Seconds between two full snapshots; the policy's, else 60. One more is taken at the start and one at the end.
    top_sites, top_types : int
        Rows of ``sites`` (the biggest, and those that grew most) and of ``objects`` in a snapshot, at most.
    check_leaks : bool
        False leaves the policy's leak detection to those who read the ledger: nothing heavy is loaded in this process.
    seal : bool
        Turn the run's files into Parquet when it stops, for which pyarrow is loaded; False leaves JSON lines, which
        read as well. At the interpreter's exit they are sealed only if pyarrow is loaded already.

    Raises
    ------
    InvalidArgumentError
        An argument that cannot be used.
    PolicyError
        A policy that cannot be read.
    """
    rules = _read_policy(policy)
    settings = choose_settings(
        service,
        ledger=ledger,
        policy=rules,
        interval=interval,
        trace=trace,
        trace_limit=trace_limit,
        snapshot_interval=snapshot_interval,
        top_sites=top_sites,
        top_types=top_types,
        check_leaks=check_leaks,
        seal=seal,
    )
    return Recorder(settings, policy=rules)


def _make_guard(settings: Settings, policy: "Policy", clock: Clock) -> "PolicyGuard":
    from memanalysis.watcher.guard import PolicyGuard  # without a policy none of its rooms is loaded

    return PolicyGuard(settings.service, policy, clock=clock, check_leaks=settings.check_leaks)


def _read_policy(policy: "str | os.PathLike[str] | Policy | None") -> "Policy | None":
    if policy is None:
        return None
    from memanalysis.policy.loader import read_policy
    from memanalysis.policy.model import Policy

    if isinstance(policy, Policy):
        return policy
    if isinstance(policy, str | os.PathLike):
        return read_policy(policy)
    raise InvalidArgumentError(f"watch needs policy as a path or a Policy, but got {policy!r}. Pass the file's path.")


def _quiet_in_child() -> None:
    for recorder in list(_running):
        recorder._forget_in_child()
    _running.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_quiet_in_child)
