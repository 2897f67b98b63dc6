"""Which releases are tried, in which order, and with which one the leak began? Pure: results in, answers out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["MAX_TRIED_ALL", "ReleaseResult", "State", "describe_results", "find_first_leaking", "next_release"]

MAX_TRIED_ALL = 6
"""From more releases on those between a clean and a leaking one are bisected."""

State = Literal["leaks", "clean", "undecided", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseResult:
    """What is known of one release.

    Parameters
    ----------
    version : str
    state : {"leaks", "clean", "undecided", "failed"}
        ``failed`` is one that could not be installed, or whose program ended with an error.
    text : str
        The sentence of the finding, or the error.
    place : str or None
        The line that keeps the most.
    held_by : str or None
        The chain of references to what grows.
    """

    version: str
    state: State
    text: str
    place: str | None = None
    held_by: str | None = None


def next_release(versions: Sequence[str], results: Mapping[str, ReleaseResult]) -> str | None:
    """Return the release to try next; None when all is known.

    Few releases are all tried. Of many the last is tried first: where it leaks, the others are bisected, as if a leak
    stayed once it had begun. Where it does not, all are tried.

    Parameters
    ----------
    versions : sequence of str
        The oldest first.
    results : mapping
        What is known, by version.

    Examples
    --------
    >>> versions = [f"1.{n}" for n in range(9)]
    >>> next_release(versions, {})
    '1.8'
    >>> next_release(versions, {"1.8": ReleaseResult(version="1.8", state="leaks", text="")})
    '1.4'
    """
    untried = [version for version in versions if version not in results]
    if not untried:
        return None
    if len(versions) <= MAX_TRIED_ALL:
        return untried[0]
    if versions[-1] not in results:
        return versions[-1]
    if results[versions[-1]].state == "clean":
        return untried[0]
    leaking = find_first_leaking(versions, results)
    last = versions.index(leaking) if leaking is not None else len(versions)
    clean = [number for number, version in enumerate(versions[:last]) if _state(results, version) == "clean"]
    between = [version for version in versions[max(clean, default=-1) + 1 : last] if version not in results]
    return between[len(between) // 2] if between else None


def find_first_leaking(versions: Sequence[str], results: Mapping[str, ReleaseResult]) -> str | None:
    """Return the oldest release that leaks after the last that is clean, or None."""
    first = None
    for version in reversed(versions):
        state = _state(results, version)
        if state == "leaks":
            first = version
        elif state == "clean" and first is not None:
            break
    return first


def describe_results(package: str, versions: Sequence[str], results: Mapping[str, ReleaseResult]) -> str:
    """Return the answer in a sentence."""
    first = find_first_leaking(versions, results)
    if first is None:
        clean = [version for version in versions if _state(results, version) == "clean"]
        if not clean:
            return f"Nothing is known of {package}: no release could be judged."
        return f"No leak in {package} {', '.join(clean)}."
    before = versions[: versions.index(first)]
    clean = [version for version in before if _state(results, version) == "clean"]
    if not clean:
        return f"{package} leaks in {first}, the oldest release that could be judged."
    between = before[before.index(clean[-1]) + 1 :]
    unknown = f" Between them {', '.join(between)} could not be judged." if between else ""
    return f"{package} began to leak with {first}: {clean[-1]} does not leak.{unknown}"


def _state(results: Mapping[str, ReleaseResult], version: str) -> str | None:
    return results[version].state if version in results else None
