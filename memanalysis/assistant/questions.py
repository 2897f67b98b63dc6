"""The arguments of each tool, as the assistant sees them in its schema and as they are checked."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

__all__ = [
    "AboutRun",
    "AboutServices",
    "AskCompare",
    "AskPolicy",
    "AskRows",
    "ListRuns",
    "ListServices",
]

LedgerNumber = Annotated[int, Meta(ge=0, description="Which of the served ledgers, counted from 0.")]
Offset = Annotated[int, Meta(ge=0, description="Entries to pass over: next_offset of the answer before.")]
Service = Annotated[str, Meta(max_length=4000, description="Name of a service, as list_services gives it.")]
RunId = Annotated[str, Meta(max_length=4000, description="Of a run, as list_runs gives it. Without it: the latest.")]
Name = Annotated[str, Meta(max_length=4000)]


class _Question(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    ledger: LedgerNumber = 0
    offset: Offset = 0


class ListServices(_Question, frozen=True):
    """Which services."""


class ListRuns(_Question, frozen=True):
    """Which runs of a service."""

    service: Service


class AboutServices(_Question, frozen=True):
    """A service, or all of them."""

    service: Service | None = None
    all_runs: Annotated[bool, Meta(description="Every run, not the latest of each service.")] = False


class AboutRun(_Question, frozen=True):
    """One run of a service."""

    service: Service
    run_id: RunId | None = None


class AskCompare(_Question, frozen=True):
    """Two ledgers, or one that is cut."""

    other_ledger: (
        Annotated[int, Meta(ge=0, description="The later ledger, which is compared with `ledger`.")] | None
    ) = None
    mark: Annotated[Name, Meta(description="Or: text of a mark that cuts `ledger` in two.")] | None = None
    releases: (
        Annotated[
            list[Name],
            Meta(min_length=2, max_length=2, description="Or: two releases or commits of `ledger`, old, new."),
        ]
        | None
    ) = None
    service: Service | None = None


class AskPolicy(_Question, frozen=True):
    """A budget, of the policy or as one would be."""

    service: Service | None = None
    budget_mb: (
        Annotated[float, Meta(gt=0, description="Try this budget, in MB of 2**20 bytes, in place of the policy's.")]
        | None
    ) = None


class AskRows(_Question, frozen=True):
    """Rows of a table."""

    table: Literal["runs", "samples", "sites", "objects", "events"]
    service: Service
    run_id: RunId | None = None
    first_seq: Annotated[int, Meta(description="Rows from this seq on.")] | None = None
    last_seq: Annotated[int, Meta(description="Rows up to this seq, which is included.")] | None = None
    since: Annotated[Name, Meta(description="Rows from this moment on, ISO 8601 in UTC.")] | None = None
    until: Annotated[Name, Meta(description="Rows up to this moment, which is included.")] | None = None
    columns: (
        Annotated[list[Name], Meta(min_length=1, max_length=26, description="Columns of the table. Without it: all.")]
        | None
    ) = None
