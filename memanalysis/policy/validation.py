"""From a mapping to a record: every key known, every value of its type, what is left out taken from a base record.

Knows nothing of what a policy holds. The fields of a record are its keys, and their types define what a value may be;
msgspec checks each value by its type. A field whose metadata has ``parse`` is read by that function, one whose type is
a record is a section below. A trailing underscore keeps the name of a field off Python's words.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from typing import Any, Final, TypeVar, cast, get_args, get_type_hints

import msgspec
from msgspec import inspect

from memanalysis.errors import PolicyError
from memanalysis.policy.places import MAX_PROBLEMS, Place, Problems, found, nearest
from memanalysis.policy.sizes import LimitShare, read_size
from memanalysis.policy.value_words import describe_value

__all__ = [
    "BROKEN",
    "Kind",
    "Parse",
    "Unreadable",
    "check_mapping",
    "check_value",
    "keys_of",
    "kind_of",
    "parse_keys",
    "parse_section",
    "words_of",
]

_R = TypeVar("_R")


class Unreadable(Enum):
    """What stands for a value that could not be read; it stays the same when a mapping is copied."""

    BROKEN = "broken"


BROKEN: Final = Unreadable.BROKEN
"""Stands for a value that could not be read, so that an error is recorded already."""

Parse = Callable[[Any, Place, Problems], Any]
"""Reads a value of its own kind, or adds to the problems and gives `BROKEN`."""

Kind = inspect.Type
"""What msgspec knows of a type."""


def parse_section(base: _R, mapping: Any, place: Place, problems: Problems) -> _R:
    """Give the base record with the values of a mapping; what is wrong is added to the problems and left out."""
    return cast("_R", replace(cast("Any", base), **parse_keys(base, mapping, place, problems)))


def parse_keys(base: Any, mapping: Any, place: Place, problems: Problems) -> dict[str, Any]:
    """Give the checked values of a mapping by field; only those that the mapping holds and that are right."""
    known = dict(keys_of(base))
    values: dict[str, Any] = {}
    for key, value in check_mapping(mapping, place, problems, example=_example(base, known)).items():
        if len(problems) >= MAX_PROBLEMS:
            break
        if key not in known:
            problems.append(_unknown_key(base, key, place.child(key)))
            continue
        checked = _parse_field(base, known[key], value, place.child(key), problems)
        if checked is not BROKEN:
            values[known[key].name] = checked
    return values


def check_mapping(value: Any, place: Place, problems: Problems, *, example: str) -> dict[str, Any]:
    """Give the entries of a mapping whose keys are text; what they may be is the caller's question."""
    if value is BROKEN:
        return {}
    if not isinstance(value, Mapping):
        problems.append(place.error("a mapping of keys to values", found(value), f"Write for example {example}."))
        return {}
    entries: dict[str, Any] = {}
    for key, entry in value.items():
        if isinstance(key, str):
            entries[key] = entry
        elif len(problems) < MAX_PROBLEMS:
            at = place.child(key if isinstance(key, int) else found(key))
            problems.append(at.error("a key that is text", found(key), "Write it in quotes, or remove it."))
    return entries


def check_value(value: Any, kind: Any, place: Place, problems: Problems) -> Any:
    """Give a value that is of its kind, a list as a tuple; else add to the problems and give `BROKEN`."""
    info, words = _read_kind(kind)
    if value is BROKEN:
        return BROKEN
    if isinstance(info, inspect.VarTupleType):
        return _check_list(value, get_args(get_args(kind)[0])[0], words, place, problems)
    candidate = value
    if isinstance(value, str) and words.get("is_size"):
        size = read_size(value)
        if isinstance(size, LimitShare) and words.get("may_be_share"):
            return size
        candidate = value if size is None or isinstance(size, LimitShare) else size
    elif isinstance(info, inspect.IntType) and isinstance(value, float) and value.is_integer():
        candidate = int(value)
    try:
        checked = msgspec.convert(candidate, kind)
    except msgspec.ValidationError:
        needed, shown, cure, guess = describe_value(info, words, value)
        problems.append(place.error(needed, shown, cure, nearest=guess))
        return BROKEN
    # a whole number stays one, so that it is shown as it was written
    return candidate if isinstance(info, inspect.FloatType) and isinstance(candidate, int) else checked


def keys_of(base: Any) -> Iterator[tuple[str, "Field[Any]"]]:
    """Give the keys of a record as a file writes them, each with its field."""
    for entry in fields(base):
        if entry.metadata.get("is_key", True):
            yield entry.name.rstrip("_"), entry


def kind_of(record: type, name: str) -> Any:
    """Return the type of a record's field, with its bounds."""
    return _kinds_of(record)[name]


def words_of(kind: Any) -> Mapping[str, Any]:
    """Return what the ``extra`` of a type holds."""
    return _read_kind(kind)[1]


def _parse_field(base: Any, entry: "Field[Any]", value: Any, place: Place, problems: Problems) -> Any:
    parse: Parse | None = entry.metadata.get("parse")
    if parse is not None:
        return parse(value, place, problems)
    if is_dataclass(below := getattr(base, entry.name)):
        return parse_section(below, value, place, problems)
    return check_value(value, kind_of(type(base), entry.name), place, problems)


def _check_list(value: Any, item: Any, words: Mapping[str, Any], place: Place, problems: Problems) -> Any:
    plural = words["plural"]
    if not isinstance(value, (list, tuple)):
        is_word = isinstance(value, str) and value.replace("-", "").replace("_", "").isalnum() and len(value) <= 60
        cure = f"Write [{value}]." if is_word else "Write [] for none."
        problems.append(place.error(f"a list of {plural}", found(value), cure))
        return BROKEN
    names: dict[Any, None] = {}
    for index, entry in enumerate(value):
        at = place.child(index)
        name = check_value(entry, item, at, problems)
        if name is not BROKEN and name in names:
            problems.append(at.error(f"every one of the {plural} once", f"{name} again", "Remove it."))
        elif name is not BROKEN:
            names[name] = None
        if len(problems) >= MAX_PROBLEMS:
            break
    return tuple(names)


@cache
def _kinds_of(record: type) -> dict[str, Any]:
    return get_type_hints(record, include_extras=True)


@cache
def _read_kind(kind: Any) -> tuple[Kind, Mapping[str, Any]]:
    """Return what msgspec knows of a type, and the words of its ``extra``."""
    info, words = inspect.type_info(kind), dict[str, Any]()
    while isinstance(info, inspect.Metadata):
        words |= info.extra or {}
        info = info.type
    if isinstance(info, inspect.LiteralType):
        words["choices"] = get_args(kind)  # in the order in which they are written down
    return info, words


def _unknown_key(base: Any, key: str, place: Place) -> PolicyError:
    known = [name for name, _ in keys_of(base)]
    section = next((path for path in _sections_with(base, key)), None)
    guess = nearest(key, known)
    if guess is not None:
        cure = f"The nearest known key is {guess!r}."
    elif section is not None:
        cure = f"It belongs under {section!r}."
    else:
        cure = "Remove it."
    return place.error(f"a key among {', '.join(known)}", "an unknown key", cure, nearest=guess)


def _sections_with(base: Any, key: str) -> Iterator[str]:
    """Find the sections below a record that know a key, as dotted paths."""
    for name, entry in keys_of(base):
        below = getattr(base, entry.name)
        if not is_dataclass(below):
            continue
        if any(deeper == key for deeper, _ in keys_of(below)):
            yield name
        yield from (f"{name}.{path}" for path in _sections_with(below, key))


def _example(base: Any, known: Mapping[str, "Field[Any]"]) -> str:
    key, entry = next(iter(known.items()))
    value = getattr(base, entry.name)
    return f"{{{key}: {{...}}}}" if is_dataclass(value) else f"{{{key}: {str(value).lower()}}}"
