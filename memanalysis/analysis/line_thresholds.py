"""The numbers by which a line is named: how the growth of sites is measured, and what retains. Loads no numpy."""

from dataclasses import dataclass

from memanalysis.analysis.threshold_fields import CONVENTION, CPYTHON, SPEED, make_number

__all__ = ["RetainerThresholds", "SiteThresholds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteThresholds:
    """How the growth of allocation sites is measured over snapshots."""

    warm_up_share: float = make_number(0.25, "share of the time", CONVENTION, "Earlier snapshots are left out: warm-up")
    min_snapshots: int = make_number(3, "snapshots", CONVENTION, "Where fewer remain after the warm-up, all are taken")
    max_snapshots: int = make_number(
        60, "snapshots", SPEED, "More are thinned evenly: slopes take their square for each site"
    )
    freed_share: float = make_number(
        0.5, "share of the growth", CONVENTION, "A last snapshot that lacks as much shows a program that has ended"
    )
    min_sampling_sigmas: float = make_number(
        2.0, "standard errors", CONVENTION, "Growth of a sampled site counts from here on"
    )
    max_held_of_growth: float = make_number(
        2.0, "multiples of the growth", CONVENTION, "A line that holds more in its only table was loaded at the start"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RetainerThresholds:
    """Which line holds the container that retains what leaked."""

    min_objects: int = make_number(
        200, "objects", CONVENTION, "Added at least: smaller containers are in every program, and grow for many reasons"
    )
    min_bytes_an_object: float = make_number(
        4.0, "bytes", CPYTHON, "Half a reference of 8 bytes: a list is enlarged by an eighth ahead of its need"
    )
    max_bytes_an_object: float = make_number(
        200.0, "bytes", CPYTHON, "After a resize an entry of a dict takes up to 120, of a set 107; more is data"
    )
    objects_a_block: int = make_number(
        32,
        "objects",
        CPYTHON,
        "A container is one block, a deque one for 64 references; half as many more may be others",
    )
    min_bytes_an_added_block: float = make_number(
        500.0, "bytes", CPYTHON, "A deque adds a block of 528 bytes, other containers none: smaller blocks are objects"
    )
    min_share: float = make_number(
        0.05, "share of the growth", CONVENTION, "A line with less does not show how many objects leaked"
    )
