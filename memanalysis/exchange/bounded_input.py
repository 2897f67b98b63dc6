"""Read a file of another tool, and no more of it than fits: a gzip file can hold a thousand times its size."""

import os
import zlib

from memanalysis.errors import LedgerError, LedgerFormatError, LedgerNotFoundError
from memanalysis.ledger.walk import open_regular
from memanalysis.units import MIB, format_bytes

__all__ = ["MAX_INPUT_BYTES", "read_input", "unpack_gzip"]

MAX_INPUT_BYTES = 128 * MIB
"""Bytes of one file, and of what is packed in it: some 2 million samples of text, which take 1 GB as Python objects."""

GZIP_MAGIC = b"\x1f\x8b"

_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_CHUNK_BYTES = 1 * MIB


def read_input(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a regular file.

    Raises
    ------
    LedgerNotFoundError
        Nothing is there.
    LedgerFormatError
        It is empty, larger than `MAX_INPUT_BYTES` or no regular file.
    LedgerError
        It cannot be read.
    """
    try:
        with open_regular(path, follow=True) as stream:
            content = stream.read(MAX_INPUT_BYTES + 1)
    except FileNotFoundError as exc:
        raise LedgerNotFoundError(f"import needs a file to read, but nothing is at {path}. Check the path.") from exc
    except LedgerError:
        raise
    except OSError as exc:
        raise LedgerError(f"import needs to read {path}, but cannot: {exc.strerror or exc}. Check the path.") from exc
    if not content:
        raise LedgerFormatError(f"import needs measurements, but {path} is empty (0 bytes). Restore it from a copy.")
    if len(content) > MAX_INPUT_BYTES:
        raise LedgerFormatError(_too_large(path, "is larger"))
    return content


def unpack_gzip(content: bytes, *, name: str | os.PathLike[str]) -> bytes:
    """Return what is packed in one or more gzip members, or the content itself where it is not packed.

    Raises
    ------
    LedgerFormatError
        It is cut off or damaged, or holds more than `MAX_INPUT_BYTES`; what is beyond is never unpacked.
    """
    if not content.startswith(GZIP_MAGIC):
        return content
    parts, size, rest = [], 0, content
    while rest.startswith(GZIP_MAGIC):
        unpacker = zlib.decompressobj(_GZIP_WINDOW)
        while not unpacker.eof:
            try:
                part = unpacker.decompress(rest, _CHUNK_BYTES)
            except zlib.error as exc:
                raise LedgerFormatError(f"{name} is a damaged gzip file: {exc}. Restore it from a copy.") from exc
            rest = unpacker.unconsumed_tail
            parts.append(part)
            size += len(part)
            if size > MAX_INPUT_BYTES:
                raise LedgerFormatError(_too_large(name, "holds more, packed as gzip"))
            if not part and not rest and not unpacker.eof:
                raise LedgerFormatError(f"{name} is a gzip file that is cut off. Restore it from a copy.")
        rest = unpacker.unused_data
    return b"".join(parts)


def _too_large(path: str | os.PathLike[str], what: str) -> str:
    return f"import reads files of at most {format_bytes(MAX_INPUT_BYTES)}, but {path} {what}. Split it."
