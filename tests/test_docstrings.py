"""Every example in a docstring of the package runs, and shows what stands below it."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import memanalysis

ROOT = Path(__file__).parents[1]
PACKAGE = Path(memanalysis.__file__).parent
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def find_examples() -> dict[str, doctest.DocTest]:
    """Return the docstrings of the package that have examples, by their full names."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if ">>>" not in path.read_text(encoding="utf-8"):
            continue
        module = import_module(".".join(["memanalysis", *path.relative_to(PACKAGE).with_suffix("").parts]))
        found |= {test.name: test for test in doctest.DocTestFinder(exclude_empty=True).find(module) if test.examples}
    return found


EXAMPLES = find_examples()


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_a_docstring_run(name: str, monkeypatch: pytest.MonkeyPatch):
    """From the root of the repository, where `sample_ledgers` is."""
    monkeypatch.chdir(ROOT)
    report: list[str] = []

    result = doctest.DocTestRunner(optionflags=OPTIONS).run(EXAMPLES[name], out=report.append)

    assert result.attempted > 0
    assert result.failed == 0, "".join(report)


def test_each_verb_has_an_example():
    verbs = {f"{home}.{name}" for name, home in memanalysis._VERBS.items()}

    assert verbs - EXAMPLES.keys() == set()
