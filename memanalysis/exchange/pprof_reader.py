"""Read heap profiles in the format of pprof, of any language: each file is one snapshot of what is in use.

Source: https://github.com/google/pprof/blob/main/proto/profile.proto. Files are untrusted: what is packed, deep or long
beyond any heap is refused before it is held.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from memanalysis._text import make_encodable
from memanalysis.errors import LedgerFormatError
from memanalysis.exchange.bounded_input import unpack_gzip
from memanalysis.exchange.heap_profile import CallStack, Frame
from memanalysis.exchange.protobuf_wire import decode_fields, decode_packed, decode_signed

__all__ = ["HeapFile", "parse_heap_file", "site_rows"]

SIZES = ("inuse_space", "inuse_bytes", "live_bytes", "space")
"""Names of the sample type that counts the bytes in use, as Go, Rust, and gperftools write it."""

COUNTS = {"inuse_space": "inuse_objects", "inuse_bytes": "inuse_objects", "space": "objects"}

MAX_RECORDS = 2_000_000
"""Stacks, places, functions and texts of one file."""

MAX_FRAMES = 10_000
"""Frames of one stack."""

_SITE_ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class HeapFile:
    """One snapshot: epoch seconds, bytes and blocks by stack, what the profile calls its program and how it sampled."""

    name: str
    taken_s: float
    program: str
    period_bytes: int | None
    stacks: Mapping[CallStack, tuple[int, int | None]]


@dataclass(slots=True)
class _Messages:
    """The messages of a profile, not yet resolved: numbers stand for texts, functions and places."""

    texts: list[str] = field(default_factory=list)
    types: list[tuple[int, int]] = field(default_factory=list)
    samples: list[tuple[list[int], list[int]]] = field(default_factory=list)
    mapped_files: dict[int, int] = field(default_factory=dict)
    places: dict[int, tuple[int, int, list[tuple[int, int]]]] = field(default_factory=dict)
    functions: dict[int, tuple[int, int]] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)
    comments: list[int] = field(default_factory=list)


def parse_heap_file(content: bytes, *, name: str) -> HeapFile:
    """Return the snapshot in a file, packed by gzip or not.

    Raises
    ------
    LedgerFormatError
        It is damaged, too large, no heap profile, or does not state when it was taken.
    """
    data = unpack_gzip(content, name=name)
    try:
        found = _read_messages(memoryview(data))
        types = [(_text(found, kind), _text(found, unit)) for kind, unit in found.types]
        at_size = next((at for wanted in SIZES for at, kind in enumerate(types) if kind == (wanted, "bytes")), None)
        if at_size is None:
            raise LedgerFormatError(
                f"{name}: needs a heap profile with {' or '.join(SIZES)} in bytes, but has "
                f"{', '.join('/'.join(kind) for kind in types) or 'no sample types'}. Take a profile of the heap."
            )
        at_count = next((at for at, kind in enumerate(types) if kind[0] == COUNTS.get(types[at_size][0])), None)
        stacks = _sum_stacks(found, at_size, at_count)
    except (ValueError, IndexError, KeyError) as exc:
        if isinstance(exc, LedgerFormatError):
            raise
        what = f"{exc}" if type(exc) is ValueError else f"it refers to {exc}, which is missing"
        raise LedgerFormatError(f"{name}: needs a whole profile of pprof, but {what}. Restore it from a copy.") from exc
    taken = decode_signed(found.numbers.get(9, 0))
    if taken <= 0:
        raise LedgerFormatError(f"{name}: needs the time at which it was taken (time_nanos), but has none.")
    period = decode_signed(found.numbers.get(12, 0))
    return HeapFile(name, taken / 1e9, _find_program(found), period if period > 1 else None, stacks)


def site_rows(heap: HeapFile) -> Iterator[dict[str, Any]]:
    """Yield rows of ``sites``, the most bytes first; stacks that hold nothing are left out."""
    for frames, (size_bytes, count) in sorted(heap.stacks.items(), key=lambda entry: entry[1][0], reverse=True):
        if size_bytes:
            named = json.dumps([[frame.function, frame.file, frame.line] for frame in frames])
            yield {
                "site_id": blake2b(named.encode(), digest_size=_SITE_ID_BYTES).hexdigest(),
                "file": frames[-1].file,
                "line": frames[-1].line,
                "function": frames[-1].function or None,
                "traceback": [_make_place(frame) for frame in frames],
                "size_bytes": size_bytes,
                "live_allocations": count,
            }


def _make_place(frame: Frame) -> list[str | int]:
    """Return a frame as the column ``traceback`` has it; a name that stands for the place alone is none."""
    is_named = frame.function not in ("", Frame(frame.file, frame.line).name)
    return [frame.file, frame.line, *([frame.function] if is_named else [])]


def _read_messages(data: memoryview) -> _Messages:
    found = _Messages()
    for n_records, (number, value) in enumerate(decode_fields(data)):
        if n_records >= MAX_RECORDS:
            raise ValueError(f"it has more than {MAX_RECORDS:,} records")
        if isinstance(value, int):
            if number == 13:
                found.comments.append(value)
            else:
                found.numbers[number] = value
        elif number == 1:
            numbers = _read_numbers(value)
            found.types.append((numbers.get(1, 0), numbers.get(2, 0)))
        elif number == 2:
            found.samples.append(_read_sample(value))
        elif number == 3:
            numbers = _read_numbers(value)
            found.mapped_files[numbers.get(1, 0)] = numbers.get(5, 0)
        elif number == 4:
            _read_place(value, found)
        elif number == 5:
            numbers = _read_numbers(value)
            found.functions[numbers.get(1, 0)] = numbers.get(2, 0), numbers.get(4, 0)
        elif number == 6:
            found.texts.append(make_encodable(str(value, "utf-8", "replace")))
        elif number == 13:
            found.comments += _read_list(value)
    return found


def _read_numbers(message: memoryview) -> dict[int, int]:
    return {number: value for number, value in decode_fields(message) if isinstance(value, int)}


def _read_sample(message: memoryview) -> tuple[list[int], list[int]]:
    places: list[int] = []
    values: list[int] = []
    for number, value in decode_fields(message):
        if number in (1, 2):
            (places if number == 1 else values).extend(_read_list(value))
            if len(places) > MAX_FRAMES:
                raise ValueError(f"a stack has more than {MAX_FRAMES:,} frames")
    return places, values


def _read_list(value: int | memoryview) -> list[int]:
    if not isinstance(value, int) and len(value) > 10 * MAX_FRAMES:
        raise ValueError(f"a list has more than {MAX_FRAMES:,} numbers")
    return decode_packed(value)


def _read_place(message: memoryview, found: _Messages) -> None:
    lines, numbers = [], {}
    for number, value in decode_fields(message):
        if isinstance(value, int):
            numbers[number] = value
        elif number == 4:
            line = _read_numbers(value)
            lines.append((line.get(1, 0), max(0, decode_signed(line.get(2, 0)))))
            if len(lines) > MAX_FRAMES:
                raise ValueError(f"a place has more than {MAX_FRAMES:,} lines")
    found.places[numbers.get(1, 0)] = numbers.get(2, 0), numbers.get(3, 0), lines


def _sum_stacks(found: _Messages, at_size: int, at_count: int | None) -> dict[CallStack, tuple[int, int | None]]:
    frames = {number: tuple(_name_frames(found, *place)) for number, place in found.places.items()}
    sums: dict[CallStack, tuple[int, int | None]] = {}
    for places, values in found.samples:
        size = decode_signed(values[at_size])
        count = None if at_count is None else decode_signed(values[at_count])
        if size < 0 or (count or 0) < 0:
            raise ValueError("a size in it is negative, as in the difference of two profiles")
        stack = tuple(frame for place in reversed(places) for frame in frames[place]) or (Frame("<unknown>", 0),)
        size_before, count_before = sums.get(stack, (0, 0))
        total = None if count is None or count_before is None else count_before + count
        sums[stack] = size_before + size, total
    return sums


def _name_frames(found: _Messages, mapping: int, address: int, lines: list[tuple[int, int]]) -> Iterator[Frame]:
    """Frames of one place, the outermost first; inlined functions are several. Native code may have an address only."""
    for function, line in reversed(lines):
        name, file = found.functions[function]
        yield Frame(_text(found, file) or "<unknown>", line, _text(found, name))
    if not lines:
        mapped = found.mapped_files.get(mapping)
        yield Frame((_text(found, mapped) if mapped else "") or "<unknown>", 0, f"{address:#x}" if address else "")


def _find_program(found: _Messages) -> str:
    """Name of the service where memanalysis wrote the profile, else that of the program's file."""
    comments = [_text(found, comment) for comment in found.comments]
    services = [comment.removeprefix("service ") for comment in comments if comment.startswith("service ")]
    files = [_text(found, file).replace("\\", "/").rpartition("/")[2] for file in found.mapped_files.values()]
    return next(filter(None, [*services, *files]), "")


def _text(found: _Messages, number: int) -> str:
    return found.texts[number]
