"""Sites by the user's own line: what a library allocates counts for the line of the user's code that called it."""

import pandas as pd

__all__ = ["ALLOCATING", "use_user_lines"]

ALLOCATING = {"file": "allocated_file", "line": "allocated_line", "function": "allocated_function"}
"""Where the line that allocates itself is kept, by what the user's line takes the place of."""


def use_user_lines(sites: pd.DataFrame) -> pd.DataFrame:
    """Return sites with the user's line as ``file``, ``line``, ``function``, and the line that allocates beside it.

    Parameters
    ----------
    sites : DataFrame
        Rows of the table ``sites``, with ``user_file`` where that is known.

    Returns
    -------
    DataFrame
        With ``allocated_file``, ``allocated_line`` and ``allocated_function`` for every row; what has these already is
        returned as it is.
    """
    if "allocated_file" in sites:  # done already
        return sites
    sites = sites.assign(**{place: sites.get(name) for name, place in ALLOCATING.items()})
    if "user_file" not in sites:
        return sites
    is_in_a_library = sites["user_file"].notna()
    if not is_in_a_library.any():
        return sites
    for name in ALLOCATING:
        theirs = sites[name].astype(object) if name in sites else pd.Series(None, index=sites.index, dtype=object)
        user = sites.get(f"user_{name}")
        sites[name] = theirs.where(~is_in_a_library, None if user is None else user.astype(object))
    return sites
