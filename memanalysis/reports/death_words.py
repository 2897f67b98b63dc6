"""Describe why a run ended, in the words of a ticket, and what to do next."""

from collections.abc import Mapping, Sequence
from typing import Any

from memanalysis._text import make_printable
from memanalysis.reports.verdict_cells import render_place
from memanalysis.units import format_bytes
from memanalysis.verdicts.run_ends import Cause, RunEnd

__all__ = ["describe_cause", "describe_proof", "list_next_steps", "name_limit"]

NEAR_SHARE = 0.9
"""A last sample from this part of the limit on indicates a kill for lack of memory."""

LIMIT_NAMES = {"address_space_bytes": "RLIMIT_AS", "private_memory_bytes": "RLIMIT_DATA"}
"""Limits of a process by the names that ``ending`` has for them, as setrlimit(2) calls them."""

_NATIVE_TOOLS = (
    "memray run --native or a heap profiler for C, such as heaptrack, shows which calls allocate. "
    "MALLOC_ARENA_MAX=2 shows whether the C allocator merely keeps what was freed."
)


def describe_cause(end: RunEnd, *, limit_share: float | None, short: bool) -> str:
    """Return what happened to a process, to follow its name.

    Parameters
    ----------
    end : RunEnd
    limit_share : float or None
        Memory at the last sample as a part of what the container allows.
    short : bool
        Whether files are named without their folders.
    """
    ending, cause = end.ending, end.cause
    if cause is Cause.OUT_OF_MEMORY:
        return "was killed by the kernel for lack of memory (SIGKILL)"
    if cause is Cause.MACHINE_RESTARTED:
        return "ended with its machine, which was restarted"
    if cause is Cause.EXITED:
        return f"left with exit code {ending['exit_status']} without ending in order, as os._exit() does"
    if cause in (Cause.SIGNAL, Cause.CRASH):
        name = make_printable(ending.get("signal", f"signal {-int(ending.get('exit_status', 0))}"))
        sender = ending.get("sender_pid")
        by = "" if sender is None or cause is Cause.CRASH else f", sent by process {sender}"
        return f"crashed with {name}" if cause is Cause.CRASH else f"was ended by {name}{by}"
    if cause in (Cause.EXCEPTION, Cause.MEMORY_LIMIT, Cause.INTERRUPTED):
        return f"ended with {_describe_exception(ending, short=short)}{_describe_refusal(ending)}"
    if cause is Cause.KILLED:
        if ending.get("exit_status") is not None:
            return "was killed by SIGKILL"
        if limit_share is not None and limit_share >= NEAR_SHARE:
            return "was killed (SIGKILL), probably for lack of memory"
        return "ended at once, by SIGKILL from outside or by os._exit()"
    return {Cause.RETURNED: "ended in order", Cause.STOPPED: "went on without being watched"}.get(cause, "has no end")


def describe_proof(end: RunEnd) -> str:
    """Return what the cause is known from; empty where nothing is to be added."""
    ending = end.ending
    if isinstance(ending.get("kernel"), str):
        return f"the kernel's log: {make_printable(ending['kernel'])}"
    if kills := ending.get("oom_kills"):
        return f"its cgroup counts {_count_kills(kills)} since the run began"
    if kills := ending.get("host_oom_kills"):
        return f"the machine counts {_count_kills(kills)} since the run began, which may be another process"
    if end.cause is Cause.KILLED and end.ending.get("exit_status") is not None:
        return "its parent was given this signal as its end"
    if end.cause is Cause.KILLED:
        sees = isinstance(end.run.get("at_start"), Mapping) and end.run["at_start"].get("sees_signals")
        others = "no exit handler and no signal handler ran" if sees else "no exit handler ran"
        return f"its process is gone, and {others}"
    by = {"handler": "noted as the signal came", "program": "noted by the program itself"}
    return by.get(str(ending.get("seen_by")), "")


def name_limit(end: RunEnd) -> tuple[str, int] | None:
    """Return name and bytes of the limit of the process that refused it memory; None where there is none."""
    limits = end.ending.get("limits")
    if not isinstance(limits, Mapping):
        return None
    known = [(LIMIT_NAMES[name], int(size)) for name, size in limits.items() if name in LIMIT_NAMES]
    return min(known, key=lambda limit: limit[1], default=None)


def list_next_steps(
    end: RunEnd,
    *,
    place: str | None,
    callers: Sequence[str],
    held_by: str | None,
    limit_share: float | None,
    is_growing: bool,
    is_native: bool,
    is_traced: bool,
    later_run: str | None = None,
) -> list[str]:
    """Return what to do, the most useful first; a few lines.

    Parameters
    ----------
    place : str or None
        The line that held the memory.
    callers : sequence of str
        Lines that called it.
    held_by : str or None
        The chain of references that holds it.
    is_growing, is_native : bool
        Whether memory grew, and not by Python's objects.
    is_traced : bool
        Whether the run was to find the lines that grow.
    later_run : str or None
        ID of the run that came after.
    """
    steps = []
    is_memory = (
        end.cause in (Cause.OUT_OF_MEMORY, Cause.MEMORY_LIMIT)
        or bool(end.ending.get("is_memory"))
        or (limit_share or 0.0) >= NEAR_SHARE
    )
    if end.cause in (Cause.EXCEPTION, Cause.CRASH) and not is_memory:
        what = _describe_exception(end.ending, short=True) if end.cause is Cause.EXCEPTION else "the crash"
        steps.append(f"Find the cause of {what}. The growth of memory may have nothing to do with it.")
    if is_growing and is_native:
        near = f" behind {place}" if place else ""
        steps.append(f"Check the native library{near}: Python's objects do not carry the growth. {_NATIVE_TOOLS}")
    elif is_growing and place:
        called = f", called from {' and '.join(callers)}" if callers else ""
        held = f"{held_by} keeps what is made there" if held_by else "what is made there is kept"
        steps.append(f"Start at {place}{called}: {held}. Bound what keeps it, or drop entries that are done.")
    elif is_growing and is_traced:
        steps.append("Call recorder.snapshot_now() while its memory grows, which writes the lines that hold it.")
    elif is_growing:
        steps.append('Record the next run with trace="auto", which names the line that grows.')
    if end.cause is Cause.MEMORY_LIMIT and (limit := name_limit(end)):
        steps.append(
            f"If it may use more than {format_bytes(limit[1])}, raise {limit[0]}, which counts what is mapped."
        )
    elif is_memory and is_growing:
        steps.append("Until then restart it before it reaches the limit: a higher limit only delays the end.")
    elif is_memory:
        steps.append("Raise the limit, or start fewer processes: its memory did not grow.")
    if end.cause is Cause.SIGNAL:
        sender = end.ending.get("sender_pid")
        who = f"process {sender} of user {end.ending.get('sender_uid')}" if sender else "a supervisor or a deploy"
        steps.append(f"Ask why {who} sent it: a stop and a failed health check look alike from inside.")
    if end.cause is Cause.KILLED:
        pid = end.run.get("pid")
        steps.append(
            f"Ask the kernel and the supervisor: journalctl -k | grep -i 'killed process {pid}', "
            "then stops that timed out and failed health checks."
            + ("" if end.ending.get("exit_status") is not None else " Search the program for os._exit().")
        )
    if later_run is not None:
        steps.append(f"Check the run since then: memanalysis report LEDGER --run {later_run}")
    return steps


def _describe_exception(ending: Mapping[str, Any], *, short: bool) -> str:
    error = ending.get("exception")
    if not isinstance(error, Mapping):
        return "an exception"
    message = str(error.get("message") or "").strip().split("\n")[0]
    text = f"{error.get('type')}: {message}" if message else str(error.get("type"))
    file, line = error.get("file"), error.get("line")
    where = ""
    if isinstance(file, str) and isinstance(line, int):
        function = error.get("function")
        inside = f" in {function}" if isinstance(function, str) and function != "<module>" else ""
        where = f" at {render_place(file, line, short=short)}{inside}"
    return make_printable(text) + make_printable(where)


def _describe_refusal(ending: Mapping[str, Any]) -> str:
    limits = ending.get("limits")
    if not isinstance(limits, Mapping):
        return ""
    known = [(LIMIT_NAMES[name], size) for name, size in limits.items() if name in LIMIT_NAMES]
    return "".join(f" ({name} lets it map {format_bytes(size)} in all)" for name, size in known[:1])


def _count_kills(kills: object) -> str:
    return f"{kills} out-of-memory {'kill' if kills == 1 else 'kills'}"
