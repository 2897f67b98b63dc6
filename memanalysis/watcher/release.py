"""Find which release of the program runs: the one given, that of the environment, or the version of its package."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["RELEASE_VARIABLE", "find_given_release", "find_release"]

RELEASE_VARIABLE = "MEMANALYSIS_RELEASE"
"""Names the release where ``release=`` does not."""

MAX_CHARACTERS = 200


def find_release(release: str | None, *, service: str, packages: Mapping[str, str]) -> str | None:
    """Return the name of the release; None where nothing gives it.

    Parameters
    ----------
    release : str or None
        What was given: it counts first, and then the environment variable ``MEMANALYSIS_RELEASE``.
    service : str
        Name of the service: a package of that name is its own.
    packages : mapping
        Installed packages and their versions. That of the name of the service, of the main module or of the command
        counts, the first there is, as ``shop 1.4.2``.
    """
    given = release[:MAX_CHARACTERS] if release else find_given_release(os.environ)
    if given:
        return given
    versions = {_normalize(name): f"{name} {version}" for name, version in packages.items()}
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    main = str(getattr(spec, "name", "")).partition(".")[0]
    command = Path(sys.argv[0]).stem if getattr(sys, "argv", None) else ""
    for name in (service, main, command):
        if name and (found := versions.get(_normalize(name))) is not None:
            return found
    return None


def find_given_release(environment: Mapping[str, str]) -> str | None:
    """Return the release that the variables of an environment name; None where they name none."""
    return environment.get(RELEASE_VARIABLE, "")[:MAX_CHARACTERS] or None


def _normalize(name: str) -> str:
    """Return the name of a package as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
