"""All that is wrong in a policy is reported at once, each with its place, what was found, what would be right."""

import pickle
from pathlib import Path

import pytest

from memanalysis.errors import PolicyError, PolicyProblem
from memanalysis.policy.loader import read_policy
from memanalysis.policy.model import parse_policy

MANY = """\
memory_budgets:
  global: {max_memory_mb: -5, warning_threshold_percent: 99}
  services:
    messaging: 100
    api: {max_memory_mb: lots}
leak_detection:
  sensitivty: low
  enabled: maybe
  enabled: true
alerts:
  channels: [logging, mesaging, 3]
monitoring: !!omap [a: 1]
"""


@pytest.fixture
def caught(tmp_path: Path) -> PolicyError:
    path = tmp_path / "policy.yaml"
    path.write_text(MANY, encoding="utf-8")
    with pytest.raises(PolicyError) as info:
        read_policy(path)
    return info.value


@pytest.mark.slow
def test_every_error_of_a_file_is_reported_in_its_order(caught: PolicyError) -> None:
    assert [(problem.line, problem.key, problem.found, problem.nearest) for problem in caught.problems] == [
        (2, "memory_budgets.global.max_memory_mb", "-5", None),
        (2, "memory_budgets.global.warning_threshold_percent", "warning 99 and critical 95 percent", None),
        (4, "memory_budgets.services.messaging", "100 without a unit", None),
        (5, "memory_budgets.services.api.max_memory_mb", "the text 'lots'", None),
        (7, "leak_detection.sensitivty", "an unknown key", "sensitivity"),
        (8, "leak_detection.enabled", "the text 'maybe'", None),
        (9, "leak_detection.enabled", "it again, after line 8", None),
        (11, "alerts.channels[1]", "the text 'mesaging'", "messaging"),
        (11, "alerts.channels[2]", "3", None),
        (12, "monitoring", "the text '!!omap'", None),
    ]


def test_the_text_counts_and_lists_them(caught: PolicyError, tmp_path: Path) -> None:
    lines = str(caught).split("\n")

    assert lines[0] == f"{tmp_path / 'policy.yaml'}: 10 errors"
    assert lines[1:] == [f"  {problem}" for problem in caught.problems]
    assert (
        "needs one of logging, messaging, apprise, opentelemetry, prometheus, but got the text 'mesaging'. "
        "Perhaps messaging was meant." in lines[8]
    )


def test_a_single_error_is_one_line() -> None:
    with pytest.raises(PolicyError) as info:
        parse_policy({"ledger": {"enabled": 1}}, source="given")

    problem = PolicyProblem(
        source="given",
        line=None,
        key="ledger.enabled",
        needed="true or false",
        found="1",
        cure="Write true or false, without quotes.",
    )
    assert info.value.problems == (problem,)
    assert str(info.value) == str(problem)


def test_an_error_can_be_sent_to_another_process(caught: PolicyError) -> None:
    assert pickle.loads(pickle.dumps(caught)).problems == caught.problems  # noqa: S301 - our own bytes


def test_a_file_that_is_no_policy_is_read_no_further_than_a_hundred_errors(tmp_path: Path) -> None:
    """Each of 300 services names the same mapping of 300 wrong keys: 90,000 errors, in 6 kB."""
    wrong = "".join(f"      k{number}: 1\n" for number in range(300))
    services = "".join(f"    s{number}: *wrong\n" for number in range(300))
    path = tmp_path / "policy.yaml"
    path.write_text(f"memory_budgets:\n  services:\n    first: &wrong\n{wrong}{services}", encoding="utf-8")

    with pytest.raises(PolicyError) as info:
        read_policy(path)

    assert len(info.value.problems) == 100
    assert str(info.value).split("\n")[-1] == "  and 80 more"
