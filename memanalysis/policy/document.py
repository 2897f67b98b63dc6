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
from memanalysis.policy.checks import Place, found

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
    """The plain value of a policy file, and the lines of its parts."""

    data: Any
    lines: _Lines

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

    Raises
    ------
    PolicyError
        Not YAML, empty, a key twice, a tag that makes objects, or a node inside itself.
    """
    place = Place(source)
    broken = Reader.NON_PRINTABLE.search(text)
    if broken is not None:
        line = text.count("\n", 0, broken.start()) + 1
        raise _at(line, place).error(
            f"needs text, but got the control character {broken[0]!r}. Save the file as plain UTF-8 text."
        )
    loader_class = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML built without libyaml has only the second
    try:
        _check_depth(text, loader_class, place)
        loader = loader_class(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise place.error(f"needs {needed}, but the file is empty. Write at least one section, or {{}}.")
            data, lines = _Reader(loader, place).read(node, ())
        finally:
            loader.dispose()
    except yaml.YAMLError as exc:
        if loader_class is not yaml.SafeLoader:
            # libyaml refuses great depth by itself, in words of its own; what breaks for another reason breaks here too
            with suppress(yaml.YAMLError):
                _check_depth(text, yaml.SafeLoader, place)
        raise _not_yaml(exc, place) from exc
    return Document(data, lines)


class _Reader:
    """Turns nodes into plain values; a node that several aliases name is read once."""

    def __init__(self, loader: Any, place: Place) -> None:
        self._loader = loader
        self._place = place
        self._done: dict[int, tuple[Any, _Lines]] = {}
        self._open: set[int] = set()

    def read(self, node: Any, keys: tuple[str | int, ...]) -> tuple[Any, _Lines]:
        if id(node) in self._done:
            return self._done[id(node)]
        if id(node) in self._open:
            raise self._error(node, keys, "needs a value, but got an alias of the mapping or list it is in. Remove it.")
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

    def _read_mapping(self, node: Any, keys: tuple[str | int, ...], lines: _Lines) -> dict[Any, Any]:
        self._check_tag(node, keys, "map")
        data: dict[Any, Any] = {}
        merged: list[Any] = []
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge":
                merged.append(value_node)
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error(key_node, keys, "needs keys that are text, but got a list or mapping. Write a name.")
            key = self._read_scalar(key_node, keys)
            path = (*keys, key if isinstance(key, (str, int)) else str(key))
            if key in data:
                first = lines.below[key].line
                raise self._error(
                    key_node, path, f"needs each key once, but it stands on line {first} too. Remove one."
                )
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
                raise self._error(part, keys, f"needs a mapping after <<, but got {found(shared)}. Name an anchor.")
            for key, value in shared.items():
                if key not in data:
                    data[key] = value
                    lines.below[key] = shared_lines.below[key]

    def _read_list(self, node: Any, keys: tuple[str | int, ...], lines: _Lines) -> list[Any]:
        self._check_tag(node, keys, "seq")
        data: list[Any] = []
        for index, entry in enumerate(node.value):
            value, lines.below[index] = self.read(entry, (*keys, index))
            data.append(value)
        return data

    def _read_scalar(self, node: Any, keys: tuple[str | int, ...]) -> Any:
        if node.tag not in _SCALAR_TAGS:
            self._check_tag(node, keys, "str")
        text = node.value
        if node.tag in (f"{_TAG}int", f"{_TAG}float") and _SURPRISING_NUMBER.fullmatch(text):
            raise self._error(node, keys, f"needs a plain number, but got {found(text)}. Write it in decimal digits.")
        if node.tag in (f"{_TAG}timestamp", f"{_TAG}value"):  # a date or a lone "=" is no policy's value: keep the text
            return text
        try:
            return self._loader.construct_object(node)
        except (
            ValueError,
            LookupError,
            AttributeError,
        ) as exc:  # what PyYAML raises on !!int x, !!bool x and the like
            tag = node.tag.replace(_TAG, "!!")
            problem = f"needs a plain value, but got {found(text)} as {tag}. "
            problem += "Write a shorter number, or a text in quotes." if text else "Write a value, or remove the tag."
            raise self._error(node, keys, problem) from exc

    def _check_tag(self, node: Any, keys: tuple[str | int, ...], name: str) -> None:
        if node.tag != f"{_TAG}{name}":
            tag = node.tag.replace(_TAG, "!!")
            raise self._error(node, keys, f"needs plain YAML without tags, but got {found(tag)}. Remove the tag.")

    def _error(self, node: Any, keys: tuple[str | int, ...], problem: str) -> PolicyError:
        line = node.start_mark.line + 1
        return Place(self._place.source, keys, lambda _: line).error(problem)


def _check_depth(text: str, loader_class: Any, place: Place) -> None:
    depth = 0
    for event in _parse_events(text, loader_class):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise _at(line, place).error(
                f"needs at most {_MAX_DEPTH} levels of nesting, but got more. Write it flatter."
            )


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
    return located.error(
        f"needs valid YAML, but {problem or exc}. Check indentation, colons and quotes around this line."
    )


def _at(line: int, place: Place) -> Place:
    return Place(place.source, place.keys, lambda _: line)
