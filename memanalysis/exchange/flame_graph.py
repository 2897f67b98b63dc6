"""Draw the heap of a run as a flame graph: one HTML file without scripts, in which nothing is fetched.

A box is a link to itself. The page's styles give the box that was followed, and what it calls, the whole width, so that
a pointer and a keyboard zoom alike. Each box has its numbers in words for those who hear the page. How much of a box
grew is drawn as a bar below it and in its colour.
"""

from collections.abc import Iterator
from typing import Any

from memanalysis._html import render_template
from memanalysis._tables import Cell, Column, Table
from memanalysis._version import __version__
from memanalysis.exchange.flame_tree import CallTree, grow_tree, list_steps
from memanalysis.exchange.heap_profile import Frame, HeapProfile, StackUse
from memanalysis.exchange.sample_values import Shown
from memanalysis.reports.styles import render_styles
from memanalysis.units import NOT_AVAILABLE, format_bytes

__all__ = ["render_flame_graph"]

MAX_ROWS = 20
"""Stacks in the table below the graphs."""

_WHOLE = 1000.0
"""Weight of the whole: what is seen weighs at least 1, and less than 1 would not fill a row in CSS."""

_TITLES: dict[Shown, str] = {"live": "What is live", "grew": "What grew"}


def render_flame_graph(profile: HeapProfile, *, shown: Shown = "live") -> bytes:
    """Return the page: a graph of what is live, one of what grew, and the largest stacks as a table.

    Parameters
    ----------
    profile : HeapProfile
    shown : {"live", "grew"}
        The graph that comes first. What grew is left out where there is but one snapshot.

    Examples
    --------
    >>> from memanalysis import open_ledger
    >>> from memanalysis.exchange.heap_profile import read_heap_profile
    >>> page = render_flame_graph(read_heap_profile(open_ledger("sample_ledgers/leaking_service")))
    >>> page[:15], b"<script" in page
    (b'<!DOCTYPE html>', False)
    """
    kinds: list[Shown] = ["live", "grew"] if profile.has_growth else ["live"]
    kinds.sort(key=lambda kind: kind != shown)
    page = render_template(
        "flame_graph.html.j2",
        title=f"Heap of {profile.service}",
        version=__version__,
        styles=render_styles(),
        facts=_list_facts(profile),
        graphs=[_describe_graph(profile, kind) for kind in kinds],
        has_growth=profile.has_growth,
        stacks=_make_table(profile),
        n_stacks=len(profile.uses),
    )
    return f"{page}\n".encode("utf-8", "replace")


def _list_facts(profile: HeapProfile) -> list[tuple[str, str]]:
    facts = [
        ("Live", f"{format_bytes(profile.live_bytes)} at {profile.last:%Y-%m-%d %H:%M:%S} UTC"),
        (
            "Growth",
            f"{format_bytes(profile.grown_bytes, sign=True)} since {profile.first:%Y-%m-%d %H:%M:%S} UTC"
            if profile.has_growth
            else f"{NOT_AVAILABLE}: the run has one snapshot",
        ),
        ("Run", profile.run_id),
        ("Lines were found by", profile.trace or NOT_AVAILABLE),
    ]
    return facts + ([("Left out", f"{profile.n_unknown} sites of unknown size")] if profile.n_unknown else [])


def _describe_graph(profile: HeapProfile, shown: Shown) -> dict[str, Any]:
    tree = grow_tree(profile, shown)
    return {
        "name": shown,
        "title": f"{_TITLES[shown]}: {format_bytes(tree.size_bytes)}",
        "steps": list(_describe_steps(tree, shown, has_growth=profile.has_growth)) if tree.size_bytes else [],
    }


def _describe_steps(root: CallTree, shown: Shown, *, has_growth: bool) -> Iterator[dict[str, Any]]:
    """What the template needs of each step; a weight is the width, a part of that of the box around it."""
    for number, step in enumerate(list_steps(root)):
        described: dict[str, Any] = {"kind": step.kind, "weight": f"{_WHOLE * step.size_bytes / root.size_bytes:.3f}"}
        if step.kind == "open":
            tree = step.tree
            grown_share = min(1.0, max(0.0, tree.grown_bytes / tree.live_bytes)) if tree.live_bytes else 0.0
            described |= {
                "id": f"{shown}-{number}",
                "name": "all" if tree.frame is None else tree.frame.name,
                "size": format_bytes(tree.size_bytes),
                "label": _describe_box(tree, root, has_growth=has_growth),
                "grown": f"{grown_share if has_growth else 0:.2f}",
            }
        yield described


def _describe_box(tree: CallTree, root: CallTree, *, has_growth: bool) -> str:
    name = "All" if tree.frame is None else f"{tree.frame.function or 'unnamed'}, {_place(tree.frame)}"
    share = f"{100 * tree.size_bytes / root.size_bytes:.1f} % of this graph"
    growth = f", grew by {format_bytes(tree.grown_bytes)}" if has_growth else ""
    return f"{name}: {format_bytes(tree.live_bytes)} live{growth}, {share}"


def _make_table(profile: HeapProfile) -> Table:
    columns = [Column("allocated at"), Column("live", "number"), Column("blocks", "number"), Column("grew", "number")]
    return Table(columns, [_describe_stack(use) for use in profile.uses[:MAX_ROWS]], label="The largest stacks")


def _describe_stack(use: StackUse) -> list[str | Cell]:
    frame = use.frames[-1]
    objects = NOT_AVAILABLE if use.live_objects is None else f"{use.live_objects:,}"
    return [
        Cell(frame.name, note=_place(frame) if frame.function else "", kind="code"),
        format_bytes(use.live_bytes),
        objects,
        format_bytes(use.grown_bytes, sign=True),
    ]


def _place(frame: Frame) -> str:
    return f"{frame.file}:{frame.line}" if frame.line else frame.file
