"""Plain values and their lines, out of YAML."""

import pytest
import yaml

from memanalysis.policy.document import parse_document
from memanalysis.policy.validation import BROKEN


def test_each_part_has_the_line_of_its_key_or_entry() -> None:
    document = parse_document("a:\n  b: [x,\n    y]\n\n  c:\n    d: 1\n", source="p")

    assert document.data == {"a": {"b": ["x", "y"], "c": {"d": 1}}}
    assert [document.line_of(keys) for keys in [(), ("a",), ("a", "b"), ("a", "b", 1), ("a", "c", "d")]] == [
        1,
        1,
        2,
        3,
        6,
    ]


def test_what_is_not_there_has_the_line_of_what_it_would_stand_in() -> None:
    assert parse_document("a:\n  b: 1\n", source="p").line_of(("a", "zzz", 3)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb: -2.5\nc: true\nd: ~\ne: text\nf: [1, two, 3.0]\ng: {h: 'x y', i: \"\\t\"}\nj: |\n  lines\n  more\n",
        "a: yes\nb: off\nc: 1_000\nd: 0x1F\ne: .5\nf: 1.5e+3\ng: ''\nh: null\n",
        "base: &base {x: 1, y: 2}\nother: &other {y: 7, z: 3}\nm:\n  <<: *base\n  y: 5\nn:\n  <<: [*base, *other]\n",
        "a: &list [1, 2]\nb: *list\n",
        "\ufeffa: 1\n",
    ],
)
def test_plain_yaml_means_what_pyyaml_says(text: str) -> None:
    """PyYAML's safe loader is the judge."""
    assert parse_document(text, source="p").data == yaml.safe_load(text)


def test_dates_stay_text() -> None:
    """A policy has no dates; a service may be called 2024-01-01."""
    assert parse_document("2024-01-01: 2024-02-30", source="p").data == {"2024-01-01": "2024-02-30"}


def test_aliases_of_aliases_cost_no_more_than_they_say() -> None:
    """Each level names the one below nine times: read as a tree, 30 levels would be 9**30 values."""
    levels = "\n".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]" for i in range(1, 31))

    data = parse_document(f"l0: &l0 [x]\n{levels}\n", source="p").data

    assert data["l30"][8][8] is data["l28"]


def test_the_line_of_what_was_merged_is_where_it_was_written() -> None:
    document = parse_document("base: &base\n  x: 1\nm:\n  y: 2\n  <<: *base\n", source="p")

    assert document.line_of(("m", "x")) == 2


def test_a_key_twice_is_seen_where_nothing_would_read_it() -> None:
    assert problems_of("a:\n  x: 1\n  x: 1\n") == [
        "p:3: a.x: needs each key once, but got it again, after line 2. Remove one of them."
    ]


def test_keys_that_python_holds_equal_are_the_same_key() -> None:
    assert problems_of("1: a\n1.0: b\n") == [
        "p:2: 1.0: needs each key once, but got it again, after line 1. Remove one of them."
    ]


def test_what_cannot_be_read_leaves_the_rest() -> None:
    document = parse_document("a: !!int\nb: 010\nc: 1\nc: 2\nd: 3\n", source="p")

    assert [error.problems[0].line for error in document.problems] == [1, 2, 4]
    assert document.data == {"a": BROKEN, "b": BROKEN, "c": 1, "d": 3}


def problems_of(text: str) -> list[str]:
    return [str(error) for error in parse_document(text, source="p").problems]
