"""Which runs are one family of processes: a master and its workers, or workers of a master that was not recorded."""

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from memanalysis.analysis.input_frames import finite_float
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, FamilyThresholds

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Family", "Member", "find_families"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One process of a family.

    Parameters
    ----------
    place : int
        Which of the judged runs it is.
    started_s, ended_s : float
        Epoch seconds of its first and last sample.
    """

    place: int
    run_id: str
    service: str
    host: str
    pid: float
    parent_pid: float | None
    program_pid: float | None
    started_s: float
    ended_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Processes that live beside each other.

    Parameters
    ----------
    family_id : str
        The run of the master, or host and pid where that was not recorded.
    master : Member or None
    members : list of Member
        All of them, the master too, in the order of their start.
    """

    family_id: str
    master: Member | None
    members: list[Member]

    @property
    def first(self) -> Member:
        """The master, or the member that started first."""
        return self.members[0] if self.master is None else self.master


def find_families(
    runs: "pd.DataFrame",
    places: "dict[tuple[Any, Any], int]",
    lasted_s: "np.ndarray[Any, Any]",
    *,
    thresholds: FamilyThresholds = DEFAULT_THRESHOLDS.family,
) -> list[Family]:
    """Return the families with at least two members that lived at the same time.

    Parameters
    ----------
    runs : DataFrame
        Rows of the table ``runs``.
    places : dict
        Place of each judged run, by service and run id.
    lasted_s : array of float
        Seconds from the start of each judged run to its last sample.
    thresholds : FamilyThresholds, optional
        The numbers to judge by.

    Notes
    -----
    Under ``memanalysis run`` all processes name the program that they descend from. Elsewhere the parents are followed
    for as long as they were recorded; what is left are siblings of one service with one parent.
    """
    slack_s, members = thresholds.start_slack_s, _read_members(runs, places, lasted_s)
    by_pid: dict[tuple[str, float], list[Member]] = defaultdict(list)
    for member in members:
        by_pid[member.host, member.pid].append(member)
    parent_of = {
        member.run_id: (
            None if member.parent_pid is None else _alive_at(by_pid[member.host, member.parent_pid], member, slack_s)
        )
        for member in members
    }
    has_children = {parent.run_id for parent in parent_of.values() if parent is not None}
    groups: dict[tuple[Any, ...], list[Member]] = defaultdict(list)
    roots: dict[tuple[Any, ...], Member] = {}
    for member in members:
        key, root = _find_root(member, by_pid, parent_of, has_children, slack_s)
        groups[key].append(member)
        if root is not None:
            roots[key] = root
    found = []
    for key, own in groups.items():
        master = roots.get(key)
        if len(own) > 1 and _overlap(own):
            name = f"{key[1]}-{key[2]:.0f}" if master is None else master.run_id
            found.append(Family(family_id=name, master=master, members=own))
    return found


def _read_members(
    runs: "pd.DataFrame", places: "dict[tuple[Any, Any], int]", lasted_s: "np.ndarray[Any, Any]"
) -> list[Member]:
    known = runs[runs["started"].notna() & runs["pid"].notna() & runs["run_id"].notna()]
    started_s = known["started"].to_numpy(dtype="datetime64[us]").astype(np.int64) / 1e6
    rows = known[["service", "run_id", "host", "pid", "parent_pid", "program_pid"]].to_dict("records")
    members = []
    for row, start in zip(rows, started_s.tolist(), strict=True):
        place = places.get((row["service"], row["run_id"]))
        if place is None:
            continue
        members.append(
            Member(
                place=place,
                run_id=row["run_id"],
                service=row["service"],
                host=str(row["host"]),
                pid=float(row["pid"]),
                parent_pid=finite_float(row["parent_pid"]),
                program_pid=finite_float(row["program_pid"]),
                started_s=start,
                ended_s=start + float(lasted_s[place]),
            )
        )
    return sorted(members, key=lambda member: member.started_s)


def _alive_at(candidates: list[Member], child: Member, slack_s: float) -> Member | None:
    """Return the latest run of a pid that had begun when a child began, and had not ended."""
    for other in reversed(candidates):
        if other is not child and other.started_s <= child.started_s + slack_s <= other.ended_s + 2 * slack_s:
            return other
    return None


def _find_root(
    member: Member,
    by_pid: dict[tuple[str, float], list[Member]],
    parent_of: dict[str, Member | None],
    has_children: set[str],
    slack_s: float,
) -> tuple[tuple[Any, ...], Member | None]:
    """Return the key of a member's family, and its master where that was recorded."""
    if member.program_pid is not None:
        same = [one for one in by_pid[member.host, member.program_pid] if one.started_s <= member.started_s + slack_s]
        master = same[-1] if same else None
        return ("program", member.host, member.program_pid, master and master.run_id), master
    root, seen = member, {member.run_id}
    while (parent := parent_of[root.run_id]) is not None and parent.run_id not in seen:
        root = parent
        seen.add(root.run_id)
    if root.run_id in has_children:
        return ("root", root.host, root.pid, root.run_id), root
    if member.parent_pid is None:
        return ("alone", member.host, member.pid, member.run_id), None
    return ("siblings", member.host, member.parent_pid, member.service), None


def _overlap(members: list[Member]) -> bool:
    """Return whether two of them lived at the same time."""
    latest = members[0].ended_s
    for member in members[1:]:
        if member.started_s < latest:
            return True
        latest = max(latest, member.ended_s)
    return False
