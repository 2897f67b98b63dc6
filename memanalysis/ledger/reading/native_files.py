"""Give Arrow a file of its own in place of one that Python opened.

Arrow's threads let go of what they read a moment after it was given back. Where that came from Python's file they need
Python for it, and a process that ends just then is aborted (apache/arrow#34314).
"""

from typing import Any

import pyarrow as pa

__all__ = ["open_native", "read_native"]

_DESCRIPTORS = ("/proc/self/fd", "/dev/fd")


def open_native(stream: Any) -> Any:
    """Open the very file behind a stream once more, for Arrow; the stream itself where it has no descriptor.

    Not by its path, at which another file may be by now.
    """
    try:
        descriptor = stream.fileno()
    except (AttributeError, OSError):  # of a bucket
        return stream
    for folder in _DESCRIPTORS:
        try:
            return pa.OSFile(f"{folder}/{descriptor}")
        except OSError:  # systems have one of them, both or none
            continue
    return stream


def read_native(stream: Any) -> pa.Buffer:
    """Read the whole file behind a stream into memory of Arrow's own, where it has a descriptor."""
    source = open_native(stream)
    return source.read_buffer() if isinstance(source, pa.NativeFile) else pa.py_buffer(source.read())
