"""Assess each service of a ledger: ledger, policy and analysis joined in one call.

Nothing is judged here: the ledger is cut into parts, an engine judges each, and what they give is one frame.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

import pandas as pd

from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.paths import PARTITION_PREFIX, slug_of_service
from memanalysis.ledger.reading.file_sources import SkippedRows
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.ledger.reading.ledger_part import LedgerPart
from memanalysis.policy.model import Policy
from memanalysis.verdicts.engines import IN_PROCESS, Engine, EngineSource, resolve_engine
from memanalysis.verdicts.known_leaks import KnownLeaksSource, apply_known_leaks, resolve_known_leaks
from memanalysis.verdicts.ledger_parts import plan_parts
from memanalysis.verdicts.part_verdicts import PartJob, assess_tables, join_verdicts, judge_part
from memanalysis.verdicts.recorded_limits import read_limits
from memanalysis.verdicts.run_ends import RUN_COLUMNS, RunEnd, mark_ended, read_run_ends, read_runs
from memanalysis.verdicts.run_selection import RunSelection, select_runs
from memanalysis.verdicts.run_spans import Moment
from memanalysis.verdicts.sources import LedgerSource, PolicySource, resolve_ledger, resolve_policy
from memanalysis.verdicts.unreadable import add_unreadable

__all__ = ["JudgedLedger", "assess", "judge_ledger"]

EVERY_RUN = RunSelection()


@dataclass(frozen=True, slots=True)
class JudgedLedger:
    """Verdicts on a ledger, and what had to be left out of what was read for them, in whichever process.

    ``spans`` are when each run was recorded, as `read_spans` gives them; none where they were not asked for.
    """

    verdicts: pd.DataFrame
    damage: list[SkippedRows]
    spans: pd.DataFrame


def assess(
    ledger_or_frame: LedgerSource | pd.DataFrame,
    *,
    policy: PolicySource = None,
    known_leaks: KnownLeaksSource = None,
    today: date | None = None,
    services: Collection[str] | None = None,
    since: Moment | None = None,
    only_latest: bool = False,
    engine: EngineSource = "pandas",
) -> pd.DataFrame:
    """Return the verdicts on a ledger, a row a service and run, and one a family of processes.

    Parameters
    ----------
    ledger_or_frame : Ledger, path, URL or DataFrame
        A ledger, or its ``samples`` table; only a ledger names guilty lines, because they are in its ``sites``.
    policy : path, mapping or Policy, optional
        Gives each service its budget and the thresholds of severity. Without one no budget applies but the limit that
        the samples themselves hold (``limit_bytes``, from the container), and thresholds are the shipped defaults.
    known_leaks : path or entries, optional
        A file of accepted leaks (see `memanalysis.policy.known_leaks_file`). The column ``known`` then shows which are
        accepted, which were and are no longer, and which are new. Without one every leak is new.
    today : date, optional
        The day by which entries expire; today in UTC when not given.
    services : collection of str, optional
        Runs of these services only.
    since : float, str or datetime, optional
        Only runs that were still recorded then or later: seconds since 1970, ISO 8601 text or a datetime.
    only_latest : bool
        Of each service only the run that was recorded last, and those beside it, such as workers.
    engine : {"pandas", "dask"}
        Where the ledger is judged: in this process, one part after the other, or on a Dask cluster (extra ``fleet``).
        That is the cluster of the client that this process has, such as ``distributed.Client("tcp://...")``, else one
        of this machine that is closed afterwards. Both give the same frame.

    Returns
    -------
    DataFrame
        Columns as in `memanalysis.analysis.verdict.VERDICT_COLUMNS`. What a ledger holds that cannot be read or judged
        is a row of the shape ``unreadable``, whose sentence names the files and the reasons.

    Raises
    ------
    InvalidArgumentError
        The first argument is neither ledger, path nor frame; runs of a frame were to be selected; the ledger has no
        such service; ``since`` is no moment; or there is no such engine.
    MissingDependencyError
        The engine needs a package that is not installed.
    EngineError
        The cluster went away.
    LedgerError
        The ledger cannot be read.
    PolicyError
        The policy or the file of known leaks is broken.

    See Also
    --------
    memanalysis.report : The same with charts, breaches and events, as a page.
    memanalysis.assess_series : The verdict on one series of numbers.
    memanalysis.compare : What changed from one ledger to another.

    References
    ----------
    Theil (1950) and Sen (1968), J. Am. Stat. Assoc. 63, 1379-1389: the slope, as the median of pairwise slopes.

    Examples
    --------
    >>> import memanalysis
    >>> verdicts = memanalysis.assess("sample_ledgers/leaking_service")
    >>> verdict = verdicts.iloc[0]
    >>> verdict["shape"], bool(verdict["is_leak"]), int(verdict["responsible_line"])
    ('growing', True, 58)
    >>> print(verdict["sentence"])  # doctest: +ELLIPSIS
    A leak: grows by 2.8 GiB/h (2.7 to 2.9), and its baseline rises in each of 7 windows...

    A policy gives each service a budget, and so the time until it is spent:

    >>> policy = {"memory_budgets": {"global": {"max_memory_mb": 512}}}
    >>> verdicts = memanalysis.assess("sample_ledgers/leaking_service", policy=policy)
    >>> verdicts["time_to_exhaustion_s"].div(60).round(1).tolist()  # in minutes
    [9.2]
    """
    resolved = resolve_policy(policy, call="assess")
    known = resolve_known_leaks(known_leaks, call="assess")
    selection = RunSelection(services=services, since=since, only_latest=only_latest)
    works_on = resolve_engine(engine, call="assess")
    if isinstance(ledger_or_frame, pd.DataFrame):
        if not selection.is_all:
            raise InvalidArgumentError(
                "assess selects runs of a ledger, but got a DataFrame. Pass the rows of the runs that are wanted."
            )
        verdicts = assess_tables(ledger_or_frame, policy=resolved)
    else:
        ledger = resolve_ledger(ledger_or_frame, call="assess")
        verdicts = judge_ledger(ledger, resolved, selection, engine=works_on).verdicts
    return apply_known_leaks(verdicts, known, today=today)


def judge_ledger(
    ledger: Ledger,
    policy: Policy | None,
    selection: RunSelection = EVERY_RUN,
    *,
    runs: pd.DataFrame | None = None,
    ends: Mapping[tuple[str, str], RunEnd] | None = None,
    engine: Engine = IN_PROCESS,
    wants_spans: bool = False,
) -> JudgedLedger:
    """Judge the samples of a ledger part by part.

    ``runs`` are its rows, as `read_runs` gives them, and ``ends`` how they ended, where they were read before.
    """
    runs = read_runs(ledger) if runs is None else runs[list(RUN_COLUMNS)]
    parts = plan_parts(ledger, runs, max_bytes=engine.max_part_bytes)
    with engine:
        chosen = None if selection.is_all else select_runs(ledger, selection, parts=parts, engine=engine)
        jobs = [replace(job, wants_spans=wants_spans) for job in _make_jobs(ledger, policy, parts, runs, chosen)]
        judged = join_verdicts(engine.map(partial(judge_part, ledger), jobs))
    damage = sorted(dict.fromkeys([*ledger.damage_found, *judged.damage]), key=lambda record: record.file)
    verdicts = add_unreadable(judged.verdicts, damage, judged.failed)
    ended = mark_ended(verdicts, read_run_ends(ledger, runs) if ends is None else ends)
    return JudgedLedger(ended, damage, judged.spans)


def _make_jobs(
    ledger: Ledger, policy: Policy | None, parts: list[LedgerPart], runs: pd.DataFrame, chosen: pd.DataFrame | None
) -> list[PartJob]:
    """Return what is to be judged of each part; parts without a chosen run are left out."""
    if len(parts) == 1:
        return [PartJob(part=parts[0], policy=policy, runs=runs, chosen=chosen)]
    folder_of_run = _name_folders(runs)
    folder_of_chosen = None if chosen is None else _name_folders(chosen)
    jobs = []
    for part in parts:
        own_runs = runs[_are_of(part, folder_of_run, runs)]
        job = PartJob(part=part, policy=policy, runs=own_runs)
        if part.run_ids is not None and policy is not None and policy.follows_limit:
            job = replace(job, limits=read_limits(ledger, own_runs["service"].dropna().unique()))
        if chosen is not None and folder_of_chosen is not None:
            own = chosen[_are_of(part, folder_of_chosen, chosen)]
            if own.empty:
                continue
            part = replace(part, run_ids=tuple(own["run_id"].astype(object).where(own["run_id"].notna(), None)))
            job = replace(job, part=part, chosen=own)
        jobs.append(job)
    return jobs or [PartJob(part=replace(parts[0], run_ids=()), policy=policy, runs=runs)]


def _name_folders(rows: pd.DataFrame) -> "pd.Series[str]":
    slugs = {
        name: f"{PARTITION_PREFIX}{slug_of_service(None if pd.isna(name) or not name else str(name))}"
        for name in rows["service"].unique()
    }
    return rows["service"].map(slugs)


def _are_of(part: LedgerPart, folders: "pd.Series[str]", rows: pd.DataFrame) -> "pd.Series[bool]":
    are_of = folders.isin(part.partitions or ())
    return are_of if part.run_ids is None else are_of & rows["run_id"].isin(part.run_ids)
