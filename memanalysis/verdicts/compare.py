"""Compare what grew from one ledger to another, from before a mark to after it, or from release to release."""

from dataclasses import dataclass, field
from functools import partial

import pandas as pd

from memanalysis.analysis.comparison import (
    ServiceChange,
    contrast_samples,
    contrast_sites,
    find_changed_at_most,
    judge_samples,
    judge_sites,
)
from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.reading.ledger_part import WHOLE, LedgerPart
from memanalysis.verdicts.comparison_sides import (
    Cut,
    Side,
    TwoLedgers,
    cut_at_mark,
    cut_by_release,
    cut_since_release,
)
from memanalysis.verdicts.engines import EngineSource, resolve_engine
from memanalysis.verdicts.ledger_parts import plan_service_parts
from memanalysis.verdicts.sources import LedgerSource, resolve_ledger

__all__ = ["choose_sides", "compare", "compare_sides"]


def compare(
    before: LedgerSource,
    after: LedgerSource | None = None,
    *,
    mark: str | None = None,
    release: tuple[str, str] | None = None,
    since_release: str | None = None,
    engine: EngineSource = "pandas",
) -> pd.DataFrame:
    """Compare two ledgers, or what one ledger holds before and after a mark, or of one release and another.

    Parameters
    ----------
    before, after : Ledger, path or URL
        The ledgers; without ``after``, ``mark``, ``release`` or ``since_release`` cuts ``before`` in two.
    mark : str, optional
        Text of a mark (``recorder.mark("deploy 1.4")``). Each service is cut where it has this mark first, and its
        sides end at the neighbouring marks that differ only in words with digits, such as ``deploy 1.5``. Services
        without the mark are left out.
    release : (str, str), optional
        Two releases, or commits, of the table ``runs``: the runs of the first are compared with those of the second.
    since_release : str, optional
        A release or commit: the runs before it are compared with those of it and of all later ones. Each service is
        cut where its first run of the release started. Services without it are left out.
    engine : {"pandas", "dask"}
        Where the services are compared: some at a time in this process, or on a Dask cluster, as of `assess`. Both give
        the same frame.

    Returns
    -------
    DataFrame
        ``memanalysis.analysis.comparison.COMPARISON_COLUMNS``: for each service that both sides have its level and its
        slope, then its allocation sites, each with the change, its 95 % interval, how likely chance makes it
        (``p_value``, adjusted for the number of comparisons), and a verdict: ``more``, ``less``, ``same``, ``new`` or
        ``gone``. What may be noise is ``same``.

    Raises
    ------
    InvalidArgumentError
        Not exactly one of a second ledger, a mark, two releases and one release was given, the ledger has no such mark
        or release or nothing from before it, or there is no such engine.
    MissingDependencyError
        The engine needs a package that is not installed.
    EngineError
        The cluster went away.
    LedgerError
        A ledger cannot be read.

    See Also
    --------
    memanalysis.assess : Whether one ledger shows a leak.

    Examples
    --------
    A ledger differs from itself by nothing:

    >>> import memanalysis
    >>> changes = memanalysis.compare("sample_ledgers/batch_job", "sample_ledgers/batch_job")
    >>> changes["verdict"].unique().tolist()
    ['same']
    """
    works_on = resolve_engine(engine, call="compare")
    cut = _choose_cut(before, after, mark=mark, release=release, since_release=since_release)
    parts = plan_service_parts(cut.ledgers, max_bytes=works_on.max_part_bytes)
    with works_on:
        return _join_parts(list(works_on.map(partial(_compare_part, cut), parts)))


def choose_sides(
    before: LedgerSource,
    after: LedgerSource | None = None,
    *,
    mark: str | None = None,
    release: tuple[str, str] | None = None,
    since_release: str | None = None,
) -> tuple[Side, Side]:
    """Return the two sides that the arguments of `compare` stand for.

    Raises
    ------
    InvalidArgumentError, LedgerError
        As `compare` does.
    """
    return _choose_cut(before, after, mark=mark, release=release, since_release=since_release).read(WHOLE)


def compare_sides(before: Side, after: Side) -> pd.DataFrame:
    """Return what `compare` does, of two sides."""
    return _join_parts([_contrast(before, after)])


@dataclass(frozen=True, slots=True, kw_only=True)
class _PartChanges:
    """The changes of some services, not yet judged; of sites also as they are where the service changed."""

    samples: list[ServiceChange]
    sites: list[ServiceChange]
    sites_if_changed: list[ServiceChange] = field(default_factory=list)


def _compare_part(cut: Cut, part: LedgerPart) -> _PartChanges:
    return _contrast(*cut.read(part))


def _contrast(before: Side, after: Side) -> _PartChanges:
    samples = contrast_samples(before.samples, after.samples)
    maybe = find_changed_at_most(samples)
    old, new = (side.sites[side.sites["service"].isin(maybe)] for side in (before, after))
    return _PartChanges(
        samples=samples,
        sites=contrast_sites(before.sites, after.sites),
        sites_if_changed=contrast_sites(old, new, changed=maybe) if maybe else [],
    )


def _join_parts(parts: list[_PartChanges]) -> pd.DataFrame:
    """Judge the changes of all services at once."""
    services = judge_samples(change for part in parts for change in part.samples)
    changed = set(services.loc[services["verdict"] != "same", "service"])
    sites = [change for part in parts for change in part.sites if change.row["service"] not in changed]
    sites += [change for part in parts for change in part.sites_if_changed if change.row["service"] in changed]
    frames = [services, judge_sites(sites)]
    filled = [frame for frame in frames if not frame.empty]  # pandas 2 warns of empty ones, whose types would count
    return pd.concat(filled or frames[:1], ignore_index=True).astype({"line": "Int64"})


def _choose_cut(
    before: LedgerSource,
    after: LedgerSource | None,
    *,
    mark: str | None,
    release: tuple[str, str] | None,
    since_release: str | None,
) -> Cut:
    cuts = {"after": after, "mark": mark, "release": release, "since_release": since_release}
    given = [name for name, value in cuts.items() if value is not None]
    if len(given) != 1:
        raise InvalidArgumentError(
            "compare needs a second ledger, mark=, release= or since_release=, but got "
            f"{' and '.join(given) or 'none of them'}. Pass compare(before, after), "
            "compare(ledger, mark='deploy 1.4'), compare(ledger, release=('1.3', '1.4')) or "
            "compare(ledger, since_release='1.4')."
        )
    first = resolve_ledger(before, call="compare")
    if mark is not None:
        return cut_at_mark(first, mark)
    if release is not None:
        if isinstance(release, str) or len(release) != 2:
            raise InvalidArgumentError(
                f"compare needs release= as two names, but got {release!r}. Pass release=('1.3', '1.4')."
            )
        return cut_by_release(first, *release)
    if since_release is not None:
        return cut_since_release(first, since_release)
    return TwoLedgers(first, resolve_ledger(after, call="compare"))  # type: ignore[arg-type]
