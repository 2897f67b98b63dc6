"""Which policy holds here: a file of the user's, or the one that comes with the package.

A file that is not there means the packaged default, with a logged warning; a file that is there and wrong is an error,
never silently the default.
"""

import logging
import os
import stat
from collections.abc import Iterable, Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memanalysis.errors import PolicyError
from memanalysis.policy.model import Policy
from memanalysis.policy.places import Place

if TYPE_CHECKING:
    from memanalysis.policy.layers import LayeredPolicy

__all__ = [
    "DEFAULT_CONFIG_PATH",
    "find_default_path",
    "read_default_policy",
    "read_layers",
    "read_policy",
    "read_policy_file",
    "read_policy_or_default",
    "read_text",
]

DEFAULT_CONFIG_PATH = "config/memory_policy.yaml"
"""Where a project keeps its policy, seen from its working directory."""

_MAX_FILE_BYTES = 2**20
"""No policy is a megabyte long; a device or a dump given by mistake must not be read to its end."""

_LOGGER = logging.getLogger(__name__)


def read_policy(path: str | PathLike[str]) -> Policy:
    """Read and check a policy file, with what environment variables set over it.

    Raises
    ------
    PolicyError
        No such file, not readable, not UTF-8, not YAML, or a wrong key or value: the text names file, line and key.
    """
    return read_policy_file(path)[1]


def read_default_policy() -> Policy:
    """Read the policy that comes with the package, whatever the environment sets."""
    return read_layers(find_default_path(), environment={}).policy


def read_policy_or_default(path: str | PathLike[str]) -> tuple[dict[str, Any], Policy]:
    """Read a policy file, or the packaged default where there is none; a warning then reports it.

    Returns
    -------
    tuple
        The plain mapping that the file holds, and the policy with the defaults filled in.

    Raises
    ------
    PolicyError
        The file is there but wrong.
    """
    try:
        return read_policy_file(path)
    except PolicyError as exc:
        if not isinstance(exc.__cause__, FileNotFoundError):
            raise
    default = read_policy_file(find_default_path())
    _LOGGER.warning("No policy file at %s: using the default policy that comes with memanalysis.", fspath(path))
    return default


def read_policy_file(path: str | PathLike[str]) -> tuple[dict[str, Any], Policy]:
    """Read a policy file; its plain mapping and the checked policy. See `read_policy` for the errors."""
    layers = read_layers(path)
    return layers.mapping, layers.policy


def read_layers(
    path: str | PathLike[str], *, environment: Mapping[str, str] = os.environ, arguments: Iterable[str] = ()
) -> "LayeredPolicy":
    """Read a policy file and what is set over it, with the origin of each value.

    Parameters
    ----------
    path : path
    environment : mapping
        Variables of the process.
    arguments : iterable of str
        Each ``dotted.key=value``.

    Raises
    ------
    PolicyError
        As in `read_policy`.
    """
    from memanalysis.policy.document import parse_document  # here, so that yaml is imported only when a policy is read
    from memanalysis.policy.layers import layer_policy

    source = fspath(path)
    document = parse_document(read_text(Path(path), Place(source)), source=source)
    return layer_policy(document, source=source, environment=environment, arguments=arguments)


def read_text(path: Path, place: Place, *, kind: str = "policy file", example: str = "memory_policy.yaml") -> str:
    """Read a file of at most a megabyte of UTF-8; `kind` is what an error calls it, `example` a name.

    Raises
    ------
    PolicyError
        No such file, no regular file, not readable, too long, or not UTF-8.
    """
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise place.error(f"a {kind} that is a regular file", "a named pipe or a device", f"Write {example}.")
            content = file.read(_MAX_FILE_BYTES + 1)
    except FileNotFoundError as exc:
        raise place.error(f"a {kind}", "no such file", "Check the path.") from exc
    except IsADirectoryError as exc:
        raise place.error(f"a {kind}", "a directory", f"Write {path / example}.") from exc
    except (OSError, ValueError) as exc:  # ValueError: a path with a null character
        raise place.error(f"a readable {kind}", str(exc), "Check path and permissions.") from exc
    if len(content) > _MAX_FILE_BYTES:
        raise place.error(f"a {kind} of at most {_MAX_FILE_BYTES} bytes", "more", "Check the path.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise Place(place.source, line_of=lambda _: line).error(
            "UTF-8 text", f"the byte 0x{content[exc.start]:02x}", "Save the file as UTF-8."
        ) from exc


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a file; a named pipe without a writer would otherwise hold its reader for ever."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def find_default_path() -> Path:
    """Return where the packaged policy is: in a wheel beside this module, in the repository in config/."""
    packaged = Path(__file__).with_name("memory_policy.yaml")
    return packaged if packaged.is_file() else Path(__file__).parents[2] / DEFAULT_CONFIG_PATH
