"""What does a policy file hold, and on which line: YAML to plain mappings, lists and scalars, with the line of each.

Only what a policy needs is read: no tags that make objects, no key twice, no depth that could exhaust the stack.
This module imports yaml; it is loaded when a policy is read, not before.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.reader import Reader

from memanalysis.errors import PolicyError
from memanalysis.policy.places import MAX_PROBLEMS, Place, Problems, found, join_errors
from memanalysis.policy.validation import BROKEN

__all__ = ["Document", "parse_document"]

_MAX_DEPTH = 50
"""Levels of nesting; a policy has five. libyaml composes a tree by recursion in C and crashes on very deep ones."""

_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS = frozenset(f"{_TAG}{name}" for name in ("null", "bool", "int", "float", "str", "timestamp", "value"))
_SURPRISING_NUMBER = re.compile(r"[-+]?0[0-9_]+|.*:.*")
"""Numbers that YAML 1.1 does not take as written: 010 is octal 8, 1:30 is 90."""


@dataclass(slots=True)
class _Lines:
    """The line of one value and of what is below it, counted from 1."""

    line: int
    below: dict[Any, "_Lines"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """The plain value of a policy file, the lines of its parts, and what of it could not be read.

    What could not be read is `BROKEN` in the data, or left out.
    """

    data: Any
    lines: _Lines
    problems: Problems

    def line_of(self, keys: tuple[str | int, ...]) -> int | None:
        """Line of the value that these keys lead to; of the deepest part that is there when they lead nowhere."""
        lines = self.lines
        for key in keys:
            if key not in lines.below:
                break
            lines = lines.below[key]
        return lines.line


def parse_document(text: str, *, source: str, needed: str = "a policy") -> Document:
    """Read the one YAML document of a text; `needed` is what an error calls it.

    A key twice, a tag that makes objects and a node inside itself are problems of the document.

    Raises
    ------
    PolicyError
        Not YAML, empty, too deep, or nothing in it can be read.
    """
    place = Place(source)
    broken = Reader.NON_PRINTABLE.search(text)
    if broken is not None:
        line = text.count("\n", 0, broken.start()) + 1
        raise _at(line, place).error(
            "text", f"the control character {broken[0]!r}", "Save the file as plain UTF-8 text."
        )
    loader_class = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML built without libyaml has only the second
    try:
        _check_depth(text, loader_class, place)
        loader = loader_class(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise place.error(needed, "an empty file", "Write at least one section, or {}.")
            reader = _Reader(loader, place)
            data, lines = reader.read(node, ())
        finally:
            loader.dispose()
    except yaml.YAMLError as exc:
        if loader_class is not yaml.SafeLoader:
            # libyaml refuses great depth by itself, in words of its own; what breaks for another reason breaks here too
            with suppress(yaml.YAMLError):
                _check_depth(text, yaml.SafeLoader, place)
        raise _not_yaml(exc, place) from exc
    if data is BROKEN:
        raise join_errors(reader.problems)
    return Document(data, lines, reader.problems)


class _Reader:
    """Turns nodes into plain values; a node that several aliases name is read once."""

    def __init__(self, loader: Any, place: Place) -> None:
        self._loader = loader
        self._place = place
        self._done: dict[int, tuple[Any, _Lines]] = {}
        self._open: set[int] = set()
        self.problems: Problems = []

    def read(self, node: Any, keys: tuple[str | int, ...]) -> tuple[Any, _Lines]:
        if id(node) in self._done:
            return self._done[id(node)]
        if id(node) in self._open:
            self._note(node, keys, "a value", "an alias of the mapping or list it is in", "Remove it.")
            return BROKEN, _Lines(node.start_mark.line + 1)
        self._open.add(id(node))
        lines = _Lines(node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            data: Any = self._read_mapping(node, keys, lines)
        elif isinstance(node, yaml.SequenceNode):
            data = self._read_list(node, keys, lines)
        else:
            data = self._read_scalar(node, keys)
        self._open.discard(id(node))
        self._done[id(node)] = data, lines
        return data, lines

    def _read_mapping(self, node: Any, keys: tuple[str | int, ...], lines: _Lines) -> Any:
        if not self._has_tag(node, keys, "map"):
            return BROKEN
        data: dict[Any, Any] = {}
        merged: list[Any] = []
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge":
                merged.append(value_node)
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self._note(key_node, keys, "keys that are text", "a list or mapping", "Write a name.")
                continue
            key = self._read_scalar(key_node, keys)
            if key is BROKEN:
                continue
            path = (*keys, key if isinstance(key, (str, int)) else str(key))
            if key in data:
                again = f"it again, after line {lines.below[key].line}"
                self._note(key_node, path, "each key once", again, "Remove one of them.")
                continue
            data[key], below = self.read(value_node, path)
            lines.below[key] = _Lines(key_node.start_mark.line + 1, below.below)
        for value_node in merged:
            self._merge(value_node, keys, data, lines)
        return data

    def _merge(self, node: Any, keys: tuple[str | int, ...], data: dict[Any, Any], lines: _Lines) -> None:
        """Add what ``<<:`` names; keys that stand in the mapping itself win, then the earlier of several."""
        for part in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            shared, shared_lines = self.read(part, keys)
            if not isinstance(shared, dict):
                if shared is not BROKEN:
                    self._note(part, keys, "a mapping after <<", found(shared), "Name an anchor.")
                continue
            for key, value in shared.items():
                if key not in data:
                    data[key] = value
                    lines.below[key] = shared_lines.below[key]

    def _read_list(self, node: Any, keys: tuple[str | int, ...], lines: _Lines) -> Any:
        if not self._has_tag(node, keys, "seq"):
            return BROKEN
        data: list[Any] = []
        for index, entry in enumerate(node.value):
            value, lines.below[index] = self.read(entry, (*keys, index))
            data.append(value)
        return data

    def _read_scalar(self, node: Any, keys: tuple[str | int, ...]) -> Any:
        if node.tag not in _SCALAR_TAGS and not self._has_tag(node, keys, "str"):
            return BROKEN
        text = node.value
        if node.tag in (f"{_TAG}int", f"{_TAG}float") and _SURPRISING_NUMBER.fullmatch(text):
            return self._note(node, keys, "a plain number", found(text), "Write it in decimal digits.")
        if node.tag in (f"{_TAG}timestamp", f"{_TAG}value"):  # a date or a lone "=" is no policy's value: keep the text
            return text
        try:
            return self._loader.construct_object(node)
        except (
            ValueError,
            LookupError,
            AttributeError,
        ):  # what PyYAML raises on !!int x, !!bool x and the like
            tag = node.tag.replace(_TAG, "!!")
            cure = "Write a shorter number, or a text in quotes." if text else "Write a value, or remove the tag."
            return self._note(node, keys, "a plain value", f"{found(text)} as {tag}", cure)

    def _has_tag(self, node: Any, keys: tuple[str | int, ...], name: str) -> bool:
        if node.tag == f"{_TAG}{name}":
            return True
        self._note(node, keys, "plain YAML without tags", found(node.tag.replace(_TAG, "!!")), "Remove the tag.")
        return False

    def _note(self, node: Any, keys: tuple[str | int, ...], needed: str, found: str, cure: str) -> Any:
        """Record what is wrong with a node, and give what stands for its value."""
        line = node.start_mark.line + 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Place(self._place.source, keys, lambda _: line).error(needed, found, cure))
        return BROKEN


def _check_depth(text: str, loader_class: Any, place: Place) -> None:
    depth = 0
    for event in _parse_events(text, loader_class):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise _at(line, place).error(f"at most {_MAX_DEPTH} levels of nesting", "more", "Write it flatter.")


def _parse_events(text: str, loader_class: Any) -> Iterator[Any]:
    """Give the events of a text; what breaks is a YAMLError also where PyYAML without libyaml raises another."""
    mark: Any = None
    try:
        for event in yaml.parse(text, Loader=loader_class):
            yield event
            mark = event.end_mark
    except (ValueError, OverflowError) as exc:  # of chr(): "\U00110000"
        raise yaml.MarkedYAMLError(problem="an escape stands for no character", problem_mark=mark) from exc


def _not_yaml(exc: yaml.YAMLError, place: Place) -> PolicyError:
    mark = getattr(exc, "problem_mark", None)
    problem = " ".join(str(part) for part in (getattr(exc, "context", None), getattr(exc, "problem", None)) if part)
    located = place if mark is None else _at(mark.line + 1, place)
    cure = "Check indentation, colons and quotes around this line."
    return located.error("valid YAML", f"text that breaks here: {problem or exc}", cure)


def _at(line: int, place: Place) -> Place:
    return Place(place.source, place.keys, lambda _: line)
