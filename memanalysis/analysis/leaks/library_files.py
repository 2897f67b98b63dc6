"""Files of Python and of installed packages by their names, also of another machine than this."""

import re

__all__ = ["LIBRARY_FILE", "is_library_file"]

LIBRARY_FILE = re.compile(
    r".*/(?:site-packages|dist-packages)/(.+)"
    r"|.*/lib(?:64)?/(?:python|pypy)3(?:\.\d+)?t?/(.+)"
    r"|.*/python3\d+\.zip/(.+)"  # the archive of an embedded Python
    r"|[a-z]:/(?:.*/)?python3\d+(?:-32|-arm64)?/lib/(.+)",  # as the installer of python.org names its folder
    re.IGNORECASE,
)
"""A name with slashes; the group that is there is the part that is the same in every install."""


def is_library_file(file: str) -> bool:
    """Return whether a file is in a folder of Python or of installed packages."""
    return file.startswith("<frozen") or LIBRARY_FILE.fullmatch(file.replace("\\", "/")) is not None
