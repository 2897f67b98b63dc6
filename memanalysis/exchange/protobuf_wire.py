"""Encode and decode the wire format of Protocol Buffers: varints, and fields that hold bytes or packed numbers.

Source: https://protobuf.dev/programming-guides/encoding/. A message is a run of fields, each a tag (number and wire
type) and a value. What the fields mean is up to the caller.
"""

from collections.abc import Iterable, Iterator

__all__ = [
    "decode_fields",
    "decode_packed",
    "decode_signed",
    "encode_bytes",
    "encode_fixed64",
    "encode_int",
    "encode_packed",
]

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5
"""Wire types; 3 and 4, of groups, are gone since version 3."""

_WORD = 1 << 64
_SIGN = 1 << 63
_MAX_VARINT_BYTES = 10


def encode_int(number: int, value: int) -> bytes:
    """Return a field that holds a whole number; zero, which is the default of every such field, takes no bytes.

    Examples
    --------
    >>> encode_int(1, 150).hex()
    '089601'
    """
    return _varint(number << 3 | VARINT) + _varint(value) if value else b""


def encode_fixed64(number: int, value: int) -> bytes:
    """Return a field of eight bytes, as for nanoseconds since 1970."""
    return _varint(number << 3 | FIXED64) + value.to_bytes(8, "little") if value else b""


def encode_bytes(number: int, content: bytes | str) -> bytes:
    """Return a field that holds a text, bytes or an encoded message; an empty one is written too, as it has a place."""
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    return _varint(number << 3 | LENGTH_DELIMITED) + _varint(len(data)) + data


def encode_packed(number: int, values: Iterable[int]) -> bytes:
    """Return a field that holds a list of whole numbers."""
    data = b"".join(map(_varint, values))
    return encode_bytes(number, data) if data else b""


def decode_fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field of a message: an unsigned number, or the bytes of a longer value.

    Raises
    ------
    ValueError
        The message is cut off or is none; the text has the byte at which it broke.
    """
    at = 0
    while at < len(message):
        start = at
        tag, at = _read_varint(message, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == VARINT:
            value, at = _read_varint(message, at)
            yield number, value
            continue
        if wire_type == LENGTH_DELIMITED:
            size, at = _read_varint(message, at)
        elif wire_type in (FIXED64, FIXED32):
            size = 8 if wire_type == FIXED64 else 4
        else:
            raise ValueError(f"byte {start} begins a field of wire type {wire_type}")
        if number == 0 or size > len(message) - at:
            raise ValueError(f"byte {start} begins a field that is cut off")
        content = message[at : at + size]
        at += size
        yield number, content if wire_type == LENGTH_DELIMITED else int.from_bytes(content, "little")


def decode_packed(value: int | memoryview) -> list[int]:
    """Return the unsigned numbers of a repeated field: one where it stands alone, else all that are packed.

    Raises
    ------
    ValueError
        The last one is cut off.
    """
    if isinstance(value, int):
        return [value]
    numbers, at = [], 0
    while at < len(value):
        number, at = _read_varint(value, at)
        numbers.append(number)
    return numbers


def decode_signed(value: int) -> int:
    """Return an ``int64`` from the unsigned number that stands for it."""
    return value - _WORD if value >= _SIGN else value


def _varint(value: int) -> bytes:
    rest = value % _WORD  # a negative number is its two's complement
    encoded = bytearray()
    while rest > 0x7F:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)


def _read_varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for position in range(_MAX_VARINT_BYTES):
        if at + position >= len(message):
            break
        byte = message[at + position]
        value |= (byte & 0x7F) << 7 * position
        if byte < 0x80:
            if value >= _WORD:
                break
            return value, at + position + 1
    raise ValueError(f"byte {at} begins a number that is cut off or above 64 bits")
