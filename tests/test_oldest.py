"""`make test-oldest` installs the oldest releases that pyproject.toml allows, and no others."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OPTIONAL = ("a2a", "apprise", "fleet", "mcp", "otel", "prometheus", "s3")
"""Extras that users install; the suite needs them all."""

REQUIREMENT = re.compile(r"(?P<name>[a-z0-9-]+)(?:\[[a-z0-9,-]+\])?>=(?P<version>[0-9.]+)")


def read_lower_bounds() -> dict[str, str]:
    """Each package that the suite needs, with the oldest release allowed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    bounds = {}
    of_extras = [need for name in OPTIONAL for need in extras[name]]
    for requirement in [*project["dependencies"], *of_extras, *extras["test"]]:
        if requirement.startswith("memanalysis["):
            assert requirement == f"memanalysis[{','.join(OPTIONAL)}]"
            continue
        found = REQUIREMENT.fullmatch(requirement)
        assert found is not None, f"{requirement} states no lower bound alone"
        bounds[found["name"]] = found["version"]
    return bounds


def read_constraints() -> dict[str, str]:
    lines = (ROOT / ".ci" / "oldest.txt").read_text(encoding="utf-8").splitlines()
    pins = (line.partition("==") for line in lines if line and not line.startswith("#"))
    return {name: version for name, _, version in pins}


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".ci" / "oldest.txt").exists(), reason="needs a checkout")
def test_the_constraints_are_the_lower_bounds_of_pyproject() -> None:
    bounds, constraints = read_lower_bounds(), read_constraints()

    assert {name: constraints.get(name) for name in bounds} == bounds
    assert set(constraints) - set(bounds) == {"boto3", "botocore"}  # s3fs brings them along
