"""The trend of a ledger: what grew over some weeks, which leaks came and went, and when limits are reached."""

from dataclasses import dataclass
from datetime import date
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, overload

import pandas as pd

from memanalysis.errors import InvalidArgumentError
from memanalysis.reports.trend_sentences import render_trend_headline
from memanalysis.reports.written_page import return_or_write
from memanalysis.verdicts.engines import EngineSource, resolve_engine
from memanalysis.verdicts.known_leaks import KnownLeaksSource
from memanalysis.verdicts.sources import LedgerSource, PolicySource, resolve_ledger, resolve_policy
from memanalysis.verdicts.trend_facts import TrendFacts, read_trend

__all__ = ["DEFAULT_TOP", "DEFAULT_WEEKS", "MAX_WEEKS", "Trend", "trend"]

DEFAULT_WEEKS = 6

MAX_WEEKS = 520
"""Ten years: no ledger is older."""

DEFAULT_TOP = 12
"""Services that a page shows; the others are counted."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Trend:
    """The last weeks of a ledger, ready to be shown; in a notebook it shows itself.

    Parameters
    ----------
    ledger : str
        Where it is.
    facts : TrendFacts
        All that was found; the properties give its tables.
    top : int
        Services that a page shows, the worst.
    has_policy : bool
        Whether budgets came from a policy.
    """

    ledger: str
    facts: TrendFacts
    top: int
    has_policy: bool

    @property
    def title(self) -> str:
        """What a page is called."""
        weeks = "1 week" if self.facts.weeks == 1 else f"{self.facts.weeks} weeks"
        return f"Memory over {weeks} to {self.facts.until:%Y-%m-%d}"

    @property
    def headline(self) -> str:
        """What is to be known, in a few sentences."""
        return render_trend_headline(self.facts)

    @property
    def services(self) -> pd.DataFrame:
        """A row a service, the worst first: ``memanalysis.verdicts.trend_facts.SERVICE_COLUMNS``."""
        return self.facts.services

    @property
    def leaks(self) -> pd.DataFrame:
        """A row a leak that was seen in these weeks, with its status and when it was seen first and last."""
        return self.facts.leaks

    def __repr__(self) -> str:
        return f"<Trend of {self.ledger}: {self.headline}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        from memanalysis.reports.trend_pages import render_trend_text

        printer.text(repr(self) if cycle else render_trend_text(self))

    def _repr_html_(self) -> str:
        from memanalysis.reports.trend_page import render_trend_fragment

        return render_trend_fragment(self)

    @overload
    def to_html(self, path: None = None) -> str: ...
    @overload
    def to_html(self, path: str | PathLike[str]) -> Path: ...
    def to_html(self, path: str | PathLike[str] | None = None) -> str | Path:
        """Return one self-contained page without scripts; with a path write it there and return the path."""
        from memanalysis.reports.trend_page import render_trend_page

        return return_or_write(partial(render_trend_page, self), path, "Trend.to_html")

    @overload
    def to_markdown(self, path: None = None) -> str: ...
    @overload
    def to_markdown(self, path: str | PathLike[str]) -> Path: ...
    def to_markdown(self, path: str | PathLike[str] | None = None) -> str | Path:
        """Return sentences and tables as Markdown; with a path write them there and return the path."""
        from memanalysis.reports.trend_pages import render_trend_markdown

        return return_or_write(partial(render_trend_markdown, self), path, "Trend.to_markdown")

    @overload
    def to_json(self, path: None = None) -> str: ...
    @overload
    def to_json(self, path: str | PathLike[str]) -> Path: ...
    def to_json(self, path: str | PathLike[str] | None = None) -> str | Path:
        """Return everything as JSON, for programs; with a path write it there and return the path."""
        from memanalysis.reports.trend_pages import render_trend_json

        return return_or_write(partial(render_trend_json, self), path, "Trend.to_json")


def trend(
    ledger: LedgerSource,
    *,
    weeks: int = DEFAULT_WEEKS,
    policy: PolicySource = None,
    known_leaks: KnownLeaksSource = None,
    today: date | None = None,
    top: int = DEFAULT_TOP,
    engine: EngineSource = "pandas",
) -> Trend:
    """Return what the last weeks of a ledger were: growth week on week and by release, leaks, breaches, forecasts.

    Parameters
    ----------
    ledger : Ledger, path or URL
        Where the samples are. All of its runs are judged, so that a leak which is older than these weeks is not new.
    weeks : int
        How many weeks of seven days, back from the last sample of the ledger.
    policy : path, mapping or Policy, optional
        Budgets and thresholds, as for `assess`.
    known_leaks : path or entries, optional
        Accepted leaks, as for `assess`.
    today : date, optional
        The day by which they expire; today in UTC when not given.
    top : int
        Services that a page shows, the worst. The others are counted, and JSON has all.
    engine : {"pandas", "dask"}
        Where all runs are judged and the weeks are measured: some services at a time in this process, or on a Dask
        cluster, as of `assess`. Both give the same trend.

    Returns
    -------
    Trend
        It shows itself in a notebook; ``to_html``, ``to_markdown`` and ``to_json`` give it as text or write it.
        ``services`` and ``leaks`` are its tables.

    Raises
    ------
    InvalidArgumentError
        ``weeks`` or ``top`` is no positive number, the ledger is neither a `Ledger` nor a path, or there is no such
        engine.
    MissingDependencyError
        The engine needs a package that is not installed.
    EngineError
        The cluster went away.
    LedgerError
        The ledger cannot be read, or has no sample that has a service and a time.
    PolicyError
        The policy or the file of known leaks is broken.

    See Also
    --------
    memanalysis.report : Each service by itself, with its lines and events.
    memanalysis.compare : Two releases, with the lines that changed.

    Examples
    --------
    >>> import memanalysis
    >>> made = memanalysis.trend("sample_ledgers/leaking_service", weeks=1)
    >>> made.leaks["status"].tolist()
    ['new']
    >>> print(made.to_markdown().splitlines()[0])  # doctest: +ELLIPSIS
    # Memory over 1 week to ...
    """
    for name, value, most in (("weeks", weeks, MAX_WEEKS), ("top", top, None)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1 or (most is not None and value > most):
            limits = "a whole number from 1 on" if most is None else f"a whole number from 1 to {most}"
            raise InvalidArgumentError(f"trend needs {name}= as {limits}, but got {value!r}.")
    opened = resolve_ledger(ledger, call="trend")
    rules = resolve_policy(policy, call="trend")
    works_on = resolve_engine(engine, call="trend")
    facts = read_trend(opened, weeks=weeks, policy=rules, known_leaks=known_leaks, today=today, engine=works_on)
    return Trend(ledger=str(opened.path), facts=facts, top=top, has_policy=rules is not None)
