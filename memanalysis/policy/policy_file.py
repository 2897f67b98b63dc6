"""A policy file that is read again when it changes. What is wrong with it then is an answer, and no exception."""

import os
from collections.abc import Mapping
from os import PathLike
from pathlib import Path

from memanalysis.errors import PolicyError
from memanalysis.policy.loader import read_layers
from memanalysis.policy.model import Policy

__all__ = ["PolicyFile"]

_Signature = tuple[int, ...] | None
"""What changes with a file; None where there is no file, or none that can be reached."""


class PolicyFile:
    """Reads a policy file, and again once it has changed and then stayed the same for one check.

    An editor that writes in place or replaces the file is so not met half way.

    Parameters
    ----------
    path : path
        Relative to the folder in which the program is now; it may go to another one later.
    environment : mapping
        Variables that set keys over the file.
    """

    def __init__(self, path: str | PathLike[str], *, environment: Mapping[str, str] = os.environ) -> None:
        self.path = Path(path)
        self._absolute = self.path.absolute()
        self._environment = environment
        self._read: _Signature = None
        self._seen: _Signature = None

    def read(self) -> Policy:
        """Read the file.

        Raises
        ------
        PolicyError
            It is not there, or wrong.
        """
        self._read = self._seen = self._sign()
        return read_layers(self.path, environment=self._environment).policy

    def read_if_changed(self) -> Policy | PolicyError | None:
        """Return the policy of a file that has changed, or what is wrong with it; None where nothing is new."""
        seen, self._seen = self._seen, self._sign()
        if self._seen != seen or self._seen == self._read:
            return None
        self._read = self._seen
        try:
            return read_layers(self._absolute, environment=self._environment).policy
        except PolicyError as exc:
            return exc

    def _sign(self) -> _Signature:
        try:
            status = os.stat(self._absolute)  # noqa: PTH116 - at each check, in the watched process
        except (OSError, ValueError):  # ValueError: a path with a null character
            return None
        return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
