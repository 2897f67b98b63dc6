"""Where each value of a policy comes from: the default, the file, an environment variable or an argument.

A variable ``MEMANALYSIS_POLICY__LEAK_DETECTION__SENSITIVITY=high`` and an argument ``leak_detection.sensitivity=high``
both set one key over that of the file; an argument wins. Their values are read as YAML.
"""

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from memanalysis.errors import PolicyError
from memanalysis.policy.document import Document, parse_document
from memanalysis.policy.model import Policy, parse_policy
from memanalysis.policy.places import Place, Problems

__all__ = ["VARIABLE_PREFIX", "LayeredPolicy", "Origin", "layer_policy"]

VARIABLE_PREFIX = "MEMANALYSIS_POLICY__"
"""Variables that begin so set a key; two underscores stand between the names of the sections."""

_SERVICES = ("memory_budgets", "services")

Keys = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """One key of the policy in force.

    Parameters
    ----------
    key : str
        Dotted.
    value
        As a policy file would hold it.
    origin : str
        ``default``, the file with its line, ``environment NAME`` or ``argument KEY=VALUE``; of what a service leaves
        out ``memory_budgets.global``.
    """

    key: str
    value: Any
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LayeredPolicy:
    """A policy that was read, with what it was read from.

    Parameters
    ----------
    mapping : mapping
        What the file, the environment and the arguments set together.
    policy : Policy
        The same with the defaults filled in.
    """

    mapping: dict[str, Any]
    policy: Policy
    source: str
    document: Document
    overrides: Mapping[Keys, str] = field(default_factory=dict)

    def list_origins(self) -> Iterator[Origin]:
        """Give every key of the policy with its value and where that comes from."""
        for keys, value in _leaves(self.policy.to_mapping()):
            yield Origin(key=".".join(keys), value=value, origin=self._find_origin(keys))

    def _find_origin(self, keys: Keys) -> str:
        for depth in range(len(keys), 0, -1):
            if keys[:depth] in self.overrides:
                return self.overrides[keys[:depth]]
        stands_at = _find_entry(self.mapping, keys)
        if stands_at is not None:
            return f"{self.source}:{self.document.line_of(stands_at)}"
        return "memory_budgets.global" if keys[:2] == _SERVICES else "default"


def layer_policy(
    document: Document, *, source: str, environment: Mapping[str, str], arguments: Iterable[str] = ()
) -> LayeredPolicy:
    """Check a policy file together with what the environment and arguments set over it.

    Parameters
    ----------
    document : Document
        What the file holds.
    source : str
        What an error calls it.
    environment : mapping
        Variables of the process; those that begin with ``VARIABLE_PREFIX`` count.
    arguments : iterable of str
        Each ``dotted.key=value``.

    Raises
    ------
    PolicyError
        Everything that is wrong, each with the file and line, variable or argument where it stands.
    """
    problems: Problems = list(document.problems)
    mapping = document.data
    overrides: dict[Keys, str] = {}
    for keys, text, origin in (*_read_variables(environment), *_read_arguments(arguments, problems)):
        value = _read_value(text, origin, problems)
        if isinstance(mapping, dict):
            mapping = mapping if overrides else copy.deepcopy(mapping)
            overrides[_put(mapping, keys, value)] = origin

    def line_of(keys: tuple[str | int, ...]) -> int | str | None:
        for depth in range(len(keys), 0, -1):
            origin = overrides.get(keys[:depth])  # type: ignore[arg-type]  # an index is in no override
            if origin is not None:
                return origin
        if _find_entry(document.data, keys) is None:  # a section that is there for a variable or argument alone
            return next(
                (origin for put, origin in overrides.items() if put[: len(keys)] == keys), document.line_of(keys)
            )
        return document.line_of(keys)

    policy = parse_policy(mapping, source=source, line_of=line_of, problems=problems)
    return LayeredPolicy(mapping=mapping, policy=policy, source=source, document=document, overrides=overrides)


def _read_variables(environment: Mapping[str, str]) -> Iterator[tuple[Keys, str, str]]:
    for name in sorted(environment):
        if name.startswith(VARIABLE_PREFIX):
            parts = name.removeprefix(VARIABLE_PREFIX).split("__")
            is_service = tuple(part.lower() for part in parts[:2]) == _SERVICES
            keys = tuple(part if is_service and place == 2 else part.lower() for place, part in enumerate(parts))
            yield keys, environment[name], f"environment {name}"


def _read_arguments(arguments: Iterable[str], problems: Problems) -> Iterator[tuple[Keys, str, str]]:
    for argument in arguments:
        key, sign, value = argument.partition("=")
        if sign and all(key.split(".")):
            yield tuple(key.split(".")), value, f"argument {argument}"
        else:
            cure = "Write for example leak_detection.sensitivity=high."
            problems.append(Place("argument").error("a key and its value", f"the text {argument!r}", cure))


def _read_value(text: str, origin: str, problems: Problems) -> Any:
    """Read a value as YAML; nothing is nothing, as behind a key of a file."""
    if not text.strip():
        return None
    try:
        document = parse_document(text, source=origin, needed="a value")
    except PolicyError as exc:
        problems.append(exc)
        return None
    problems.extend(document.problems)
    return document.data


def _put(mapping: dict[Any, Any], keys: Keys, value: Any) -> Keys:
    """Set a value below a mapping, and return its keys as they are spelt there."""
    node, spelt = mapping, list[str]()
    for place, name in enumerate(keys[:-1]):
        key = _spell(node, name)
        below = node.get(key)
        if not isinstance(below, dict):
            is_size_alone = place == len(_SERVICES) and tuple(spelt) == _SERVICES and below is not None
            below = {"max_memory_mb": below} if is_size_alone else {}
        node[key], node = below, below
        spelt.append(key)
    last = _spell(node, keys[-1])
    node[last] = value
    return (*spelt, last)


def _spell(node: Mapping[Any, Any], name: str) -> str:
    """Return the key of a mapping that a variable means, whose name may be in capitals."""
    return next((key for key in node if isinstance(key, str) and key.lower() == name.lower()), name)


def _find_entry(mapping: Any, keys: tuple[str | int, ...]) -> tuple[str | int, ...] | None:
    """Return the keys of the entry that sets a value; a service may be a size alone."""
    for depth, key in enumerate(keys):
        if not isinstance(mapping, dict):
            is_size = keys[:2] == _SERVICES and depth == len(_SERVICES) + 1 and key == "max_memory_mb"
            return keys[:depth] if is_size else None
        if key not in mapping:
            return None
        mapping = mapping[key]
    return keys


def _leaves(mapping: Mapping[str, Any], above: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value
