"""Render a trend as plain text for a terminal, as Markdown for an issue, and as JSON for programs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from memanalysis._tables import Table, escape_markdown, render_markdown_table, render_text_table
from memanalysis._text import make_printable
from memanalysis.reports.json_report import dump_json, json_records
from memanalysis.reports.trend_sentences import count_rest, render_day
from memanalysis.reports.trend_tables import (
    breach_table,
    death_table,
    forecast_table,
    history_table,
    level_table,
    mark_table,
    release_table,
    week_table,
)

if TYPE_CHECKING:
    from memanalysis.reports.trend_report import Trend

__all__ = ["NOTES", "TrendPart", "list_parts", "render_trend_json", "render_trend_markdown", "render_trend_text"]

FORMAT_VERSION = 1
"""Version of the keys of the JSON; it rises when one changes its meaning or goes away."""

NOTES = (
    "A size is the median of all samples in the last week, of seven days back from the last sample. Change is against "
    "the week before, and headroom is what the highest size left of the budget or limit. A leak is new if it was first "
    "seen in the last week, returned if a run in between did not show it, gone if a later run that was long enough "
    "does not, and unseen if no run of the last week shows either. A forecast extends growth as a straight line. What "
    "has ended has none."
)
"""What the words of the tables mean."""


@dataclass(frozen=True, slots=True)
class TrendPart:
    """A table of the page: its title, the sentence where it is empty, and the text below it."""

    title: str
    table: Table
    empty: str
    rest: str


def list_parts(trend: "Trend") -> list[TrendPart]:
    """Return the tables of a trend in the order of the page."""
    facts, top = trend.facts, trend.top
    services = count_rest(len(facts.services), top, "service")
    leaks, releases, breaches, deaths, forecasts, marks = (
        make(facts) for make in (history_table, release_table, breach_table, death_table, forecast_table, mark_table)
    )
    no_budget = "No service has a budget: no policy was given."
    return [
        TrendPart("Growth, the fastest first", level_table(facts, top=top), "", services),
        TrendPart("Leaks", leaks, "No leak was seen.", count_rest(len(facts.leaks), len(leaks.rows), "leak")),
        TrendPart("What releases changed", *_describe_releases(trend, releases)),
        TrendPart(
            "Breaches of budgets, at the critical level",
            breaches,
            "None." if facts.budgets else no_budget,
            "",
        ),
        TrendPart(
            "Runs that did not end in order",
            deaths,
            "None is known.",
            count_rest(len(facts.deaths), len(deaths.rows), "run"),
        ),
        TrendPart(
            "Limits that are reached, if it goes on",
            forecasts,
            "None: no service that goes on grows towards a limit.",
            count_rest(len(facts.forecasts), len(forecasts.rows), "service"),
        ),
        TrendPart("Size, in the week to", week_table(facts, top=top), "", ""),
        TrendPart("Marks", marks, "None was set.", count_rest(len(facts.marks), len(marks.rows), "mark")),
    ]


def render_trend_text(trend: "Trend") -> str:
    """Return the trend as plain text."""
    lines = [trend.headline]
    for part in list_parts(trend):
        lines += ["", part.title]
        lines.append(render_text_table(part.table) if part.table.rows else f"  {part.empty}")
        lines += [f"  {part.rest}"] if part.rest else []
    return "\n".join(make_printable(line) for text in lines for line in text.split("\n"))


def render_trend_markdown(trend: "Trend") -> str:
    """Return the trend as Markdown."""
    return "\n\n".join(_list_markdown(trend)) + "\n"


def render_trend_json(trend: "Trend") -> str:
    """Return the trend as JSON, with every service."""
    facts = trend.facts
    frames = ("services", "by_week", "leaks", "releases", "breaches", "deaths", "forecasts", "marks")
    content = {
        "format": "memanalysis-trend",
        "format_version": FORMAT_VERSION,
        "ledger": trend.ledger,
        "headline": trend.headline,
        **json_records(pd.DataFrame({"since": [facts.since], "until": [facts.until]}))[0],
        "weeks": facts.weeks,
        "has_policy": trend.has_policy,
        **{name: json_records(getattr(facts, name)) for name in frames},
    }
    return dump_json(content)


def _list_markdown(trend: "Trend") -> Iterator[str]:
    yield f"# {escape_markdown(trend.title)}"
    yield f"**{escape_markdown(trend.headline)}**"
    yield f"Ledger: {escape_markdown(make_printable(trend.ledger))}"
    for part in list_parts(trend):
        yield f"## {part.title}"
        yield render_markdown_table(part.table).rstrip("\n") if part.table.rows else part.empty
        if part.rest:
            yield part.rest
    yield NOTES


def _describe_releases(trend: "Trend", table: Table) -> tuple[Table, str, str]:
    """Return the table, the sentence where no release changed anything, and the text below."""
    pairs = trend.facts.releases[["service", "release"]].drop_duplicates()
    if pairs.empty:
        return table, "Not known: no service has two releases or commits in these weeks.", ""
    same = len(pairs) - len(table.rows)
    compared = f"{len(pairs):,} {'release was' if len(pairs) == 1 else 'releases were'} compared with the one before"
    first = f" since {render_day(trend.facts.releases['first'].min())}"
    return table, f"Nothing: {compared}{first}.", f"{same:,} other releases changed nothing." if same else ""
