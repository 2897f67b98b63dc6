"""How did each run of a ledger end? As its row records, or as found now, where its process is gone without a record.

Nothing is written: whoever maintains the ledger notes it (`memanalysis.ledger.maintenance.note_ends`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS
from memanalysis.analysis.verdict import Reason
from memanalysis.analysis.verdict_frame import frame_from_table
from memanalysis.analysis.verdict_sentence import write_sentence
from memanalysis.ledger.maintenance.note_ends import find_unnoted_end, list_live_files
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.schema import RESTART_EXIT_CODE

__all__ = [
    "DEATHS",
    "RUN_COLUMNS",
    "Cause",
    "RunEnd",
    "find_cause",
    "mark_ended",
    "read_run_ends",
    "read_runs",
    "rewrite_sentences",
]


class Cause(StrEnum):
    """Why a run ended, as far as it is known."""

    UNKNOWN = "unknown"
    RETURNED = "returned"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    EXCEPTION = "exception"
    MEMORY_LIMIT = "memory_limit"
    SIGNAL = "signal"
    CRASH = "crash"
    OUT_OF_MEMORY = "out_of_memory"
    MACHINE_RESTARTED = "machine_restarted"
    EXITED = "exited"
    KILLED = "killed"


DEATHS = frozenset(Cause) - {Cause.UNKNOWN, Cause.RETURNED, Cause.STOPPED, Cause.INTERRUPTED}
"""Ends that somebody has to explain."""

CRASHES = frozenset({"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT"})

SIGKILL = 9

STOPS = {15: "SIGTERM", 2: "SIGINT", 1: "SIGHUP", 3: "SIGQUIT"}
"""Signals by which a process is asked to end, by their numbers on every system that has them."""

_TIME_CODES = f"{Reason.AT_LIMIT}|{Reason.OVER_LIMIT}|{Reason.REACHES_LIMIT}"

RUN_COLUMNS = (
    "service", "run_id", "host", "pid", "parent_pid", "program_pid", "started", "ended", "python", "argv", "git_commit",
    "release", "trace", "at_start", "ending",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """The end of one run.

    Parameters
    ----------
    run : mapping
        Its row of ``runs``, without packages; unknown is None.
    ending : mapping
        The cell ``ending``, or what shows now.
    cause : Cause
        Why it ended.
    notes_end : bool
        Whether it would have noted an end in order, as others of its family did.
    """

    run: Mapping[str, Any]
    ending: Mapping[str, Any]
    cause: Cause
    notes_end: bool = False

    @property
    def is_worker(self) -> bool:
        """Whether it is a process below a program, as far as that is known."""
        program = self.run.get("program_pid")
        return program is not None and program != self.run.get("pid")

    @property
    def is_death(self) -> bool:
        """Whether it did not end in order.

        Many a forked worker ends by ``os._exit(0)``, which leaves no more traces than SIGKILL does. So a process below
        a program counts as dead only where something speaks for it: an exit status, the kernel's counters, or that it
        would have noted another end. A worker whose own program sends it SIGTERM, as a pool does at its end, is none.
        """
        if not self.is_worker:
            return self.cause in DEATHS
        if self.cause is Cause.KILLED:
            return self.notes_end or self.ending.get("exit_status") is not None
        own = (self.run.get("parent_pid"), self.run.get("program_pid"))
        is_stopped = self.ending.get("signal") == "SIGTERM" and self.ending.get("sender_pid") in own
        return self.cause in DEATHS and not is_stopped

    @property
    def was_asked(self) -> bool:
        """Whether somebody asked it to end, as a deploy or a policy does by a signal or the code of a restart."""
        status = self.ending.get("exit_status")
        if self.cause is Cause.SIGNAL:
            number = -status if isinstance(status, int) else 0
            return self.ending.get("signal") in STOPS.values() or number in STOPS
        return RESTART_EXIT_CODE in (self.ending.get("exit_code"), status)

    @property
    def has_ended(self) -> bool:
        """Whether it is known to be over."""
        return self.cause is not Cause.UNKNOWN or self.run.get("ended") is not None


def read_runs(ledger: Ledger, *, and_columns: Sequence[str] = ()) -> pd.DataFrame:
    """Return the columns of the table ``runs`` that show families and ends, and others that are wanted."""
    return ledger.read("runs", columns=[*RUN_COLUMNS, *and_columns])


def read_run_ends(ledger: Ledger, runs: pd.DataFrame | None = None) -> dict[tuple[str, str], RunEnd]:
    """Return by service and run how each run of a ledger ended; ``runs`` are its rows, where they were read before."""
    rows = read_runs(ledger) if runs is None else runs[list(RUN_COLUMNS)]
    root = Path(ledger.path)
    live = list_live_files(root) if root.is_dir() else None
    ends: dict[tuple[str, str], RunEnd] = {}
    noting = _find_noting_families(rows)
    for row in rows.to_dict("records"):
        run = {str(name): _plain(value) for name, value in row.items()}
        ending = run["ending"] if isinstance(run["ending"], Mapping) else {}
        if not ending and run["ended"] is None and live is not None:
            ending = find_unnoted_end(live, _with_seconds(run)) or {}
        ends[run["service"], run["run_id"]] = RunEnd(
            run=run, ending=ending, cause=find_cause(ending), notes_end=_is_end_noted(run, noting)
        )
    return ends


def _find_noting_families(rows: pd.DataFrame) -> set[tuple[Any, Any]]:
    """Return host and program of each family in which a worker that was merely forked has noted how it ended."""
    return {
        (row["host"], row["program_pid"])
        for row in rows[rows["ended"].notna()].to_dict("records")
        if isinstance(row["at_start"], Mapping)
        and row["at_start"].get("notes_end") is False
        and isinstance(row["ending"], Mapping)
        and row["ending"].get("how") in ("returned", "exception")
    }


def _is_end_noted(run: Mapping[str, Any], noting: set[tuple[Any, Any]]) -> bool:
    """Return whether a run would have noted an end in order, or a signal other than SIGKILL."""
    state = run["at_start"] if isinstance(run["at_start"], Mapping) else {}
    is_noted = state.get("notes_end") is True or (run["host"], run["program_pid"]) in noting
    return bool(state.get("sees_signals")) and is_noted


def find_cause(ending: Mapping[str, Any]) -> Cause:
    """Return why a run ended, from its cell ``ending``."""
    how, status = ending.get("how"), ending.get("exit_status")
    if how in ("returned", "stopped"):
        return Cause(how)
    if how == "signal":
        return Cause.CRASH if ending.get("signal") in CRASHES else Cause.SIGNAL
    if how == "exception":
        error = ending.get("exception")
        kind = error.get("type") if isinstance(error, Mapping) else None
        if kind == "KeyboardInterrupt":
            return Cause.INTERRUPTED
        return Cause.MEMORY_LIMIT if ending.get("limits") else Cause.EXCEPTION
    if how != "gone":
        return Cause.UNKNOWN
    if ending.get("kernel") or ending.get("oom_kills"):
        return Cause.OUT_OF_MEMORY
    if ending.get("machine_restarted"):
        return Cause.MACHINE_RESTARTED
    if isinstance(status, int) and status != -SIGKILL:
        return Cause.EXITED if status >= 0 else Cause.SIGNAL
    return Cause.KILLED


def mark_ended(verdicts: pd.DataFrame, ends: Mapping[tuple[str, str], RunEnd]) -> pd.DataFrame:
    """Return verdicts in which ``has_ended`` marks the runs that are over.

    A family is over with its master. One whose master was not recorded is over with the last of its members.
    """
    ended = {key for key, end in ends.items() if end.has_ended}
    is_family = verdicts["role"].eq("family").fillna(value=False).astype(bool)
    run_ids = verdicts["run_id"].where(~is_family, verdicts["family_id"])
    keys = _list_keys(verdicts["service"], run_ids)
    members = verdicts[~is_family & verdicts["family_id"].notna()]
    has_member_ended = [key in ended for key in _list_keys(members["service"], members["run_id"])]
    are_all_ended = pd.Series(has_member_ended, index=members.index, dtype=bool).groupby(members["family_id"]).all()
    over = set(are_all_ended[are_all_ended].index) - set(verdicts.loc[verdicts["role"].eq("master"), "family_id"])
    has_ended = [key in ended or (is_sum and key[1] in over) for key, is_sum in zip(keys, is_family, strict=True)]
    marked = verdicts.assign(has_ended=has_ended)
    names_time = np.array(has_ended, dtype=bool)
    reasons = marked.loc[names_time, "reasons"].astype("string")
    names_time[names_time] = reasons.str.contains(_TIME_CODES, na=False).to_numpy(dtype=bool)
    return rewrite_sentences(marked, pd.Series(names_time, index=marked.index))


def _list_keys(services: "pd.Series[str]", run_ids: "pd.Series[str]") -> list[tuple[Any, Any]]:
    """Return service and run of each row; Arrow gives its texts faster all at once than one by one."""
    return list(zip(services.to_numpy(dtype=object), run_ids.to_numpy(dtype=object), strict=True))


def rewrite_sentences(verdicts: pd.DataFrame, are_chosen: "pd.Series[bool]") -> pd.DataFrame:
    """Return verdicts in which the sentences of some rows are written again from their columns."""
    if not are_chosen.any():
        return verdicts
    written = write_sentence(frame_from_table(verdicts[are_chosen]), DEFAULT_THRESHOLDS)["sentence"]
    sentences = verdicts["sentence"].astype(object).copy()
    sentences[are_chosen] = written
    return verdicts.assign(sentence=sentences.astype(verdicts["sentence"].dtype))


def _with_seconds(run: Mapping[str, Any]) -> dict[str, Any]:
    started = run["started"]
    return {**run, "started": None if started is None else started.timestamp()}


def _plain(value: Any) -> Any:
    """Return a cell as Python has it; unknown is None."""
    if isinstance(value, (list, tuple, Mapping)):
        return value
    return None if pd.isna(value) else value.item() if hasattr(value, "item") else value
