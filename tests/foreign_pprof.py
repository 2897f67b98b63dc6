"""Read pprof with the library of Protocol Buffers, from a description of the messages written down here by hand.

The numbers are those of https://github.com/google/pprof/blob/main/proto/profile.proto.
"""

import gzip
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

__all__ = ["profile_class", "read_foreign", "total_by_type"]

_INT, _UINT, _BOOL, _TEXT, _MESSAGE = 3, 4, 8, 9, 11

_MESSAGES: dict[str, list[tuple[str, int, int | str, bool]]] = {
    "Profile": [
        ("sample_type", 1, "ValueType", True), ("sample", 2, "Sample", True), ("mapping", 3, "Mapping", True),
        ("location", 4, "Location", True), ("function", 5, "Function", True), ("string_table", 6, _TEXT, True),
        ("drop_frames", 7, _INT, False), ("keep_frames", 8, _INT, False), ("time_nanos", 9, _INT, False),
        ("duration_nanos", 10, _INT, False), ("period_type", 11, "ValueType", False), ("period", 12, _INT, False),
        ("comment", 13, _INT, True), ("default_sample_type", 14, _INT, False),
    ],
    "ValueType": [("type", 1, _INT, False), ("unit", 2, _INT, False)],
    "Sample": [("location_id", 1, _UINT, True), ("value", 2, _INT, True), ("label", 3, "Label", True)],
    "Label": [("key", 1, _INT, False), ("str", 2, _INT, False), ("num", 3, _INT, False), ("num_unit", 4, _INT, False)],
    "Mapping": [
        ("id", 1, _UINT, False), ("memory_start", 2, _UINT, False), ("memory_limit", 3, _UINT, False),
        ("file_offset", 4, _UINT, False), ("filename", 5, _INT, False), ("build_id", 6, _INT, False),
        ("has_functions", 7, _BOOL, False), ("has_filenames", 8, _BOOL, False), ("has_line_numbers", 9, _BOOL, False),
        ("has_inline_frames", 10, _BOOL, False),
    ],
    "Location": [
        ("id", 1, _UINT, False), ("mapping_id", 2, _UINT, False), ("address", 3, _UINT, False),
        ("line", 4, "Line", True), ("is_folded", 5, _BOOL, False),
    ],
    "Line": [("function_id", 1, _UINT, False), ("line", 2, _INT, False), ("column", 3, _INT, False)],
    "Function": [
        ("id", 1, _UINT, False), ("name", 2, _INT, False), ("system_name", 3, _INT, False),
        ("filename", 4, _INT, False), ("start_line", 5, _INT, False),
    ],
}  # fmt: skip


@cache
def profile_class() -> Any:
    """Return the class of the message ``Profile``."""
    file = descriptor_pb2.FileDescriptorProto(name="pprof.proto", package="pprof", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, number, kind, is_repeated in fields:
            field = message.field.add(name=field_name, number=number, label=3 if is_repeated else 1)
            if isinstance(kind, str):
                field.type, field.type_name = _MESSAGE, f".pprof.{kind}"
            else:
                field.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("pprof.Profile"))


def read_foreign(content: bytes) -> Any:
    """Parse a file, and check that it holds nothing that the description does not have."""
    data = gzip.decompress(content)
    profile = profile_class().FromString(data)
    known = profile_class().FromString(data)
    known.DiscardUnknownFields()
    assert known == profile
    return profile


def total_by_type(profile: Any) -> dict[str, int]:
    """Sum of all values, by the name of their sample type."""
    names = [profile.string_table[kind.type] for kind in profile.sample_type]
    return {name: sum(sample.value[at] for sample in profile.sample) for at, name in enumerate(names)}
