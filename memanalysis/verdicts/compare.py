"""Compare what grew from one ledger to another, or from before a mark to after it."""

import pandas as pd

from memanalysis.analysis.comparison import compare_samples, compare_sites
from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.verdicts.sources import LedgerSource, resolve_ledger

__all__ = ["compare"]

Tables = tuple[pd.DataFrame, pd.DataFrame]


def compare(before: LedgerSource, after: LedgerSource | None = None, *, mark: str | None = None) -> pd.DataFrame:
    """Compare two ledgers, or what one ledger holds before and after a mark.

    Parameters
    ----------
    before, after : Ledger, path or URL
        The ledgers; without ``after``, ``mark`` cuts ``before`` in two.
    mark : str, optional
        Text of a mark (``recorder.mark("deploy 1.4")``); of several with one text the last counts.

    Returns
    -------
    DataFrame
        ``memanalysis.analysis.comparison.COMPARISON_COLUMNS``: for each service that both sides have its level and its
        slope, then its allocation sites, each with the change, its 95 % interval, and a verdict: ``more``, ``less``,
        ``same``, ``new`` or ``gone``. What lies within the noise is ``same``.

    Raises
    ------
    InvalidArgumentError
        Neither a second ledger nor a mark was given, or both, or the mark is not in the ledger.
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
    if (after is None) == (mark is None):
        given = "neither" if mark is None else "both"
        raise InvalidArgumentError(
            f"compare needs a second ledger or mark=, but got {given}. Pass compare(before, after), "
            "or compare(ledger, mark='deploy 1.4')."
        )
    first = resolve_ledger(before, call="compare")
    if after is not None:
        second = resolve_ledger(after, call="compare")
        sides = [(ledger.samples, ledger.sites) for ledger in (first, second)]
    else:
        sides = _cut_at_mark(first, str(mark))
    (samples_before, sites_before), (samples_after, sites_after) = sides
    parts = [compare_samples(samples_before, samples_after), compare_sites(sites_before, sites_after)]
    filled = [part for part in parts if not part.empty]  # pandas 2 warns of empty ones, whose types would count later
    return pd.concat(filled or parts[:1], ignore_index=True)


def _cut_at_mark(ledger: Ledger, mark: str) -> list[Tables]:
    """Samples and sites before the mark, and from it on."""
    events = ledger.events
    marks = events.loc[events["kind"].eq("mark") & events["message"].eq(mark), "timestamp"]
    if marks.empty:
        there = sorted(events.loc[events["kind"].eq("mark"), "message"].dropna().unique())
        raise InvalidArgumentError(
            f"compare needs a mark called {mark!r} in {ledger.path}, but it has {there or 'none'}. "
            "Set one with recorder.mark(text)."
        )
    moment = marks.max()
    samples, sites = ledger.samples, ledger.sites
    return [
        (samples[samples["timestamp"] < moment], sites[sites["timestamp"] < moment]),
        (samples[samples["timestamp"] >= moment], sites[sites["timestamp"] >= moment]),
    ]
