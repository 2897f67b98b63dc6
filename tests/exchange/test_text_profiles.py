"""Folded stacks and speedscope: equal totals, and files that their readers accept."""

import json
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from heap_makers import profiles
from hypothesis import given, settings

from memanalysis.exchange.heap_profile import Frame, HeapProfile, StackUse
from memanalysis.exchange.sample_values import Shown
from memanalysis.exchange.text_profiles import render_folded, render_speedscope

SPEEDSCOPE: dict[str, Any] = {
    "type": "object",
    "required": ["$schema", "shared", "profiles"],
    "properties": {
        "$schema": {"const": "https://www.speedscope.app/file-format-schema.json"},
        "name": {"type": "string"},
        "exporter": {"type": "string"},
        "activeProfileIndex": {"type": "integer", "minimum": 0},
        "shared": {
            "type": "object",
            "required": ["frames"],
            "properties": {
                "frames": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {
                            "name": {"type": "string"},
                            "file": {"type": "string"},
                            "line": {"type": "integer", "minimum": 1},
                        },
                        "additionalProperties": False,
                    },
                }
            },
        },
        "profiles": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["type", "name", "unit", "startValue", "endValue", "samples", "weights"],
                "properties": {
                    "type": {"const": "sampled"},
                    "name": {"type": "string"},
                    "unit": {"enum": ["none", "nanoseconds", "microseconds", "milliseconds", "seconds", "bytes"]},
                    "startValue": {"type": "number"},
                    "endValue": {"type": "number"},
                    "samples": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
                    "weights": {"type": "array", "items": {"type": "number", "minimum": 0}},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}
"""The part of https://www.speedscope.app/file-format-schema.json that a sampled profile has, written down by hand."""


def expected_sizes(heap: HeapProfile) -> dict[Shown, list[tuple[tuple[Frame, ...], int]]]:
    return {
        "live": [(use.frames, use.live_bytes) for use in heap.uses if use.live_bytes > 0],
        "grew": [(use.frames, use.grown_bytes) for use in heap.uses if (use.grown_bytes or 0) > 0],
    }


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(profiles)
def test_folded_lines_have_the_total_and_a_frame_between_each_two_semicolons(heap: HeapProfile) -> None:
    for shown, sizes in expected_sizes(heap).items():
        lines = render_folded(heap, shown=shown).decode().splitlines()
        stacks = [line.rpartition(" ") for line in lines]

        assert sum(int(size) for _, _, size in stacks) == sum(size for _, size in sizes)
        assert {stack.count(";") + 1 for stack, _, _ in stacks} <= {len(frames) for frames, _ in sizes}
        assert len({stack for stack, _, _ in stacks}) == len(stacks)


@settings(max_examples=25, deadline=None)
@given(profiles)
def test_speedscope_files_fit_the_schema_and_have_every_stack_and_weight(heap: HeapProfile) -> None:
    made = json.loads(render_speedscope(heap, shown="grew"))

    jsonschema.validate(made, SPEEDSCOPE)
    assert made["activeProfileIndex"] == 1
    frames = made["shared"]["frames"]
    for profile, sizes in zip(made["profiles"], expected_sizes(heap).values(), strict=True):
        assert profile["weights"] == [size for _, size in sizes]
        assert profile["endValue"] - profile["startValue"] == sum(profile["weights"])
        stacks = [[(frames[at]["name"], frames[at]["file"]) for at in stack] for stack in profile["samples"]]
        assert stacks == [[(frame.name, frame.file) for frame in stack] for stack, _ in sizes]


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (Frame("a.py", 3, "work"), "work (a.py:3)"),
        (Frame("a.py", 3), "a.py:3"),
        (Frame("a.py", 0, "work"), "work (a.py)"),
        (Frame("a;b.py", 1, "one\ntwo"), "one\\u000atwo (a:b.py:1)"),
    ],
)
def test_a_frame_is_named_without_what_parts_frames(frame: Frame, text: str) -> None:
    use = StackUse(frames=(frame,), live_bytes=7, live_objects=1, grown_bytes=None, grown_objects=None)

    assert render_folded(one_stack(use)) == f"{text} 7\n".encode()


def one_stack(use: StackUse) -> HeapProfile:
    moment = datetime(2025, 1, 1, tzinfo=UTC)
    return HeapProfile(
        service="api", run_id="r1", trace=None, sampling_interval_bytes=None, first=moment, last=moment, uses=(use,)
    )


def test_one_snapshot_is_one_profile_of_speedscope() -> None:
    use = StackUse(frames=(Frame("a.py", 1),), live_bytes=7, live_objects=1, grown_bytes=None, grown_objects=None)

    made = json.loads(render_speedscope(one_stack(use)))

    assert [profile["name"] for profile in made["profiles"]] == ["api: live"]
