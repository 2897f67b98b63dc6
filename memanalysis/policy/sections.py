"""From a mapping to a record: every key known, every value checked, what is left out taken from a base record.

Knows nothing of what a policy holds. A field of a record is a key: it carries its check in ``metadata["check"]``, or
its default is itself a record, a section below. A trailing underscore keeps the name of a field off Python's words.
"""

from collections.abc import Iterator, Mapping
from dataclasses import Field, field, fields, is_dataclass, replace
from typing import Any, TypeVar

from memanalysis.errors import PolicyError
from memanalysis.policy.checks import Check, Place, check_mapping, nearest

__all__ = ["declare_key", "parse_keys", "parse_section"]

_R = TypeVar("_R")


def declare_key(default: _R, check: Check) -> _R:
    """Declare a key of a record: its default, and the check that its value in a policy must pass."""
    return field(default=default, metadata={"check": check})


def parse_section(base: _R, mapping: Any, place: Place) -> _R:
    """Give the base record with the values of a mapping.

    Raises
    ------
    PolicyError
        No mapping, an unknown key, or a value that its check refuses; the text names source, line and key.
    """
    return replace(base, **parse_keys(base, mapping, place))  # type: ignore[type-var]


def parse_keys(base: Any, mapping: Any, place: Place) -> dict[str, Any]:
    """Give the checked values of a mapping by field; only those that the mapping holds."""
    known = {entry.name.rstrip("_"): entry for entry in fields(base)}
    values: dict[str, Any] = {}
    for key, value in check_mapping(mapping, place, example=_example(base, known)).items():
        if key not in known:
            raise _unknown_key(base, key, place.child(key))
        entry = known[key]
        check: Check | None = entry.metadata.get("check")
        if check is None:
            values[entry.name] = parse_section(getattr(base, entry.name), value, place.child(key))
        else:
            values[entry.name] = check(value, place.child(key))
    return values


def _unknown_key(base: Any, key: str, place: Place) -> PolicyError:
    known = [entry.name.rstrip("_") for entry in fields(base)]
    section = next((path for path in _sections_with(base, key)), None)
    guess = nearest(key, known)
    if guess is not None:
        cure = f"The nearest known key is {guess!r}."
    elif section is not None:
        cure = f"It belongs under {section!r}."
    else:
        cure = "Remove it."
    return place.error(f"needs a key among {', '.join(known)}, but got an unknown key. {cure}")


def _sections_with(base: Any, key: str) -> Iterator[str]:
    """Find the sections below a record that know a key, as dotted paths."""
    for entry in fields(base):
        below = getattr(base, entry.name)
        if not is_dataclass(below):
            continue
        name = entry.name.rstrip("_")
        if any(deeper.name.rstrip("_") == key for deeper in fields(below)):
            yield name
        yield from (f"{name}.{path}" for path in _sections_with(below, key))


def _example(base: Any, known: Mapping[str, Field[Any]]) -> str:
    key, entry = next(iter(known.items()))
    value = getattr(base, entry.name)
    return f"{{{key}: {{...}}}}" if is_dataclass(value) else f"{{{key}: {str(value).lower()}}}"
