"""Write the heap of a run as pprof: a ``profile.proto`` in gzip, which ``go tool pprof`` and many services read.

Source: https://github.com/google/pprof/blob/main/proto/profile.proto. A profile has a value of each sample type a
stack: ``inuse_objects``, ``inuse_space``, and where there are two snapshots ``growth_objects`` and ``growth_space``,
which are negative where a stack shrank. Numbers of objects are left out where they are unknown.
"""

import gzip

from memanalysis._version import __version__
from memanalysis.exchange.heap_profile import Frame, HeapProfile
from memanalysis.exchange.protobuf_wire import encode_bytes, encode_int, encode_packed
from memanalysis.exchange.sample_values import Shown, list_measures

__all__ = ["render_pprof"]

_MAPPING_ID = 1


def render_pprof(profile: HeapProfile, *, shown: Shown = "live") -> bytes:
    r"""Return the file; `shown` names the value that a reader sees first.

    Examples
    --------
    >>> from memanalysis import open_ledger
    >>> from memanalysis.exchange.heap_profile import read_heap_profile
    >>> content = render_pprof(read_heap_profile(open_ledger("sample_ledgers/leaking_service")))
    >>> content[:2]
    b'\x1f\x8b'
    """
    return gzip.compress(_encode_profile(profile, shown), mtime=0)


def _encode_profile(profile: HeapProfile, shown: Shown) -> bytes:
    texts: dict[str, int] = {"": 0}
    functions: dict[tuple[str, str], int] = {}
    locations: dict[Frame, int] = {}
    measures = list_measures(profile)

    def number(text: str) -> int:
        return texts.setdefault(text, len(texts))

    def encode_type(field: int, name: str, unit: str) -> bytes:
        return encode_bytes(field, encode_int(1, number(name)) + encode_int(2, number(unit)))

    parts = [encode_type(1, measure.name, measure.unit) for measure in measures]
    for use in profile.uses:
        ids = [locations.setdefault(frame, len(locations) + 1) for frame in reversed(use.frames)]  # innermost first
        values = [measure.read(use) for measure in measures]
        parts.append(encode_bytes(2, encode_packed(1, ids) + encode_packed(2, values)))
    is_described = b"".join(encode_int(field, 1) for field in (7, 8, 9))  # functions, files, lines: nothing to look up
    parts.append(encode_bytes(3, encode_int(1, _MAPPING_ID) + encode_int(5, number("python")) + is_described))
    for frame, location in locations.items():
        function = functions.setdefault((frame.name, frame.file), len(functions) + 1)
        line = encode_int(1, function) + encode_int(2, frame.line)
        parts.append(encode_bytes(4, encode_int(1, location) + encode_int(2, _MAPPING_ID) + encode_bytes(4, line)))
    for (name, file), function in functions.items():
        names = encode_int(2, number(name)) + encode_int(4, number(file))  # a system name would be demangled as C++
        parts.append(encode_bytes(5, encode_int(1, function) + names))
    seconds = profile.last - profile.first
    tail = [
        encode_int(9, _nanoseconds(profile)),
        encode_int(10, round(seconds.total_seconds() * 1e6) * 1000),
        encode_type(11, "space", "bytes"),
        encode_int(12, profile.sampling_interval_bytes or 1),
        encode_packed(13, [number(comment) for comment in _describe(profile)]),
        encode_int(14, number(next(measure.name for measure in measures if measure.is_first(shown)))),
    ]
    return b"".join([*parts, *(encode_bytes(6, text) for text in texts), *tail])


def _nanoseconds(profile: HeapProfile) -> int:
    return round(profile.last.timestamp() * 1e6) * 1000


def _describe(profile: HeapProfile) -> list[str]:
    trace = [f"trace {profile.trace}"] if profile.trace else []
    return [f"memanalysis {__version__}", f"service {profile.service}", f"run {profile.run_id}", *trace]
