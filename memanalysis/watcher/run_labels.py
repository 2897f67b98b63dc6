"""Which labels does a run carry? Those that ``watch`` was given, those of the environment, and those of Kubernetes.

Labels are few and short: they are what a pivot groups runs by. A label whose name or value looks like a secret is
redacted, as arguments of a program are.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping

from memanalysis.errors import InvalidArgumentError
from memanalysis.watcher.redaction import redact_arguments

__all__ = ["LABELS_VARIABLE", "check_labels", "find_labels", "parse_labels"]

LABELS_VARIABLE = "MEMANALYSIS_LABELS"
"""Holds labels as ``key=value,key=value``; each process that inherits the environment has them."""

MAX_LABELS = 64
MAX_KEY_CHARACTERS = 100
MAX_VALUE_CHARACTERS = 200

_KEY = re.compile(r"[A-Za-z][\w.\-/]*", re.ASCII)

_KUBERNETES_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "pod": ("POD_NAME", "K8S_POD_NAME", "MY_POD_NAME"),
    "node": ("NODE_NAME", "K8S_NODE_NAME", "MY_NODE_NAME"),
    "namespace": ("POD_NAMESPACE", "K8S_POD_NAMESPACE", "K8S_NAMESPACE", "MY_POD_NAMESPACE"),
}
"""Variables by which manifests usually hand down what Kubernetes knows of a pod; the first that is set counts."""

_IN_KUBERNETES = "KUBERNETES_SERVICE_HOST"
"""Kubernetes sets it in each container; only there are the variables above taken for labels."""


def find_labels(
    given: Mapping[str, str] | None,
    *,
    report: Callable[[str], None],
    environment: Mapping[str, str] = os.environ,
) -> dict[str, str] | None:
    """Return the labels of this run without secrets; None where there are none.

    Parameters
    ----------
    given : mapping or None
        Labels of ``watch``: they win over the environment's, and those over Kubernetes'.
    report : callable
        Is given what is wrong with ``MEMANALYSIS_LABELS``, whose labels are then left out: the program goes on.
    environment : mapping
        Environment variables.
    """
    labels = _find_kubernetes_labels(environment)
    try:
        labels |= parse_labels(environment.get(LABELS_VARIABLE, ""), name=LABELS_VARIABLE)
    except InvalidArgumentError as exc:
        report(str(exc))
    labels |= given or {}
    return {key: _redact(key, value[:MAX_VALUE_CHARACTERS]) for key, value in labels.items()} or None


def parse_labels(texts: str | Iterable[str], *, name: str) -> dict[str, str]:
    """Return the labels of ``key=value`` texts, or of one text that commas separate.

    Parameters
    ----------
    texts : str or iterable of str
        ``"region=eu,tier=web"`` or ``["region=eu", "tier=web"]``.
    name : str
        Where they stand, for an error.

    Raises
    ------
    InvalidArgumentError
        A text is no ``key=value``.
    """
    parts = [part for part in texts.split(",") if part.strip()] if isinstance(texts, str) else texts
    labels: dict[str, str] = {}
    for part in parts:
        key, sign, value = part.strip().partition("=")
        if not sign:
            raise InvalidArgumentError(f"{name} needs key=value, but got {part!r}. Write it such as region=eu-west-1.")
        labels[key.strip()] = value.strip()
    return check_labels(labels, name=name)


def check_labels(labels: Mapping[str, str], *, name: str = "watch") -> dict[str, str]:
    """Return the labels as a dict; what cannot be a label is one error.

    Raises
    ------
    InvalidArgumentError
        A key or value is no text that a label may be, or there are more than 64 labels.
    """
    if not isinstance(labels, Mapping):
        raise InvalidArgumentError(
            f"{name} needs labels as a mapping of text to text, but got {labels!r}. Pass {{'region': 'eu-west-1'}}."
        )
    if len(labels) > MAX_LABELS:
        raise InvalidArgumentError(
            f"{name} needs at most {MAX_LABELS} labels, but got {len(labels)}. Keep those by which runs are compared."
        )
    for key, value in labels.items():
        if not isinstance(key, str) or len(key) > MAX_KEY_CHARACTERS or not _KEY.fullmatch(key):
            raise InvalidArgumentError(
                f"{name} needs a label's key of letters, digits and - _ . /, beginning with a letter and of at most "
                f"{MAX_KEY_CHARACTERS} characters, but got {key!r}. Rename it."
            )
        if not isinstance(value, str) or not value:
            raise InvalidArgumentError(
                f"{name} needs the label {key!r} as text, but got {value!r}. Give it a value or leave it out."
            )
    return dict(labels)


def _find_kubernetes_labels(environment: Mapping[str, str]) -> dict[str, str]:
    if _IN_KUBERNETES not in environment:
        return {}
    found = {
        label: next((environment[name] for name in names if environment.get(name)), None)
        for label, names in _KUBERNETES_VARIABLES.items()
    }
    found["pod"] = found["pod"] or environment.get("HOSTNAME")  # which is the pod's name there
    return {label: value for label, value in found.items() if value}


def _redact(key: str, value: str) -> str:
    """Return the value, or ``***`` in place of what its key or its own text shows to be a secret."""
    whole = redact_arguments([f"{key}={value}"])[0].partition("=")[2]
    return redact_arguments([whole])[0]
