"""Describe the last weeks: the sentences at the head of a trend, and what its page adds below."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from memanalysis._text import make_printable
from memanalysis.analysis.leaks.leak_histories import OPEN_STATUSES
from memanalysis.analysis.weekly_levels import WEEK
from memanalysis.reports.verdict_cells import known_number, render_place
from memanalysis.units import format_bytes, format_growth
from memanalysis.verdicts.trend_facts import TrendFacts

__all__ = ["count_rest", "render_day", "render_trend_headline"]

MAX_NAMES = 3
"""Services that a sentence names; the others are counted."""


def render_trend_headline(facts: TrendFacts) -> str:
    """Return what is to be known of these weeks in a few sentences, fit for a ticket or a mail."""
    parts = (_describe_leaks, _describe_gone, _describe_breaches, _describe_deaths, _describe_next)
    sentences = [describe(facts) for describe in parts]
    weeks = "The week" if facts.weeks == 1 else f"The {facts.weeks} weeks"
    return " ".join([f"{weeks} to {render_day(facts.until)}:", *filter(None, sentences)])


def render_day(moment: Any) -> str:
    """Return the day of a moment, UTC; empty where there is none."""
    return "" if pd.isna(moment) else f"{moment:%Y-%m-%d}"


def count_rest(total: int, shown: int, what: str) -> str:
    """Return how many rows are not shown; empty where all are."""
    rest = total - shown
    return "" if rest <= 0 else f"1 more {what} is not shown." if rest == 1 else f"{rest:,} more {what}s are not shown."


def _describe_leaks(facts: TrendFacts) -> str:
    services = facts.services
    leaking = services[services["status"].isin(OPEN_STATUSES)]
    unclear = services["status"].isna() & services["shape"].eq("inconclusive").fillna(value=False)
    known = facts.leaks["known"].eq("accepted") & facts.leaks["status"].isin(OPEN_STATUSES)
    more = []
    if unclear.any():
        more.append(f"{unclear.sum():,} cannot be judged yet.")
    if known.any():
        more.append(f"{known.sum():,} accepted {'leak is' if known.sum() == 1 else 'leaks are'} not counted.")
    if leaking.empty:
        return " ".join([f"no leak goes on in {_count(len(services), 'service')}.{_describe_largest(services)}", *more])
    counts = leaking["status"].value_counts()
    notable = ", ".join(f"{counts[name]} {name}" for name in ("new", "returned") if name in counts)
    worst = leaking.iloc[0]
    history = facts.leaks[facts.leaks["fingerprint"] == worst["fingerprint"]].iloc[0]
    verb = "leaks" if len(leaking) == 1 else "leak"
    first = f"{len(leaking):,} of {_count(len(services), 'service')} {verb}{f' ({notable})' if notable else ''}"
    named = f"{make_printable(worst['service'])} grows {_describe_growth(worst)}{_describe_since(history)}"
    return " ".join([f"{first}{': ' if len(leaking) == 1 else ', the fastest: '}{named}.", *more])


def _describe_growth(service: "pd.Series[Any]") -> str:
    rates = [known_number(service[f"{end}_bytes_per_s"]) for end in ("slope", "low", "high")]
    place = service["responsible_file"]
    growth = f"by {format_growth(*rates).removeprefix('+')}"
    if not isinstance(place, str):
        return growth
    return f"{growth} at {render_place(place, known_number(service['responsible_line']), short=True)}"


def _describe_since(history: Mapping[Any, Any]) -> str:
    name = history["first_release"]
    release = f" (release {make_printable(name)})" if isinstance(name, str) else ""
    since = f"first seen {render_day(history['first_seen'])}{release}"
    return f", {since}{', gone in between' if history['status'] == 'returned' else ''}"


def _describe_largest(services: pd.DataFrame) -> str:
    changes = services[services["change_bytes"].notna()]
    if changes.empty:
        return ""
    largest = changes.sort_values("change_bytes", ascending=False, kind="stable").iloc[0]
    name, change = make_printable(largest["service"]), format_bytes(largest["change_bytes"], sign=True)
    return f" The largest change on the week before: {change} in {name}." if largest["change_bytes"] > 0 else ""


def _describe_gone(facts: TrendFacts) -> str:
    gone = facts.leaks[facts.leaks["status"] == "gone"].sort_values("gone_since", ascending=False)
    if gone.empty:
        return ""
    named = [
        f"{make_printable(row['service'])} since {render_day(row['gone_since'])}" for row in gone.to_dict("records")
    ]
    return f"{_count(len(gone), 'leak')} {'is' if len(gone) == 1 else 'are'} gone: {_list(named)}."


def _describe_breaches(facts: TrendFacts) -> str:
    recent = facts.breaches[facts.breaches["last"] > facts.until - WEEK]
    names = [make_printable(name) for name in recent["service"].unique()]
    if not names:
        return ""
    return f"{_count(len(names), 'service')} reached the critical level of the budget in the last week: {_list(names)}."


def _describe_deaths(facts: TrendFacts) -> str:
    recent = facts.deaths[facts.deaths["last"] > facts.until - WEEK]
    if recent.empty:
        return ""
    names = [make_printable(name) for name in recent["service"].unique()]
    return f"{_count(len(recent), 'run')} did not end in order in the last week: {_list(names)}."


def _describe_next(facts: TrendFacts) -> str:
    if facts.forecasts.empty:
        return ""
    first = facts.forecasts.iloc[0]
    limit = format_bytes(known_number(first["limit_bytes"]))
    how = "At this pace" if first["method"] == "growth" else "If that comes back,"
    name = make_printable(first["service"])
    return f"{how} {name} reaches its limit of {limit} about {render_day(first['next'])}."


def _list(names: list[str]) -> str:
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {more:,} more" if more > 0 else "")


def _count(number: int, noun: str) -> str:
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"
