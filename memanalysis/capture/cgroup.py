"""Which memory limit does the kernel hold a process to? Found and parsed from the text of ``/proc``; pure.

A cgroup may be limited by any of its ancestors, so the limit is the least of those that can be read. Both hierarchies
are known: version 1 (``memory.limit_in_bytes``) and version 2 (``memory.max``); where both are mounted, the memory
controller lives in the first that names it.

Source: Linux ``Documentation/admin-guide/cgroup-v1/memory.rst`` and ``cgroup-v2.rst``; ``proc(5)`` for mountinfo.
"""

import re
from pathlib import PurePosixPath

__all__ = ["find_limit_files", "find_oom_files", "parse_limit_bytes"]

UNLIMITED_BYTES = 2**60
"""From here up a number means "no limit": version 1 gives 2**63 rounded down to a page."""

_OCTAL = re.compile(r"\\([0-7]{3})")


def find_limit_files(cgroup_text: str, mountinfo_text: str) -> list[str]:
    """Find the files that may hold the limit: the process's own cgroup first, then its ancestors.

    Parameters
    ----------
    cgroup_text : str
        Text of ``/proc/<pid>/cgroup``.
    mountinfo_text : str
        Text of ``/proc/<pid>/mountinfo``.
    """
    return _find_files(cgroup_text, mountinfo_text, v1_name="memory.limit_in_bytes", v2_name="memory.max")


def find_oom_files(cgroup_text: str, mountinfo_text: str) -> list[str]:
    """Find the files that may count what was killed for lack of memory; arguments and order as `find_limit_files`."""
    return _find_files(cgroup_text, mountinfo_text, v1_name="memory.oom_control", v2_name="memory.events")


def _find_files(cgroup_text: str, mountinfo_text: str, *, v1_name: str, v2_name: str) -> list[str]:
    for path, file_name, mounts in (
        (_find_v1_path(cgroup_text), v1_name, _find_mounts(mountinfo_text, "cgroup", "memory")),
        (_find_v2_path(cgroup_text), v2_name, _find_mounts(mountinfo_text, "cgroup2", None)),
    ):
        if path is not None and mounts:
            root, mount_point = mounts[0]
            return [f"{folder}/{file_name}" for folder in _list_folders(path, root, mount_point)]
    return []


def parse_limit_bytes(text: str) -> int | None:
    """Whole bytes from a limit file, or None where there is no limit."""
    word = text.strip()
    if not word.isdecimal():
        return None
    limit = int(word)
    return limit if 0 < limit < UNLIMITED_BYTES else None


def _find_v1_path(cgroup_text: str) -> str | None:
    for line in cgroup_text.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if "memory" in controllers.split(","):
            return path
    return None


def _find_v2_path(cgroup_text: str) -> str | None:
    return next((line[3:] for line in cgroup_text.splitlines() if line.startswith("0::")), None)


def _find_mounts(mountinfo_text: str, fs_type: str, option: str | None) -> list[tuple[str, str]]:
    """Root and mount point of each mount of that type, such as ``("/", "/sys/fs/cgroup/memory")``."""
    found = []
    for line in mountinfo_text.splitlines():
        left, separator, right = line.partition(" - ")
        fields, tail = left.split(" "), right.split(" ")
        if not separator or len(fields) < 5 or len(tail) < 3 or tail[0] != fs_type:
            continue
        if option is None or option in tail[2].split(","):
            found.append((_unescape(fields[3]), _unescape(fields[4])))
    return found


def _list_folders(path: str, root: str, mount_point: str) -> list[str]:
    """List the process's cgroup folder and its ancestors up to the mount point, which is all that can be seen."""
    inside = PurePosixPath(path)
    if root != "/":
        try:
            inside = "/" / inside.relative_to(root)
        except ValueError:  # the cgroup lies outside what is mounted here: only the mount's own limit is visible
            return [mount_point]
    if ".." in inside.parts:
        return [mount_point]
    folders = [inside, *inside.parents]
    return [mount_point if folder == PurePosixPath("/") else f"{mount_point}{folder}" for folder in folders]


def _unescape(field: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), field)
