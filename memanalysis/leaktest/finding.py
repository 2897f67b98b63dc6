"""What `find_leak` found: whether each call keeps memory, how much, which lines, and who holds it. Shows itself."""

from dataclasses import dataclass
from typing import Any, Self

from memanalysis._tables import Column, Table
from memanalysis.analysis.verdict import Origin, Shape
from memanalysis.capture.holders import HolderChain
from memanalysis.errors import LeakFoundError
from memanalysis.units import format_bytes_per_call, format_duration, format_number

__all__ = ["ContainerGrowth", "LeakFinding", "LeakSite", "TypeGrowth"]

WIDTH = 80
"""Columns of the text."""

SHOWN_SITES = 5
SHOWN_OTHERS = 3
"""Rows of each table that are shown; the record has all."""

SHOWN_FRAMES = 6
"""Frames of the first site's traceback that are shown, the innermost ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakSite:
    """A place that allocated what was kept.

    ``traceback`` has ``(file, line)`` from the call down, most recent last; ``function`` is None where unknown.
    """

    file: str
    line: int
    function: str | None
    bytes_per_call: float
    blocks_per_call: float
    traceback: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeGrowth:
    """A type, by its qualified name, that has more objects after each call."""

    type: str
    objects_per_call: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerGrowth:
    """A list, dict, set or deque that gets longer.

    ``text`` is the chain that holds it, and ``remaining_capacity`` how many entries it can still take: None where it
    has no bound.
    """

    text: str
    entries_per_call: float
    remaining_capacity: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakFinding:
    """The answer of `find_leak`, and what it rests on.

    Parameters
    ----------
    name : str
        The callable.
    is_leak : bool or None
        None when it is undecided; ``missing`` then describes what it needs.
    shape : str
        The word of `memanalysis.analysis` for what memory did, from an eighth of the calls on.
    origin : str
        ``python``, ``native``, or ``unknown`` where there is no leak.
    bytes_per_call, low, high : float or None
        Kept by each call, with an interval that holds however often was looked; None with too few readings.
    traced_bytes_per_call, resident_bytes_per_call : float or None
        Growth of what tracemalloc follows, and of the resident size without the tracer's own; None where unknown.
    blocks_per_call : float or None
        Blocks of Python's allocator that each call keeps.
    min_bytes_per_call : float
        What was asked: less is no leak worth the name.
    calls : int
        Calls made.
    duration_s : float
        Seconds taken, all in all.
    sites : tuple of LeakSite
        The most bytes first; empty for native leaks, and where there is no leak.
    types : tuple of TypeGrowth
        The most objects first; only types that the garbage collector tracks.
    containers : tuple of ContainerGrowth
        The most entries first.
    holders : tuple of HolderChain
        Chains that keep the objects of the type that grows most, the most common first.
    missing : str or None
        What is needed for a decision.
    sentence : str
        All of it for a person.
    """

    name: str
    is_leak: bool | None
    shape: Shape
    origin: Origin
    bytes_per_call: float | None
    low: float | None
    high: float | None
    blocks_per_call: float | None
    min_bytes_per_call: float
    calls: int
    duration_s: float
    traced_bytes_per_call: float | None = None
    resident_bytes_per_call: float | None = None
    sites: tuple[LeakSite, ...] = ()
    types: tuple[TypeGrowth, ...] = ()
    containers: tuple[ContainerGrowth, ...] = ()
    holders: tuple[HolderChain, ...] = ()
    missing: str | None = None
    sentence: str = ""

    def raise_for_leak(self) -> Self:
        """Raise when it is a leak; give itself when it is none, or undecided.

        Raises
        ------
        LeakFoundError
            It is a leak; an `AssertionError` too, so that a test fails and does not break.
        """
        if self.is_leak:
            raise LeakFoundError(str(self))
        return self

    def __str__(self) -> str:
        lines = _wrap(f"{self.name}: {self.sentence}")
        lines.append(f"{self.calls:,} calls in {format_duration(self.duration_s)}")
        for title, rows in _tables(self):
            lines += ["", title, *(_fit_line(f"  {amount:>10}  ", text) for amount, text in rows)]
        if self.sites and len(self.sites[0].traceback) > 1:
            frames = [f"{file}:{line}" for file, line in self.sites[0].traceback[-SHOWN_FRAMES:]]
            lines += ["", "way to the first (most recent call last)", *(_fit_line("  ", frame) for frame in frames)]
        return "\n".join(lines)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def _repr_html_(self) -> str:
        """Tables without colours of their own, for light and dark notebooks."""
        from memanalysis._html import render_template

        calls = f"{self.calls:,} calls in {format_duration(self.duration_s)}"
        tables = [Table([Column("", "number"), Column(title)], rows) for title, rows in _tables(self)]
        return str(render_template("leak_finding.html.j2", finding=self, calls=calls, tables=tables))


def _tables(finding: LeakFinding) -> list[tuple[str, list[tuple[str, str]]]]:
    """Titles, and rows of amount and text; a table without rows is left out."""
    tables = [
        (
            "bytes a call, by the line that allocates",
            [
                (format_bytes_per_call(site.bytes_per_call), _describe_place(site.file, site.line, site.function))
                for site in finding.sites[:SHOWN_SITES]
            ],
        ),
        (
            "objects a call, by type",
            [(format_number(row.objects_per_call, sign=True), row.type) for row in finding.types[:SHOWN_OTHERS]],
        ),
        (
            "entries a call, by the container that grows",
            [(format_number(row.entries_per_call, sign=True), row.text) for row in finding.containers[:SHOWN_OTHERS]],
        ),
        (
            "held by",
            [(f"{chain.share:.0%}", chain.text) for chain in finding.holders[:SHOWN_OTHERS]],
        ),
    ]
    return [(title, rows) for title, rows in tables if rows]


def _describe_place(file: str, line: int, function: str | None) -> str:
    return f"{file}:{line}" + (f" in {function}" if function else "")


def _wrap(text: str) -> list[str]:
    """Break a text at blanks."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) >= WIDTH:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return lines


def _fit_line(start: str, text: str) -> str:
    """Return one line of the width: of a text that is too long the end is kept, which shows most."""
    left = WIDTH - len(start)
    flat = " ".join(text.split())
    return start + (flat if len(flat) <= left else "..." + flat[3 - left :])
