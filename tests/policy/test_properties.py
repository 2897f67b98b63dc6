"""Whatever is given as a policy: it is a policy, or a `PolicyError`, and never another exception."""

import copy
import math
import os
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memanalysis.classes.policy_loader import MemoryPolicyLoader
from memanalysis.errors import PolicyError
from memanalysis.policy.document import parse_document
from memanalysis.policy.layers import layer_policy
from memanalysis.policy.loader import read_default_policy, read_policy
from memanalysis.policy.model import Policy, parse_policy

pytestmark = pytest.mark.slow

SHIPPED = Path(__file__).parents[2] / "config" / "memory_policy.yaml"
SHIPPED_TEXT = SHIPPED.read_text(encoding="utf-8")
DEFAULT = read_default_policy().to_mapping()
SIZES = ("100MB", "1.5 GiB", "80% of limit", "0% of limit")
WORDS = sorted({*string.ascii_letters, *SIZES, "global", "services", "enabled", "low", "alert_only"})
SECTIONS = ("memory_budgets", "SERVICES", "Global", "alerts", "channels", "ledger")

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**400), 0, -1, 101, 2**63]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=12),
    st.sampled_from(WORDS),
    st.binary(max_size=4),
    st.complex_numbers(),
)
keys = st.one_of(st.sampled_from(WORDS), st.text(max_size=6), st.integers(), st.none(), st.booleans(), st.floats())
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3), st.tuples(inner)),
    max_leaves=6,
)
N_POLICIES = int(os.environ.get("MEMANALYSIS_POLICIES", "4000"))
"""All in all, most of them where one costs least. ``MEMANALYSIS_POLICIES=20000`` tries more, in a minute and a half."""

relaxed = settings(deadline=None, max_examples=N_POLICIES // 20, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def mutated_policies(draw: st.DrawFn) -> dict[str, Any]:
    """The whole default policy, changed in one to three places: a value replaced, a key renamed, removed or added."""
    policy: dict[str, Any] = copy.deepcopy(DEFAULT)
    for _ in range(draw(st.integers(1, 3))):
        node: Any = policy
        while True:
            key = draw(st.sampled_from(sorted(node, key=repr)))
            below = node[key]
            if not isinstance(below, dict) or not below or draw(st.booleans()):
                break
            node = below
        change = draw(st.sampled_from(["replace", "rename", "remove", "add"]))
        if change in ("rename", "remove") and len(node) > 1:
            removed = node.pop(key)
            if change == "rename":
                node[draw(keys)] = removed
        elif change == "add":
            node[draw(keys)] = draw(values)
        else:
            node[key] = draw(values)
    return policy


def parses(mapping: Any) -> Policy | None:
    """Give the policy, or None where the error is a PolicyError."""
    problem = ""
    try:
        return parse_policy(mapping, source="given")
    except PolicyError as exc:
        problem = str(exc)
    lines = problem.split("\n  ")
    assert lines[0].startswith("given: ")
    for line in lines[1:] if len(lines) > 1 else lines:
        assert " needs " in line or line.startswith("and "), line
        assert len(line) < 1000
    return None


def error_of(read: Callable[[], Any]) -> str | None:
    """Return what was wrong, or None where nothing was."""
    try:
        read()
    except PolicyError as exc:
        return str(exc)
    return None


def read_text(text: str) -> Policy:
    document = parse_document(text, source="p")
    return parse_policy(document.data, source="p", line_of=document.line_of)


@settings(relaxed, max_examples=N_POLICIES // 4)
@given(values)
def test_any_value_is_a_policy_or_a_policy_error(value: Any) -> None:
    parses(value)


@settings(relaxed, max_examples=3 * N_POLICIES // 20)
@given(mutated_policies())
def test_a_policy_with_any_change_is_a_policy_or_a_policy_error(mapping: dict[str, Any]) -> None:
    policy = parses(mapping)

    if policy is not None:
        assert parse_policy(policy.to_mapping()) == policy
        for service in ("messaging", "nobody"):
            budget = policy.budget_for(service)
            assert 0 < budget.warning_mb <= budget.critical_mb <= budget.max_memory_mb * (1 + 1e-12) < math.inf


@settings(relaxed, max_examples=7 * N_POLICIES // 20)
@given(st.text(alphabet=st.sampled_from([*"abc:-[]{},&*#?|>!%@'\" \n\t<=~019._", "\x00", "é", "\ufeff", "\u2028"])))
def test_any_text_is_a_document_or_a_policy_error(text: str) -> None:
    problem = error_of(lambda: parse_document(text, source="p"))

    assert problem is None or problem.startswith("p:")


@relaxed
@given(st.integers(0, len(SHIPPED_TEXT) - 1), st.integers(0, 20), st.text(max_size=5))
def test_the_shipped_text_with_any_cut_is_a_policy_or_a_policy_error(start: int, length: int, put_in: str) -> None:
    text = SHIPPED_TEXT[:start] + put_in + SHIPPED_TEXT[start + length :]

    problem = error_of(lambda: read_text(text))

    assert problem is None or problem.startswith("p:")


@settings(relaxed, max_examples=3 * N_POLICIES // 20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_any_file_is_a_policy_or_a_policy_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "policy.yaml"
    path.write_bytes(content)

    problem = error_of(lambda: read_policy(path))

    assert problem is None or problem.startswith(str(path))


names = st.lists(
    st.one_of(
        st.sampled_from(["memory_budgets", "SERVICES", "Global", "alerts", "channels", "ledger"]), st.text(max_size=3)
    ),
    min_size=1,
    max_size=4,
)


@relaxed
@given(
    text=st.sampled_from([SHIPPED_TEXT, "{}", "[]", "ledger: !!int\n", "alerts: {channels: [a]}\nalerts: 3\n"]),
    variables=st.lists(st.tuples(names, st.one_of(st.text(max_size=8), st.sampled_from(SIZES))), max_size=3),
    arguments=st.lists(st.one_of(st.text(max_size=8), names.map(lambda keys: f"{'.'.join(keys)}=[1")), max_size=2),
)
def test_any_variables_and_arguments_over_a_file_are_a_policy_or_a_policy_error(
    text: str, variables: list[tuple[list[str], str]], arguments: list[str]
) -> None:
    document = parse_document(text, source="p")
    environment = {f"MEMANALYSIS_POLICY__{'__'.join(keys)}": value for keys, value in variables}

    problem = error_of(
        lambda: list(layer_policy(document, source="p", environment=environment, arguments=arguments).list_origins())
    )

    assert problem is None or " needs " in problem


@settings(relaxed, max_examples=40)
@given(
    warning=st.floats(0.1, 100),
    critical=st.floats(0.1, 100),
    size_mb=st.floats(0.001, 1e9),
    name=st.text(min_size=1).filter(lambda text: bool(text.strip())),
)
def test_budgets_in_order_parse_and_others_do_not(warning: float, critical: float, size_mb: float, name: str) -> None:
    budget = {
        "max_memory_mb": size_mb,
        "warning_threshold_percent": warning,
        "critical_threshold_percent": critical,
    }

    policy = parses({"memory_budgets": {"services": {name: budget}}})

    assert (policy is not None) == (warning <= critical)
    assert policy is None or policy.budget_for(name).max_memory_mb == size_mb


def test_the_mapping_of_a_loader_is_always_parsed_to_its_policy() -> None:
    loader = MemoryPolicyLoader(SHIPPED)

    assert parse_policy(loader.config) == loader.policy
