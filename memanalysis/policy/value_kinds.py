"""What kinds of values a policy has: types with their bounds, by which msgspec checks values and writes a JSON Schema.

``extra`` holds the words that an error needs: the unit of a number, an example, the name of a list.
"""

from typing import Annotated, Literal

from msgspec import Meta

__all__ = [
    "MAX_COUNT",
    "MAX_DAYS",
    "MAX_MB",
    "MAX_SECONDS",
    "Action",
    "AgentCard",
    "AppriseUrl",
    "BindAddress",
    "Budget",
    "Channel",
    "CleanupMethod",
    "CollectorUrl",
    "Count",
    "Days",
    "Frames",
    "GrowthPercent",
    "LedgerMetric",
    "Megabytes",
    "MemoryMetric",
    "Name",
    "Objects",
    "Percent",
    "Port",
    "Recipients",
    "Seconds",
    "SnapshotMetric",
    "Snapshots",
    "StoragePath",
    "Wait",
    "list_kind",
]

MAX_MB = 2**43
"""MB: the bytes of more than this do not fit into a signed 64-bit number."""
MAX_SECONDS = 1_000_000_000
"""Seconds, about 31 years: what clocks and timers of every system can still count."""
MAX_DAYS = 100_000
"""Days, about 270 years: further back the calendar arithmetic of some systems ends."""
MAX_COUNT = 2**53
"""The largest count that a float of 64 bits holds exactly."""

Megabytes = Annotated[
    float,
    Meta(
        gt=0,
        le=MAX_MB,
        extra={"unit": "MB", "example": 10, "is_size": True},
    ),
]
"""MB of 2**20 bytes, or a size with its unit."""
Budget = Annotated[
    float,
    Meta(
        gt=0,
        le=MAX_MB,
        extra={"unit": "MB", "example": 100, "is_size": True, "may_be_share": True},
    ),
]
"""The same, or a share of the limit: ``80% of limit``."""
Percent = Annotated[float, Meta(gt=0, le=100, extra={"unit": "percent", "example": 80})]
GrowthPercent = Annotated[float, Meta(gt=0, le=MAX_COUNT, extra={"unit": "percent", "example": 20})]
Seconds = Annotated[float, Meta(gt=0, le=MAX_SECONDS, extra={"unit": "seconds", "example": 60})]
Wait = Annotated[float, Meta(ge=0, le=MAX_SECONDS, extra={"unit": "seconds", "example": 60})]
Days = Annotated[float, Meta(gt=0, le=MAX_DAYS, extra={"unit": "days", "example": 30})]
Count = Annotated[int, Meta(ge=1, le=MAX_COUNT, extra={"unit": "entries", "example": 100})]
Objects = Annotated[int, Meta(ge=1, le=MAX_COUNT, extra={"unit": "objects", "example": 1000})]
Snapshots = Annotated[int, Meta(ge=2, le=MAX_COUNT, extra={"unit": "snapshots", "example": 10})]
Frames = Annotated[int, Meta(ge=1, le=65535, extra={"unit": "frames", "example": 25})]

_Text = Meta(min_length=1, pattern=r"\S")
Name = Annotated[str, _Text, Meta(extra={"needed": "a name", "cure": "Write for example Agent-5."})]
StoragePath = Annotated[
    str, _Text, Meta(extra={"needed": "a path", "cure": "Write for example logs/memory_ledger.json."})
]
AgentCard = Annotated[
    str,
    Meta(pattern=r"^[^=\s][^=]*=\S+$"),
    Meta(extra={"needed": "a recipient and an address", "cure": "Write for example Agent-5=http://agent-5:9999."}),
]
"""A recipient, and the address at which its Agent2Agent card is found."""
AppriseUrl = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9]+://\S+$"),
    Meta(extra={"needed": "an address of Apprise", "cure": "Write for example json://localhost:8080/alerts."}),
]

CollectorUrl = Annotated[
    str,
    Meta(pattern=r"^(https?://|\$)\S+$"),
    Meta(extra={"needed": "an address of HTTP", "cure": "Write for example http://localhost:4318."}),
]

BindAddress = Annotated[
    str,
    Meta(pattern=r"^((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)$|^[0-9A-Fa-f]*:[0-9A-Fa-f:.]*$"),
    Meta(extra={"needed": "an IP address of this machine", "cure": "Write for example 127.0.0.1."}),
]
"""In numbers: a name would have to be asked for, which can take seconds."""
Port = Annotated[int, Meta(ge=0, le=65535, extra={"unit": "as a port", "example": 9464})]
"""0 takes a free one."""

Action = Literal["alert_only", "alert_and_cleanup", "alert_and_restart"]
Channel = Literal["logging", "messaging", "apprise", "opentelemetry", "prometheus"]
CleanupMethod = Literal["garbage_collection", "resource_cleanup", "cache_flush"]
MemoryMetric = Literal["auto", "rss", "private", "family", "container"]
"""Which memory a budget is for: the keys of ``BUDGET_METRICS`` in `memanalysis.schema`."""
SnapshotMetric = Literal[
    "memory_usage", "object_counts", "allocation_rates", "deallocation_rates", "garbage_collection_stats"
]
LedgerMetric = Literal[
    "timestamp",
    "service_name",
    "memory_usage_mb",
    "object_count",
    "allocation_count",
    "deallocation_count",
    "gc_collections",
]


def list_kind(plural: str) -> Meta:
    """Name the entries of a list, for errors; no entry may stand there twice."""
    return Meta(extra={"plural": plural}, extra_json_schema={"uniqueItems": True})


Recipients = Annotated[tuple[Name, ...], list_kind("recipients")]
