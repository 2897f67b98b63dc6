"""The documentation is true: its examples run, its generated parts are whole, what it names is there."""

import importlib.util
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from doc_examples import ConsoleBlock, PythonBlock, ShellNote, WrittenFile, read_examples, run_console
from kernels import run_kernel
from test_package import BELOW, GROUND

from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.analysis.verdict import Reason
from memanalysis.analysis.verdict_steps import VerdictInputs, make_verdict_steps
from memanalysis.policy.model import Policy
from memanalysis.schema import TABLES

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
RUN_ELSEWHERE = {DOCS / "ledger-format.md"}
"""Its examples have a test of their own, which compares what they give: tests/ledger/test_format_page.py."""

WITH_EXAMPLES = [
    page
    for page in PAGES
    if page not in RUN_ELSEWHERE and re.search(r"^```(python|console)", page.read_text(encoding="utf-8"), re.MULTILINE)
]
NOT_RUN_HERE = re.compile(
    r"pip install |make [a-z-]+|curl |(eval )?\S*memanalysis completion |memanalysis (demo$|dashboard |sweep )"
    r"|memanalysis run .* -m (uvicorn|gunicorn|celery) |memanalysis assess s3://"
)
"""The beginnings of commands that stand in ``sh`` blocks, and have tests of their own."""


def name_page(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    """The hook of MkDocs, loaded as MkDocs does."""
    spec = importlib.util.spec_from_file_location("docs_hooks", DOCS / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the examples run: with the sample ledgers and the shipped policy, as in a clone."""
    for name in ("sample_ledgers", "config"):
        shutil.copytree(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=name_page)
def test_the_examples_of_a_page_run(page: Path, folder: Path) -> None:
    examples = list(read_examples(page.read_text(encoding="utf-8")))
    python = [example for example in examples if isinstance(example, PythonBlock)]
    is_notebook = any(line.startswith("%") for block in python for line in block.text.splitlines())
    if not is_notebook:
        names = {"__name__": "__main__"}
        for example in examples:
            run_step(example, folder)
            if isinstance(example, PythonBlock):
                code = compile("\n" * example.line + example.text, str(page), "exec")
                exec(code, names)  # noqa: S102 - the examples of our own pages
        return
    with run_kernel(folder) as kernel:
        for example in examples:
            run_step(example, folder)
            if isinstance(example, PythonBlock):
                shown = kernel.run(example.text)
                assert not shown.error, f"{page.name}:{example.line}: {shown.traceback}"
                assert not shown.stderr


def run_step(example: object, folder: Path) -> None:
    """Write a file or run the commands of a console block; Python is run by the caller."""
    if isinstance(example, WrittenFile):
        (folder / example.name).write_text(example.text, encoding="utf-8")
    elif isinstance(example, ConsoleBlock):
        done = run_console(example, folder)
        assert done.returncode == example.exit_code, f"line {example.line}: {done.stdout}\n{done.stderr}"
    elif isinstance(example, ShellNote):
        assert all(NOT_RUN_HERE.match(command) for command in example.commands), example


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=name_page)
def test_a_file_that_a_page_shows_is_used_by_its_examples(page: Path) -> None:
    examples = list(read_examples(page.read_text(encoding="utf-8")))
    for index, example in enumerate(examples):
        if isinstance(example, WrittenFile):
            later = [each for each in examples[index:] if isinstance(each, ConsoleBlock | PythonBlock)]
            assert any(example.name in str(each) for each in later), example.name


def test_an_example_that_fails_is_found(folder: Path) -> None:
    """The runner itself: an exit code other than the one that is announced, and a block that nobody would run."""
    failing = ConsoleBlock(("python nowhere.py", "echo not reached"), 1)

    run_step(replace(failing, exit_code=2), folder)
    with pytest.raises(AssertionError, match="nowhere"):
        run_step(failing, folder)
    with pytest.raises(ValueError, match="line 2: a block of 'ruby' is neither run nor written"):
        list(read_examples("text\n```ruby\nputs 1\n```\n"))
    with pytest.raises(ValueError, match="line 1: a text block begins with a command"):
        list(read_examples("```text\nmemanalysis info ledger\n```\n"))
    with pytest.raises(ValueError, match="line 1: nothing is known of the comment 'stup: x'"):
        list(read_examples("<!-- stup: x -->"))


@pytest.mark.slow
def test_a_page_is_built_with_its_generated_parts(hooks: ModuleType) -> None:
    built = {page: hooks.on_page_markdown(page.read_text(encoding="utf-8")) for page in DOCS.rglob("*.md")}

    assert not [page for page, text in built.items() if "<!--" in text]
    commands = built[DOCS / "reference" / "commands.md"]
    titles = re.findall(r"^## memanalysis ?(.*)$", commands, re.MULTILINE)
    assert {"", "assess", "compact", "convert", "demo", "info", "policy", "policy check"} <= set(titles)
    assert {"record", "report", "run"} <= set(titles)
    assert len(re.findall(r"^usage", commands, re.MULTILINE | re.IGNORECASE)) >= len(titles)
    policy = built[DOCS / "reference" / "policy.md"]
    for section in Policy().to_mapping():
        assert f"## {section}\n" in policy
    assert "| `thresholds.memory_growth_mb` | `10` | MB of growth" in policy
    tables = built[DOCS / "reference" / "ledger-tables.md"]
    for name, columns in TABLES.items():
        section = tables.split(f"## {name}\n")[1].split("\n## ")[0]
        assert re.findall(r"^\| `(\w+)` \| (\w+) \| .+ \|$", section, re.MULTILINE) == list(columns.items())
    accuracy = built[DOCS / "accuracy.md"]
    for kind in ("partial releases", "filling caches", "saw-teeth"):
        assert re.search(rf"^\| {kind} \| [01]\.\d\d \|", accuracy, re.MULTILINE)
    assert re.search(r"^\| memanalysis \| \d", accuracy, re.MULTILINE)
    assert "leaky_service: A leak" in built[DOCS / "tasks" / "post-mortem.md"]


def test_a_command_that_fails_stops_the_build(hooks: ModuleType) -> None:
    with pytest.raises(RuntimeError, match=r"memanalysis info nowhere ended with exit code 2: .*nowhere"):
        hooks.on_page_markdown("<!-- output: memanalysis info nowhere -->")
    with pytest.raises(KeyError, match="comands"):
        hooks.on_page_markdown("<!-- generated: comands -->")


def test_commands_that_are_named_in_passing_are_there(hooks: ModuleType) -> None:
    known = {words[0] for words in hooks.list_commands() if words}
    pages = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
    named = {word for page in pages for word in re.findall(r"`memanalysis ([a-z]\w*)", page.read_text("utf-8"))}

    assert len(named) >= 5
    assert named <= known


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=name_page)
def test_links_and_targets_of_make_are_there(page: Path) -> None:
    """Links between the pages of the site are checked by ``make docs``."""
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    targets = set(re.findall(r"\bmake ([a-z][a-z-]*)", text)) - {"sense"}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert not [link for link in links if not (page.parent / link).exists()]
    assert targets
    assert not [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)]


def test_the_steps_of_a_verdict_are_listed_in_their_order() -> None:
    text = (DOCS / "how" / "verdict-steps.md").read_text(encoding="utf-8")
    inputs = VerdictInputs(batches={}, limits=np.empty(0), rules=SeverityRules())
    steps = [getattr(step, "func", step) for step in make_verdict_steps(inputs)]

    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == [step.__name__ for step in steps]


def test_each_reason_is_listed_once() -> None:
    """Only between its heading and the next: other pages name single reasons in passing."""
    part = (DOCS / "verdict.md").read_text(encoding="utf-8").split("## Reasons\n")[1].split("\n## ")[0]
    listed = [code for code in re.findall(r"`(\w+)`", part) if code != "reasons"]

    assert sorted(listed) == sorted(Reason)


def test_the_layers_that_are_drawn_are_those_of_the_package() -> None:
    """Each line of the drawing names packages and what they import; what those import may be imported too."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    drawing = re.search(r"^```text\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert drawing is not None
    drawn: dict[str, set[str]] = {}
    for line in reversed(drawing[1].splitlines()):
        above, below = (re.findall(r"\w+", side) for side in line.split("->"))
        for package in above:
            drawn[package] = set(below).union(*(drawn.get(name, set()) for name in below))
    allowed = {package: (set(below) - GROUND - {"lazy_names"}) for package, below in BELOW.items()}
    allowed.pop("__main__")  # starts cli, and is no layer

    assert {package: below - {"ground"} for package, below in drawn.items()} == allowed
