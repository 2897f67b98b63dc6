"""Order verdicts, the worst first, and write the sentence over all of them."""

import pandas as pd

from memanalysis.analysis.verdict import SEVERITIES, UNREADABLE
from memanalysis.reports.verdict_cells import render_all_cells
from memanalysis.verdicts.unreadable import is_unreadable

__all__ = ["order_verdicts", "render_headline"]


def order_verdicts(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Sort by severity, then the soonest to its limit; what was not read or not decided comes before what is fine.

    Accepted leaks come after those that are not, whatever their severity, and before what is fine.
    """
    rank = pd.DataFrame(
        {
            "severity": -verdicts["severity"].map(SEVERITIES.index).astype(float).mask(_are_accepted(verdicts), 0.5),
            "decided": verdicts["shape"].map({UNREADABLE: 0, "inconclusive": 1}).fillna(2),
            "time": pd.to_numeric(verdicts["time_to_exhaustion_s"]).fillna(float("inf")),
            "service": verdicts["service"].astype(str),
        },
        index=verdicts.index,
    )
    order = rank.sort_values(["severity", "decided", "time", "service"], kind="stable").index
    return verdicts.loc[order].reset_index(drop=True)


def render_headline(verdicts: pd.DataFrame) -> str:
    """Return a sentence on how many services leak, and what the worst of them does."""
    unreadable, verdicts = verdicts[is_unreadable(verdicts)], verdicts[~is_unreadable(verdicts)]
    n_damaged = len(set(unreadable["service"].map(str)))
    damaged = f" Some data of {_count(n_damaged)} could not be read." if n_damaged else ""
    services = verdicts["service"].nunique()
    if not services:
        return f"No service can be judged.{damaged}" if damaged else "Nothing was recorded: the ledger has no samples."
    are_accepted = _are_accepted(verdicts)
    leaking = verdicts[verdicts["is_leak"].astype(bool) & ~are_accepted]
    n_accepted = int(are_accepted.sum())
    open_ones = verdicts[(verdicts["shape"] == "inconclusive") & ~verdicts["service"].isin(leaking["service"])]
    n_leaking, n_open = leaking["service"].nunique(), open_ones["service"].nunique()
    unclear = f" {n_open} cannot be judged yet: more samples are needed." if n_open else ""
    if n_accepted:
        unclear += f" {n_accepted} known {'leak is' if n_accepted == 1 else 'leaks are'} accepted and not counted."
    unclear += damaged
    if not n_leaking:
        return (
            f"No {'other ' if n_accepted else ''}leak was shown in {_count(services - n_open)}.{unclear}"
            if n_open < services
            else f"{_count(services)} cannot be judged yet: more samples are needed.{damaged}"
        )
    worst = render_all_cells(order_verdicts(leaking))[0]
    place = f", at {worst.responsible}" if ":" in worst.responsible else ""
    what = f"{worst.service} grows by {worst.growth.removeprefix('+')}{place}"
    if n_leaking == 1:
        return f"1 of {_count(services)} leaks: {what}.{unclear}"
    return f"{n_leaking} of {_count(services)} leak. The worst: {what}.{unclear}"


def _are_accepted(verdicts: pd.DataFrame) -> "pd.Series[bool]":
    return verdicts["known"].eq("accepted").fillna(value=False).astype(bool)


def _count(services: int) -> str:
    return f"{services} service" if services == 1 else f"{services} services"
