"""Render a comparison as plain text, as JSON for programs, and as Markdown for a pull request."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from memanalysis._tables import escape_markdown
from memanalysis._text import make_printable
from memanalysis.reports.json_report import dump_json, json_records
from memanalysis.verdicts.change_sentences import ServiceChange, describe_service_changes

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "count_changes",
    "list_change_lines",
    "list_services",
    "render_comparison_json",
    "render_comparison_markdown",
    "render_comparison_text",
]

FORMAT_VERSION = 1

MAX_NAMES = 10
"""Services that are named in a sentence; the others are counted."""


def render_comparison_json(changes: "pd.DataFrame", *, not_compared: Sequence[str]) -> str:
    """Return the rows of a comparison, with the services that are not in it."""
    content = {
        "format": "memanalysis-comparison",
        "format_version": FORMAT_VERSION,
        "services": [
            {"service": change.service, "verdict": change.verdict, "sentences": list(change.sentences)}
            for change in describe_service_changes(changes)
        ],
        "changes": json_records(changes),
        "not_compared": list(not_compared),
    }
    return dump_json(content)


def render_comparison_markdown(changes: "pd.DataFrame", *, not_compared: Sequence[str]) -> str:
    """Return a list of what changed, the worse first."""
    described = describe_service_changes(changes)
    parts = [f"**{count_changes(described)}**"]
    for change in described:
        if change.verdict != "same":
            lines = [f"- {escape_markdown(sentence)}" for sentence in change.sentences]
            parts.append("\n".join([f"{escape_markdown(change.service)} is {change.verdict}:\n", *lines]))
    if not_compared:
        parts.append(f"Not compared: {escape_markdown(list_services(not_compared))}.")
    return "\n\n".join(parts) + "\n"


def render_comparison_text(changes: "pd.DataFrame", *, not_compared: Sequence[str]) -> str:
    """Return a line a change, and one on all of them at the end."""
    return "\n".join(list_change_lines(changes, not_compared=not_compared)) + "\n"


def list_change_lines(changes: "pd.DataFrame", *, not_compared: Sequence[str]) -> list[str]:
    """Return the lines of plain text: of each service its sentences, who was not compared, and how many changed."""
    described = describe_service_changes(changes)
    lines = [
        f"{change.verdict}: {change.service}: {sentence}" if not number else f"  {sentence}"
        for change in described
        for number, sentence in enumerate(change.sentences)
    ]
    if not_compared:
        lines.append(f"not compared: {list_services(not_compared)}: without enough samples on both sides.")
    return [*lines, count_changes(described)]


def count_changes(described: Sequence[ServiceChange]) -> str:
    """Return a sentence on how many services became worse, better, or neither."""
    counts = {
        verdict: sum(change.verdict == verdict for change in described) for verdict in ("worse", "better", "same")
    }
    if counts["same"] == len(described):
        return f"Nothing changed in {_count_services(len(described))}: what differs may be noise."
    shown = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    return f"Of {_count_services(len(described))}: {shown}."


def list_services(names: Sequence[str]) -> str:
    """Return the first few names, and how many there are besides."""
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(map(make_printable, names[:MAX_NAMES])) + more


def _count_services(count: int) -> str:
    return "1 service" if count == 1 else f"{count:,} services"
