"""May this recording pass? What a gate finds in it: leaks, breaches of limits, regressions, and what is not judged."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import PurePath
from typing import Any, Literal, get_args

import pandas as pd

from memanalysis._text import make_printable
from memanalysis.analysis.budgets.budget_breaches import Budget, find_breaches
from memanalysis.analysis.comparison import WORSE
from memanalysis.analysis.leaks.accepted_leaks import are_unaccepted
from memanalysis.analysis.verdict import UNREADABLE
from memanalysis.errors import InvalidArgumentError, LedgerError
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.ledger.reading.ledger_part import LedgerPart
from memanalysis.policy.model import Policy
from memanalysis.policy.places import nearest
from memanalysis.schema import BUDGET_METRICS
from memanalysis.units import format_bytes, format_duration
from memanalysis.verdicts.assess import judge_ledger
from memanalysis.verdicts.change_sentences import describe_change
from memanalysis.verdicts.compare import compare
from memanalysis.verdicts.engines import IN_PROCESS
from memanalysis.verdicts.known_leaks import KnownLeaksSource, apply_known_leaks, resolve_known_leaks
from memanalysis.verdicts.ledger_parts import plan_service_parts
from memanalysis.verdicts.recorded_limits import read_limits
from memanalysis.verdicts.run_ends import Cause, RunEnd, read_run_ends
from memanalysis.verdicts.run_selection import RunSelection, select_runs
from memanalysis.verdicts.sources import LedgerSource, PolicySource, find_budgets, resolve_ledger, resolve_policy

__all__ = ["DEFAULT_FAIL_ON", "KINDS", "Finding", "count_kinds", "find_findings"]

Kind = Literal["leak", "breach", "regression", "unknown"]

KINDS: tuple[Kind, ...] = get_args(Kind)
"""What can be found."""

DEFAULT_FAIL_ON: tuple[Kind, ...] = ("leak", "breach", "regression")
"""A short run is often not judged, so what is unknown passes unless that is asked for."""

BREACH_LEVELS = ("critical",)
"""Levels of a budget that fail: a warning is no failure."""

BREACH_SAMPLE_COLUMNS = (
    *("service", "run_id", "timestamp", "elapsed_s"),
    *dict.fromkeys(column for columns in BUDGET_METRICS.values() for column in columns),
)
"""What of the samples shows a breach, whichever memory a budget counts."""

LACKS_OF_MEMORY = (Cause.OUT_OF_MEMORY, Cause.MEMORY_LIMIT)
"""Ends that are a breach of a limit: a kill by the kernel, and a MemoryError under a limit of the process."""

PROCESS_LIMITS = ("address_space_bytes", "private_memory_bytes")
"""Limits of a process, as the cell ``ending`` names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One reason not to pass.

    Parameters
    ----------
    kind : {"leak", "breach", "regression", "unknown"}
    service, run_id : str
        Whose it is; a regression has no run.
    text : str
        What was found, in a sentence.
    file, line : str, int, optional
        The line that is responsible, or that was refused memory, where it is known.
    """

    kind: Kind
    service: str
    run_id: str | None
    text: str
    file: str | None = None
    line: int | None = None


def find_findings(
    ledger: LedgerSource,
    *,
    policy: PolicySource = None,
    known_leaks: KnownLeaksSource = None,
    baseline: LedgerSource | None = None,
    fail_on: Collection[str] = DEFAULT_FAIL_ON,
    selection: RunSelection | None = None,
    today: date | None = None,
) -> list[Finding]:
    """Return every reason for which a recording does not pass; empty where it passes.

    Parameters
    ----------
    ledger : Ledger, path or URL
        The recording.
    policy, known_leaks, today
        As for `assess`.
    baseline : Ledger, path or URL, optional
        An earlier recording; without one there are no regressions.
    fail_on : collection of {"leak", "breach", "regression", "unknown"}
        What is looked for.
    selection : RunSelection, optional
        The runs that are judged; the latest of each service when not given.

    Raises
    ------
    InvalidArgumentError
        ``fail_on`` names something else, or the ledger or the runs are not there.
    LedgerError
        The ledger cannot be read or has no samples, or shares no service with the baseline: what did not happen must
        not pass.
    PolicyError
        The policy or the file of known leaks is broken.
    """
    unknown = [name for name in fail_on if name not in KINDS]
    if unknown or not fail_on:
        meant = next((near for name in unknown if (near := nearest(name, KINDS))), None)
        raise InvalidArgumentError(
            f"A check fails on some of {', '.join(KINDS)}, but got {', '.join(map(repr, unknown)) or 'none'}."
            + (f" Did you mean {meant}?" if meant else "")
        )
    if set(fail_on) == {"regression"} and baseline is None:
        raise InvalidArgumentError("A check for regressions needs a baseline. Name an earlier ledger.")
    opened = resolve_ledger(ledger, call="check")
    resolved = resolve_policy(policy, call="check")
    selection = selection or RunSelection(only_latest=True)
    ends = read_run_ends(opened)
    verdicts = judge_ledger(opened, resolved, selection, ends=ends).verdicts
    if verdicts[verdicts["shape"] != UNREADABLE].empty:
        raise LedgerError(
            f"There is nothing to check: {opened.path} has no samples of the runs that are asked about. "
            "Record the program first, such as with memanalysis run."
        )
    verdicts = apply_known_leaks(verdicts, resolve_known_leaks(known_leaks, call="check"), today=today)
    findings: list[Finding] = []
    if "leak" in fail_on:
        findings += _describe_verdicts(verdicts[are_unaccepted(verdicts)], "leak")
    if "breach" in fail_on:
        runs = select_runs(opened, selection)
        deaths = list(_find_deaths(runs, ends))
        findings += deaths
        findings += _find_breaches(opened, resolved, runs, needs_budget=set(fail_on) == {"breach"} and not deaths)
    if "unknown" in fail_on:
        findings += _describe_verdicts(verdicts[verdicts["shape"].isin([UNREADABLE, "inconclusive"])], "unknown")
    if "regression" in fail_on and baseline is not None:
        findings += _compare_with(
            resolve_ledger(baseline, call="check"),
            opened,
            services=set(verdicts["service"].dropna()),
            is_strict="unknown" in fail_on,
        )
    return findings


def _describe_verdicts(verdicts: pd.DataFrame, kind: Kind) -> Iterable[Finding]:
    for row in verdicts.to_dict("records"):
        yield Finding(
            kind=kind,
            service=_name(row["service"]),
            run_id=None if pd.isna(row["run_id"]) else str(row["run_id"]),
            text=str(row["sentence"]),
            **_place(row["responsible_file"], row["responsible_line"]),
        )


def _find_deaths(runs: pd.DataFrame, ends: Mapping[tuple[str, str], RunEnd]) -> Iterable[Finding]:
    """Return the runs that ended for lack of memory: they went beyond a limit, whether a policy names one or not."""
    for service, run_id in runs[["service", "run_id"]].itertuples(index=False, name=None):
        key = (None if pd.isna(service) else service, None if pd.isna(run_id) else run_id)
        end = ends.get(key)  # type: ignore[arg-type]
        if end is None or not end.is_death or end.cause not in LACKS_OF_MEMORY:
            continue
        when = "" if end.run.get("ended") is None else f" at {end.run['ended']:%Y-%m-%d %H:%M:%S} UTC"
        place: dict[str, Any] = {}
        if end.cause is Cause.OUT_OF_MEMORY:
            text = f"Was killed by the kernel for lack of memory{when}."
        else:
            file, line = (end.ending["exception"].get(name) for name in ("file", "line"))
            place = {"file": file, "line": line} if isinstance(file, str) and isinstance(line, int) else {}
            where = f" in {PurePath(file).name}:{line}" if isinstance(file, str) and place else ""
            limits = end.ending["limits"] if isinstance(end.ending["limits"], Mapping) else {}
            sizes = [limits[name] for name in PROCESS_LIMITS if isinstance(limits.get(name), int)]
            limit = f"its limit of {format_bytes(min(sizes))}" if sizes else "its limit"
            text = f"Ended with a MemoryError{where}{when}: {limit} refused it memory."
        yield Finding(kind="breach", service=_name(service), run_id=str(run_id), text=make_printable(text), **place)


def _find_breaches(
    ledger: Ledger, policy: Policy | None, runs: pd.DataFrame, *, needs_budget: bool
) -> Iterable[Finding]:
    budgets = find_budgets(policy, ledger.services, find_limits=lambda: read_limits(ledger, ledger.services))
    if not budgets:
        if needs_budget:
            raise InvalidArgumentError(
                f"A check for breaches needs budgets, but {ledger.path} has no limit of a container. Name a policy."
            )
        return
    parts = plan_service_parts([ledger], max_bytes=IN_PROCESS.max_part_bytes)
    found = [_find_breaches_of(ledger, part, runs, budgets) for part in parts]
    breaches = pd.concat([one for one in found if len(one)] or found[:1], ignore_index=True)
    for (service, run_id), own in breaches.groupby(["service", "run_id"], dropna=False, observed=True):
        worst = own.sort_values("worst_bytes").iloc[-1]
        times = "once" if len(own) == 1 else f"{len(own)} times"
        text = (
            f"At the critical level of its budget of {format_bytes(worst['budget_bytes'])} {times}, "
            f"for {format_duration(own['duration_s'].sum())} in all, with {format_bytes(worst['worst_bytes'])} "
            f"at most. It began at {worst['first']:%Y-%m-%d %H:%M:%S} UTC."
        )
        yield Finding(kind="breach", service=_name(service), run_id=str(run_id), text=text)


def _find_breaches_of(
    ledger: Ledger, part: LedgerPart, runs: pd.DataFrame, budgets: Mapping[str, Budget]
) -> pd.DataFrame:
    """Return the breaches of a part of the ledger that fail, of the runs that are asked about."""
    run_ids = runs["run_id"].astype(object).where(runs["run_id"].notna(), None)
    samples = ledger.read(
        "samples",
        columns=BREACH_SAMPLE_COLUMNS,
        services=sorted(runs["service"].dropna().unique()),
        part=replace(part, run_ids=tuple(dict.fromkeys(run_ids))),
    )
    breaches = find_breaches(samples.merge(runs, on=["service", "run_id"]), budgets)
    return breaches[breaches["level"].isin(BREACH_LEVELS)]


def _compare_with(baseline: Ledger, ledger: Ledger, *, services: Collection[str], is_strict: bool) -> Iterable[Finding]:
    """Return what is significantly worse than before: levels and growth, each with the line that rose most.

    Where the check is strict, also the services that could not be compared.
    """
    changes = compare(baseline, ledger)
    changes = changes[changes["service"].isin(services)]
    if changes.empty:
        raise LedgerError(
            f"There is nothing to compare: no service has enough samples both in {ledger.path} and in the baseline "
            f"{baseline.path}. Record both with the same names of services, and for longer."
        )
    for service in sorted(set(services) - set(changes["service"])) if is_strict else ():
        text = "Was not compared: it has not enough samples both here and in the baseline."
        yield Finding(kind="unknown", service=_name(service), run_id=None, text=text)
    worse = changes[changes["verdict"].isin(WORSE)]
    lines = worse[worse["what"] == "site_bytes"].drop_duplicates("service").set_index("service")
    for row in worse[worse["what"] != "site_bytes"].to_dict("records"):
        line: Mapping[Any, Any] = lines.loc[row["service"]] if row["service"] in lines.index else {}
        yield Finding(
            kind="regression",
            service=_name(row["service"]),
            run_id=None,
            text=describe_change(row, reference="in the baseline"),
            **_place(line.get("file"), line.get("line")),
        )


def _name(service: Any) -> str:
    return "(no service)" if pd.isna(service) else make_printable(str(service))


def _place(file: Any, line: Any) -> dict[str, Any]:
    return {} if file is None or pd.isna(file) or pd.isna(line) else {"file": str(file), "line": int(line)}


def count_kinds(findings: Sequence[Finding]) -> dict[Kind, int]:
    """Return how many findings there are of each kind that occurs."""
    counts = {kind: sum(finding.kind == kind for finding in findings) for kind in KINDS}
    return {kind: count for kind, count in counts.items() if count}
