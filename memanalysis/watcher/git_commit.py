"""Which commit is the watched program's code at? Read from the files in ``.git``; no process is started.

Source: gitrepository-layout(5): ``HEAD`` holds a commit or the name of a ref, a ref is a file or a line of
``packed-refs``, and in a linked worktree ``.git`` is a file that names its folder.
"""

import re
from pathlib import Path

from memanalysis._links import resolve_links

__all__ = ["read_git_commit"]

MAX_REF_HOPS = 5
"""A symbolic ref may name another; git itself gives up after five."""

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def read_git_commit(folder: Path) -> str | None:
    """Commit that the repository around ``folder`` has checked out, or None where there is none."""
    try:
        git_folder = _find_git_folder(folder)
        return None if git_folder is None else _resolve(git_folder, "HEAD")
    except (OSError, UnicodeDecodeError):
        return None


def _find_git_folder(folder: Path) -> Path | None:
    for place in (folder, *folder.parents):
        candidate = place / ".git"
        if candidate.is_dir():
            return candidate
        if candidate.is_file():
            target = candidate.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
            return resolve_links(place / target)
    return None


def _resolve(git_folder: Path, ref: str) -> str | None:
    shared = _find_shared_folder(git_folder)
    for _ in range(MAX_REF_HOPS):
        text = _read_ref(git_folder, shared, ref)
        if text is None or _COMMIT.fullmatch(text):
            return text
        if not text.startswith("ref:"):
            return None
        ref = text.removeprefix("ref:").strip()
    return None


def _find_shared_folder(git_folder: Path) -> Path:
    """Refs of a linked worktree live in the main repository's folder, which ``commondir`` names."""
    pointer = git_folder / "commondir"
    return resolve_links(git_folder / pointer.read_text(encoding="utf-8").strip()) if pointer.is_file() else git_folder


def _read_ref(git_folder: Path, shared: Path, ref: str) -> str | None:
    for folder in (git_folder, shared):
        path = resolve_links(folder / ref)
        if path.is_relative_to(resolve_links(folder)) and path.is_file():
            return path.read_text(encoding="utf-8").strip()
    packed = shared / "packed-refs"
    if packed.is_file():
        for line in packed.read_text(encoding="utf-8").splitlines():
            commit, _, name = line.partition(" ")
            if name == ref:
                return commit
    return None
