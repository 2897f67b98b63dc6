"""Write the heap of a run as an OTLP profile, which OpenTelemetry collectors take at ``/v1development/profiles``.

Source: opentelemetry/proto/profiles/v1development/profiles.proto, version 1.9 of the protocol. An OTLP profile has one
sample type, so each measure is a profile of its own, and all share one dictionary, whose entries 0 mean *none*. The
bytes of ``ProfilesData`` are those of an ``ExportProfilesServiceRequest`` too.
"""

from collections.abc import Hashable, Iterable
from hashlib import sha256
from typing import TypeVar

from memanalysis._version import __version__
from memanalysis.exchange.heap_profile import CallStack, Frame, HeapProfile
from memanalysis.exchange.protobuf_wire import encode_bytes, encode_fixed64, encode_int, encode_packed
from memanalysis.exchange.sample_values import Measure, Shown, list_measures

__all__ = ["render_otlp"]

_PROFILE_ID_BYTES = 16

_Key = TypeVar("_Key", bound=Hashable)


class _Dictionary:
    """Tables that all profiles share; what is asked for the first time is appended."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {"": 0}
        self.functions: dict[tuple[str, str], int] = {("", ""): 0}
        self.locations: dict[Frame | None, int] = {None: 0}
        self.stacks: dict[CallStack, int] = {(): 0}

    def text(self, text: str) -> int:
        return _number(self.texts, text)

    def stack(self, frames: CallStack) -> int:
        return _number(self.stacks, frames)

    def encode(self) -> bytes:
        """Return the whole dictionary, each table after those that it fills."""
        stacks = [
            encode_packed(1, [_number(self.locations, frame) for frame in reversed(frames)]) for frames in self.stacks
        ]
        locations = [b"" if frame is None else encode_bytes(3, self._encode_line(frame)) for frame in self.locations]
        functions = [encode_int(1, self.text(name)) + encode_int(3, self.text(file)) for name, file in self.functions]
        empty = [b""]
        return b"".join(
            [
                *_table(1, empty), *_table(2, locations), *_table(3, functions), *_table(4, empty),
                *(encode_bytes(5, text) for text in self.texts), *_table(6, empty), *_table(7, stacks),
            ]
        )  # fmt: skip

    def _encode_line(self, frame: Frame) -> bytes:
        return encode_int(1, _number(self.functions, (frame.name, frame.file))) + encode_int(2, frame.line)


def render_otlp(profile: HeapProfile, *, shown: Shown = "live") -> bytes:
    """Return an encoded ``ProfilesData``; the profile of what is to be `shown` comes first.

    Examples
    --------
    >>> from memanalysis import open_ledger
    >>> from memanalysis.exchange.heap_profile import read_heap_profile
    >>> content = render_otlp(read_heap_profile(open_ledger("sample_ledgers/leaking_service")))
    >>> b"leaky_service" in content
    True
    """
    dictionary = _Dictionary()
    measures = sorted(list_measures(profile), key=lambda measure: not measure.is_first(shown))
    profiles = [encode_bytes(2, _encode_profile(profile, measure, dictionary)) for measure in measures]
    scope = encode_bytes(1, encode_bytes(1, "memanalysis") + encode_bytes(2, __version__))
    names = {
        "service.name": profile.service,
        "service.instance.id": profile.run_id,
        "process.runtime.name": "cpython",
    }
    resource = b"".join(encode_bytes(1, _encode_attribute(name, value)) for name, value in names.items())
    of_resource = encode_bytes(1, resource) + encode_bytes(2, scope + b"".join(profiles))
    return encode_bytes(1, of_resource) + encode_bytes(2, dictionary.encode())


def _encode_profile(profile: HeapProfile, measure: Measure, dictionary: _Dictionary) -> bytes:
    samples = [
        encode_bytes(2, encode_int(1, dictionary.stack(use.frames)) + encode_packed(4, [measure.read(use)]))
        for use in profile.uses
    ]
    first, last = (round(moment.timestamp() * 1e6) * 1000 for moment in (profile.first, profile.last))
    profile_id = sha256(f"{profile.service}\0{profile.run_id}\0{measure.name}\0{last}".encode()).digest()
    return b"".join(
        [
            encode_bytes(1, _encode_type(dictionary, measure.name, measure.unit)),
            *samples,
            encode_fixed64(3, last),
            encode_int(4, last - first),
            encode_bytes(5, _encode_type(dictionary, "space", "bytes")),
            encode_int(6, profile.sampling_interval_bytes or 1),
            encode_bytes(7, profile_id[:_PROFILE_ID_BYTES]),
        ]
    )


def _encode_type(dictionary: _Dictionary, name: str, unit: str) -> bytes:
    return encode_int(1, dictionary.text(name)) + encode_int(2, dictionary.text(unit))


def _encode_attribute(name: str, value: str) -> bytes:
    return encode_bytes(1, name) + encode_bytes(2, encode_bytes(1, value))


def _table(field: int, entries: Iterable[bytes]) -> list[bytes]:
    return [encode_bytes(field, entry) for entry in entries]


def _number(table: dict[_Key, int], key: _Key) -> int:
    return table.setdefault(key, len(table))
