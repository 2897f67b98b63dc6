"""Compare what grew from one ledger to another, from before a mark to after it, or from release to release."""

import pandas as pd

from memanalysis.analysis.comparison import compare_samples, compare_sites
from memanalysis.errors import InvalidArgumentError
from memanalysis.verdicts.comparison_sides import Side, cut_at_mark, cut_by_release, read_side
from memanalysis.verdicts.sources import LedgerSource, resolve_ledger

__all__ = ["choose_sides", "compare", "compare_sides"]


def compare(
    before: LedgerSource,
    after: LedgerSource | None = None,
    *,
    mark: str | None = None,
    release: tuple[str, str] | None = None,
) -> pd.DataFrame:
    """Compare two ledgers, or what one ledger holds before and after a mark, or of one release and another.

    Parameters
    ----------
    before, after : Ledger, path or URL
        The ledgers; without ``after``, ``mark`` or ``release`` cuts ``before`` in two.
    mark : str, optional
        Text of a mark (``recorder.mark("deploy 1.4")``). Each service is cut where it has this mark first, and its
        sides end at the neighbouring marks that differ only in words with digits, such as ``deploy 1.5``. Services
        without the mark are left out.
    release : (str, str), optional
        Two releases, or commits, of the table ``runs``: the runs of the first are compared with those of the second.

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
        Not exactly one of a second ledger, a mark and two releases was given, or the ledger has no such mark or
        release.
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
    return compare_sides(*choose_sides(before, after, mark=mark, release=release))


def choose_sides(
    before: LedgerSource,
    after: LedgerSource | None = None,
    *,
    mark: str | None = None,
    release: tuple[str, str] | None = None,
) -> tuple[Side, Side]:
    """Return the two sides that the arguments of `compare` stand for.

    Raises
    ------
    InvalidArgumentError, LedgerError
        As `compare` does.
    """
    given = [name for name, value in (("after", after), ("mark", mark), ("release", release)) if value is not None]
    if len(given) != 1:
        raise InvalidArgumentError(
            "compare needs a second ledger, mark= or release=, but got "
            f"{' and '.join(given) or 'none of them'}. Pass compare(before, after), "
            "compare(ledger, mark='deploy 1.4') or compare(ledger, release=('1.3', '1.4'))."
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
    return read_side(first), read_side(resolve_ledger(after, call="compare"))  # type: ignore[arg-type]


def compare_sides(before: Side, after: Side) -> pd.DataFrame:
    """Return what `compare` does, of two sides."""
    services = compare_samples(before.samples, after.samples)
    changed = services.loc[services["verdict"] != "same", "service"].unique()
    parts = [services, compare_sites(before.sites, after.sites, changed=changed)]
    filled = [part for part in parts if not part.empty]  # pandas 2 warns of empty ones, whose types would count later
    return pd.concat(filled or parts[:1], ignore_index=True).astype({"line": "Int64"})
