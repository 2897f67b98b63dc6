"""OTLP profiles as the message classes of OpenTelemetry read them."""

from typing import Any

import pytest
from heap_makers import profiles
from hypothesis import given, settings

from memanalysis.exchange.heap_profile import HeapProfile
from memanalysis.exchange.otlp_profile import render_otlp

profiles_pb2 = pytest.importorskip("opentelemetry.proto.profiles.v1development.profiles_pb2")
service_pb2 = pytest.importorskip("opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2")
if "stack_index" not in profiles_pb2.Sample.DESCRIPTOR.fields_by_name:
    pytest.skip("this release of opentelemetry-proto has an older layout of profiles", allow_module_level=True)


def read_stacks(data: Any, made: Any) -> list[tuple[list[tuple[str, str, int]], list[int]]]:
    """Frames from the outermost on, and values, of each sample of a profile."""
    tables = data.dictionary
    texts = tables.string_table

    def frame(index: int) -> tuple[str, str, int]:
        line = tables.location_table[index].lines[0]
        function = tables.function_table[line.function_index]
        return texts[function.name_strindex], texts[function.filename_strindex], line.line

    return [
        ([frame(at) for at in reversed(tables.stack_table[sample.stack_index].location_indices)], list(sample.values))
        for sample in made.samples
    ]


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(profiles)
def test_the_classes_of_opentelemetry_read_every_stack_and_value(heap: HeapProfile) -> None:
    content = render_otlp(heap)
    data = profiles_pb2.ProfilesData.FromString(content)
    known = profiles_pb2.ProfilesData.FromString(content)
    known.DiscardUnknownFields()
    assert known == data
    texts = data.dictionary.string_table
    of_resource = data.resource_profiles[0]
    made = {texts[each.sample_type.type_strindex]: each for each in of_resource.scope_profiles[0].profiles}

    attributes = {each.key: each.value.string_value for each in of_resource.resource.attributes}
    assert attributes["service.name"] == heap.service
    assert set(made) == {"inuse_space", "inuse_objects", "growth_space", "growth_objects"}
    frames = [[(frame.name, frame.file, frame.line) for frame in use.frames] for use in heap.uses]
    fields = {"inuse_space": "live_bytes", "growth_space": "grown_bytes", "inuse_objects": "live_objects"}
    for name, field in fields.items():
        values = [[getattr(use, field)] for use in heap.uses]
        assert read_stacks(data, made[name]) == list(zip(frames, values, strict=True))
    assert made["inuse_space"].time_unix_nano == 1_735_689_660_123_456_000
    assert made["inuse_space"].duration_nano == 60_123_456_000
    assert len({each.profile_id for each in made.values()}) == 4


@settings(max_examples=25, deadline=None)
@given(profiles)
def test_entry_zero_of_every_table_is_empty_as_the_protocol_demands(heap: HeapProfile) -> None:
    tables = profiles_pb2.ProfilesData.FromString(render_otlp(heap, shown="grew")).dictionary

    for name in ("mapping", "location", "function", "link", "attribute", "stack"):
        entry = getattr(tables, f"{name}_table")[0]
        assert entry == type(entry)(), name
    assert tables.string_table[0] == ""
    assert len(set(tables.string_table)) == len(tables.string_table)


@settings(max_examples=25, deadline=None)
@given(profiles)
def test_the_bytes_are_those_of_a_request_to_a_collector(heap: HeapProfile) -> None:
    content = render_otlp(heap)

    request = service_pb2.ExportProfilesServiceRequest.FromString(content)

    assert request.SerializeToString() == profiles_pb2.ProfilesData.FromString(content).SerializeToString()
