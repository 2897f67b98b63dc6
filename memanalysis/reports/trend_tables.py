"""The tables of a trend, as records that every format renders."""

from typing import Any

import pandas as pd

from memanalysis._tables import Cell, CellText, Column, Table
from memanalysis._text import make_printable
from memanalysis.analysis.weekly_levels import WEEK
from memanalysis.reports.death_words import describe_cause
from memanalysis.reports.trend_sentences import render_day
from memanalysis.reports.verdict_cells import NOTHING, known_number, render_place
from memanalysis.units import format_bytes, format_duration, format_growth, format_growth_interval
from memanalysis.verdicts.trend_facts import TrendFacts

__all__ = [
    "MAX_WEEKS",
    "breach_table",
    "death_table",
    "forecast_table",
    "history_table",
    "level_table",
    "mark_table",
    "release_table",
    "week_table",
]

MAX_WEEKS = 6
"""Columns of the table of weeks, the last ones: more do not fit on a page."""

MAX_ROWS = 12
"""Rows of each further table; more are counted."""


def level_table(facts: TrendFacts, *, top: int) -> Table:
    """Return a row a service, the one that grows fastest first."""
    titles = ("growth an hour", "size", "change", "headroom")
    columns = [Column("service"), Column("leak"), *(Column(title, "number") for title in titles)]
    return Table(
        columns, [_level_row(row, facts) for row in facts.services.head(top).to_dict("records")], label="Growth"
    )


def week_table(facts: TrendFacts, *, top: int) -> Table:
    """Return the median size of each service in each week, named by its last day, in the order of `level_table`."""
    first = int(facts.by_week["week"].min())
    weeks = range(max(first, facts.weeks - MAX_WEEKS), facts.weeks)
    ends = [facts.until - (facts.weeks - 1 - week) * WEEK for week in weeks]
    columns = [Column("service"), *(Column(f"{end:%b} {end.day}", "number") for end in ends)]
    levels = facts.by_week.set_index(["service", "week"])["level_bytes"].to_dict()
    rows: list[list[CellText]] = [
        [
            Cell(make_printable(service), kind="name"),
            *(_render_size(levels.get((service, week))) for week in weeks),
        ]
        for service in facts.services["service"].head(top)
    ]
    return Table(columns, rows, label="Week on week")


def history_table(facts: TrendFacts) -> Table:
    """Return a row a leak: whether it is new, lasts or is gone, and when it was seen."""
    titles = ("service", "leak", "first seen", "last seen", "gone since")
    columns = [*(Column(title) for title in titles), Column("runs", "number"), Column("line")]
    return Table(columns, [_history_row(row) for row in facts.leaks.head(MAX_ROWS).to_dict("records")], label="Leaks")


def release_table(facts: TrendFacts) -> Table:
    """Return a row a release that changed the memory of its service, the latest first."""
    changed = facts.releases[facts.releases["verdict"] != "same"]
    rows: list[list[CellText]] = []
    for (service, release), own in changed.groupby(["service", "release"], sort=False, observed=True):
        figures = {row["what"]: row for row in own.to_dict("records")}
        row = own.iloc[0]
        level, slope = figures.get("level_bytes"), figures.get("slope_bytes_per_s")
        rows.append(
            [
                Cell(make_printable(service), kind="name"),
                f"{make_printable(row['release_before'])} to {make_printable(release)}",
                render_day(row["first"]),
                NOTHING if level is None else format_bytes(level["change"], sign=True),
                NOTHING if slope is None else format_growth(slope["change"]),
                _render_worse_line(row),
            ]
        )
    numbers = [Column("size", "number"), Column("growth an hour", "number")]
    columns = [Column("service"), Column("release"), Column("since"), *numbers, Column("line that holds more")]
    return Table(columns, rows, label="Releases")


def death_table(facts: TrendFacts) -> Table:
    """Return a row a run that did not end in order, the latest first."""
    rows: list[list[CellText]] = [
        [
            Cell(make_printable(row["service"]), kind="name", hint=row["run_id"]),
            f"{row['last']:%Y-%m-%d %H:%M}",
            make_printable(row["release"]) if isinstance(row["release"], str) else NOTHING,
            describe_cause(facts.ends[row["service"], row["run_id"]], limit_share=None, short=True),
        ]
        for row in facts.deaths.head(MAX_ROWS).to_dict("records")
    ]
    return Table(
        [Column("service"), Column("last seen"), Column("release"), Column("how it ended")], rows, label="Deaths"
    )


def mark_table(facts: TrendFacts) -> Table:
    """Return a row a mark, the latest first."""
    rows: list[list[CellText]] = [
        [
            Cell(make_printable(row["service"]), kind="name"),
            f"{row['timestamp']:%Y-%m-%d %H:%M}",
            make_printable(row["message"]),
        ]
        for row in facts.marks.iloc[::-1].head(MAX_ROWS).to_dict("records")
    ]
    return Table([Column("service"), Column("at"), Column("mark")], rows, label="Marks")


def breach_table(facts: TrendFacts) -> Table:
    """Return a row a service that reached the critical level of its budget."""
    rows: list[list[CellText]] = []
    for service, own in facts.breaches.groupby("service", observed=True):
        rows.append(
            [
                Cell(make_printable(service), kind="name"),
                format_bytes(own["budget_bytes"].iloc[-1]),
                f"{len(own):,}",
                f"{int((own['last'] > facts.until - WEEK).sum()):,}",
                format_duration(float(own["duration_s"].max())),
                render_day(own["last"].max()),
                _render_headroom(float(own["headroom_bytes"].min())),
            ]
        )
    titles = ("budget", "times", "last week", "longest", "last on", "worst")
    return Table([Column("service"), *(Column(title, "number") for title in titles)], rows, label="Breaches")


def forecast_table(facts: TrendFacts) -> Table:
    """Return the day on which each service reaches its limit, the soonest first."""
    rows: list[list[CellText]] = [
        [
            Cell(make_printable(row["service"]), kind="name"),
            render_day(row["next"]),
            f"{render_day(row['next_low']) or 'open'} to {render_day(row['next_high']) or 'open'}",
            format_bytes(known_number(row["limit_bytes"])),
            "its growth" if row["method"] == "growth" else "what came back",
        ]
        for row in facts.forecasts.head(MAX_ROWS).to_dict("records")
    ]
    columns = [Column("service"), Column("reaches its limit"), Column("90 % interval")]
    return Table([*columns, Column("limit", "number"), Column("by")], rows, label="Forecast")


def _level_row(row: dict[Any, Any], facts: TrendFacts) -> list[CellText]:
    is_old = row["last"] <= facts.until - WEEK
    rates = [known_number(row[f"{end}_bytes_per_s"]) for end in ("slope", "low", "high")]
    is_noise = rates[1] is not None and rates[2] is not None and rates[1] <= 0 <= rates[2]
    growth = "within noise" if is_noise else Cell(format_growth(*rates), note=format_growth_interval(*rates))
    return [
        Cell(
            make_printable(row["service"]), note=f"last seen {render_day(row['last'])}" if is_old else "", kind="name"
        ),
        _render_status(row),
        NOTHING if is_old or rates[0] is None else growth,
        NOTHING if is_old else _render_size(row["level_bytes"]),
        NOTHING if is_old else _render_size(row["change_bytes"], sign=True),
        NOTHING if is_old else _render_headroom(known_number(row["headroom_bytes"])),
    ]


def _render_status(row: dict[Any, Any]) -> CellText:
    if isinstance(row["status"], str):
        return row["status"]
    return "unknown" if pd.isna(row["shape"]) or row["shape"] == "inconclusive" else "no"


def _render_size(size_bytes: float | None, *, sign: bool = False) -> str:
    return NOTHING if known_number(size_bytes) is None else format_bytes(size_bytes, sign=sign)


def _render_headroom(headroom_bytes: float | None) -> str:
    if headroom_bytes is None:
        return "no budget"
    return f"{format_bytes(abs(headroom_bytes))} {'left' if headroom_bytes >= 0 else 'over'}"


def _history_row(row: dict[Any, Any]) -> list[CellText]:
    place = row["responsible_file"]
    line = known_number(row["responsible_line"])
    return [
        Cell(make_printable(row["service"]), kind="name", hint=row["fingerprint"]),
        "accepted" if row["known"] == "accepted" and row["status"] != "gone" else row["status"],
        _render_seen(row["first_seen"], row["first_release"]),
        _render_seen(row["last_seen"], row["last_release"]),
        _render_seen(row["gone_since"], row["gone_in_release"]) or NOTHING,
        f"{row['runs']:,}",
        Cell(render_place(place, line, short=True), kind="code", hint=render_place(place, line, short=False))
        if isinstance(place, str)
        else f"not traced: {row['origin']}",
    ]


def _render_worse_line(row: "pd.Series[Any]") -> CellText:
    if not isinstance(row["file"], str):
        return NOTHING
    line = known_number(row["line"])
    place, change = render_place(row["file"], line, short=True), format_bytes(row["line_change_bytes"], sign=True)
    return Cell(place, note=change, kind="code", hint=render_place(row["file"], line, short=False))


def _render_seen(moment: Any, release: Any) -> CellText:
    day = render_day(moment)
    return Cell(day, note=make_printable(release)) if day and isinstance(release, str) else day
