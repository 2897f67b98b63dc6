"""How does a program watch itself? ``watch("api")`` and a thread that ticks until it is stopped.

The recorder is isolated from the program: what goes wrong in it is logged once, counted in ``status()`` and
written as an ``error`` event, and never reaches the program. Only wrong arguments and a broken policy raise, from
``watch`` itself, before anything runs.
"""

import atexit
import os
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from memanalysis._forked_child import call_in_child, settle
from memanalysis._machine import read_machine_bytes
from memanalysis.capture.forking import is_forking
from memanalysis.capture.sample import SYSTEM_CLOCK, Clock, SampleReader
from memanalysis.response.restart import Restart
from memanalysis.schema import END_LABEL, MemorySnapshot
from memanalysis.standard_library import standard_library_first
from memanalysis.watcher.alert_group import note_family
from memanalysis.watcher.decorate import wrap_function
from memanalysis.watcher.error_isolation import ErrorBoundary
from memanalysis.watcher.growing_lines import GrowingLine
from memanalysis.watcher.live_verdict import LiveRun, make_live_run
from memanalysis.watcher.observer import Observer
from memanalysis.watcher.program_end import call_at_program_end, has_working_threads
from memanalysis.watcher.run_ending import RETURNED, STOPPED, describe_error, describe_program_end
from memanalysis.watcher.run_labels import find_labels
from memanalysis.watcher.run_reader import make_run_reader
from memanalysis.watcher.run_row import make_run_row
from memanalysis.watcher.sampled_sites import INTERVAL_BYTES
from memanalysis.watcher.settings import Settings
from memanalysis.watcher.status import RecorderStatus, make_status
from memanalysis.watcher.ticker import Ticker
from memanalysis.watcher.trace_engine import TraceEngine, choose_engine

if TYPE_CHECKING:
    from memanalysis.analysis.verdict import Verdict
    from memanalysis.policy.model import Policy
    from memanalysis.policy.policy_file import PolicyFile
    from memanalysis.response.cleanup import Cleanup
    from memanalysis.watcher.policy_runtime import PolicyRuntime

__all__ = ["Recorder", "forget_parent", "load_for_ticks", "take_last_samples"]

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_running: "set[Recorder]" = set()


class Recorder:
    """Watches this process while it runs; made by ``watch``. Started again, it begins a new run.

    Parameters
    ----------
    settings : Settings
        What is read, how often, and where it is kept.
    policy : Policy, optional
        What the loop checks and acts on.
    policy_file : PolicyFile, optional
        Where it comes from; it is read again when it changes.
    clock, make_reader
        Where time and samples come from.

    Attributes
    ----------
    restart : Restart
        Where to register what drains the program, when the policy has it restarted.
    started_in : int
        The process that it was started in last.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        policy: "Policy | None" = None,
        policy_file: "PolicyFile | None" = None,
        clock: Clock = SYSTEM_CLOCK,
        make_reader: Callable[[], SampleReader] | None = None,
    ) -> None:
        self.settings = settings
        self.policy = policy
        self._clock = clock
        self._make_reader = make_reader or partial(make_run_reader, settings.service, policy, clock=clock)
        self._observer: Observer | None = None
        self._live: LiveRun | None = None
        self._engine = TraceEngine("off", "It has not been started.")
        self._is_running = False
        self.started_in = os.getpid()
        self._boundary = ErrorBoundary(settings.service, self._record_error)
        self._entered = 0
        self._stops_on_exit = False
        self.restart = Restart()
        self._policy_runtime = None if policy is None else self._follow(policy, policy_file)
        self._lifecycle = threading.RLock()
        self._ticker = Ticker(
            self._tick,
            self._check,
            interval_s=settings.interval_s,
            monotonic=clock.monotonic,
            boundary=self._boundary,
        )

    def start(self) -> bool:
        """Start watching, with a first tick at once. True when it was started: not when it runs already, or cannot."""
        settle()
        with self._lifecycle, standard_library_first() as standard_library:
            if self._is_running:
                return False
            with self._boundary.guard("start"):
                if standard_library.has_shadows:
                    load_for_ticks()
                self._ticker.prepare()
                self._observer = None
                self._observer = self._open()
                with self._boundary.guard("note signals"):
                    self._observer.arm_signals()
                self._note_start(self._observer)
                with self._boundary.guard("prepare"):
                    self._observer.prepare()
                with self._boundary.guard("take a sample"):
                    self._observer.begin()
                self._ticker.start()
                if self._policy_runtime is not None and self._policy_runtime.restarts:
                    self.restart.install()
                self._is_running, self.started_in = True, os.getpid()
                _running.add(self)
                atexit.register(self.stop_at_exit)
                call_at_program_end(take_last_samples)
            if not self._is_running and self._observer is not None:  # no thread could be started
                with self._boundary.guard("start"):
                    self._observer.close(seal=False)
            return self._is_running

    def stop(self, *, seal: bool | None = None) -> bool:
        """Take a last tick and stop. True when it was running.

        Parameters
        ----------
        seal : bool, optional
            Whether this run's files become Parquet; as ``watch`` was asked when not given.
        """
        return self._stop(STOPPED, seal=seal)

    def _stop(self, ending: Mapping[str, Any], *, seal: bool | None = None) -> bool:
        """Stop, and note how the run ended."""
        settle()
        with self._lifecycle, standard_library_first():
            if not self._is_running or self._observer is None:
                return False
            self._is_running = False
            if self._ticker.stop():
                with self._boundary.guard("take a sample"), self._ticker.ticking:
                    self._observer.end()
            with self._boundary.guard("send alerts"):
                if self._policy_runtime is not None:
                    self._policy_runtime.alerts.end()
            with self._boundary.guard("write an event"):
                self._observer.record_event("stop", message=f"Stopped watching {self.settings.service}.")
            with self._boundary.guard("stop"):
                self._observer.close(seal=self.settings.seal if seal is None else seal, ending=ending)
            _running.discard(self)
            self.restart.uninstall()
            atexit.unregister(self.stop_at_exit)
            return True

    def stop_at_exit(self, *, may_seal: bool = True, ending: Mapping[str, Any] | None = None) -> None:
        """Stop as the interpreter or a worker ends; a program's end is not the moment to load pyarrow."""
        self.label_end()
        with self._boundary.guard("describe the end"):
            ending = ending or describe_program_end(self.settings.argv)
        self._stop(ending or RETURNED, seal=may_seal and self.settings.seal and "pyarrow" in sys.modules)

    def label_end(self) -> None:
        """Label the next sample as that of the program's end, unless a mark labels it."""
        if self._observer is not None and self._observer.label is None:
            self._observer.label = END_LABEL

    def take_last(self) -> None:
        """Take the last sample now, before the program's exit handlers free what it held."""
        with self._lifecycle, standard_library_first():
            if self._is_running and self._observer is not None:
                with self._boundary.guard("take a sample"), self._ticker.ticking:
                    self.label_end()
                    self._observer.take_last()

    def mark(self, text: str) -> bool:
        """Note that something happened, such as ``deploy 1.4``; labels the next sample. True when it was written."""
        return self._do("write an event", lambda observer: observer.mark(str(text)))

    def label_samples(self, label: str | None) -> bool:
        """Label the samples from now on, until it is called again; None labels none. True when it runs."""
        return self._do("label samples", lambda observer: setattr(observer, "running_label", label))

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
            with self._ticker.ticking:
                taken.append(observer.take_snapshot())

        self._do("take a snapshot", take)
        return taken[0] if taken else None

    @property
    def policy_runtime(self) -> "PolicyRuntime | None":
        """What holds this run against its policy; None without one."""
        return self._policy_runtime

    @property
    def cleanup(self) -> "Cleanup | None":
        """Where to register hooks and caches that the policy may free; None without a policy."""
        return None if self._policy_runtime is None else self._policy_runtime.cleanup

    @property
    def snapshots(self) -> tuple[MemorySnapshot, ...]:
        """The last snapshots of this run, the oldest first; as many as the policy keeps."""
        settle()
        return () if self._observer is None else tuple(self._observer.snapshots)

    def assess(self) -> "Verdict | None":
        """Judge this run by the samples so far, as the verb ``assess`` will judge its ledger; None before the first.

        Loads numpy at the first question, which under tracing takes long; only the ledger shows the origin.
        """
        settle()
        live = self._live
        with standard_library_first():
            return None if live is None else live.judge()

    @property
    def live(self) -> LiveRun | None:
        """The samples and last events of this run, in bounded memory; None before the first run."""
        return self._live

    def growing_lines(self, *, top: int = 5) -> list[GrowingLine]:
        """Return the lines that hold more than at the start of the run, those first that grew most."""
        settle()
        observer, lines = self._observer, list[GrowingLine]()
        if observer is not None and self._is_running:
            with self._boundary.guard("read the growing lines"):
                lines = observer.find_growing_lines(top=top)
        return lines

    def status(self) -> RecorderStatus:
        """Return what it is doing now."""
        settle()
        return make_status(
            self.settings,
            self._observer,
            engine=self._engine,
            boundary=self._boundary,
            is_running=self._is_running,
            metrics_url=None if self._policy_runtime is None else self._policy_runtime.alerts.metrics_url,
        )

    def __enter__(self) -> Self:
        settle()
        with self._lifecycle:
            self._entered += 1
            if self._entered == 1:
                self._stops_on_exit = self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        settle()
        with self._lifecycle:
            self._entered -= 1
            if self._entered == 0 and self._stops_on_exit:
                self._stops_on_exit = False
                self._stop(STOPPED if error is None else describe_error(error, self.settings.argv))

    def __call__(self, function: FunctionT) -> FunctionT:
        """Decorate a function: watching runs from the first call that begins to the last that ends."""
        return wrap_function(function, self)

    def _open(self) -> Observer:
        started = self._clock.wall()
        settings, policy = self.settings, self.policy
        self._engine = choose_engine(settings.trace)
        run = make_run_row(
            settings.service,
            started=started,
            policy_sha256=None if policy is None else policy.sha256,
            argv=settings.argv,
            release=settings.release,
            labels=find_labels(settings.labels, report=partial(self._boundary.note, "read labels")),
            trace=self._engine.name,
            sampling_interval_bytes=INTERVAL_BYTES if self._engine.name == "sampled" else None,
        )
        self._live = make_live_run(settings.service, policy)
        return Observer(
            settings,
            run=run,
            reader=self._make_reader(),
            clock=self._clock,
            policy_runtime=self._policy_runtime,
            engine=self._engine.name,
            live=self._live,
            report=lambda error: self._boundary.note("write the ledger", error),
        )

    def _follow(self, policy: "Policy", file: "PolicyFile | None") -> "PolicyRuntime":
        from memanalysis.watcher.make_policy_runtime import make_policy_runtime  # not loaded without a policy

        end = partial(self.stop, seal=False)
        return make_policy_runtime(
            self.settings, policy, file, clock=self._clock, restart=self.restart, end_recording=end
        )

    def _note_start(self, observer: Observer) -> None:
        settings = self.settings
        data = {"interval_s": settings.interval_s, "trace": self._engine.name, "trace_reason": self._engine.reason}
        data |= {"trace_limit": settings.trace_limit, "machine_bytes": read_machine_bytes()}
        with self._boundary.guard("write an event"):
            observer.record_event("start", message=f"Watching {settings.service}.", data=data)

    def _tick(self) -> float | None:
        with self._boundary.guard("take a sample"), self._ticker.ticking:
            if self._observer is not None and not self._ticker.is_stopping():
                self._observer.tick()
                return self._observer.pace
        return None

    def _check(self) -> float | None:
        """Do what is due between two ticks; gives the time of the next check."""
        with self._boundary.guard("check for growth"), self._ticker.ticking:
            if self._observer is not None and not self._ticker.is_stopping():
                return self._observer.check()
        return None

    def _do(self, what: str, action: Callable[[Observer], None]) -> bool:
        settle()
        done = False
        with self._boundary.guard(what):
            if self._is_running and self._observer is not None:
                action(self._observer)
                done = True
        return done

    def _record_error(self, what: str, error: str) -> None:
        if self._observer is not None:
            self._observer.record_event("error", level="warning", message=error, data={"during": what})

    def _forget_in_child(self) -> None:
        """Be quiet in a forked child: the thread and the run are the parent's."""
        self._lifecycle = threading.RLock()
        self._ticker.forget_parent()
        self._is_running = False
        self._stops_on_exit = False
        self._live = None
        if self._observer is not None:
            self._observer.release()


def load_for_ticks() -> None:
    """Import what ticks import at their first need: modules of the program have Python's names."""
    import ctypes  # noqa: F401


def forget_parent() -> None:
    """In a forked child: nothing is recorded, until a recorder is started there."""
    if is_forking():  # the copy reads what is traced, and ends
        return
    for recorder in list(_running):
        note_family(recorder.settings.service, recorder.started_in)
        recorder._forget_in_child()
    _running.clear()


call_in_child(forget_parent)


def take_last_samples() -> None:
    """Take the last sample of each recorder as the main program ends, unless it goes on in other threads."""
    if not has_working_threads():
        for recorder in list(_running):
            recorder.take_last()
