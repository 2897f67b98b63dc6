"""What holds for the package as a whole: light import, declared names, imports that point downwards."""

import ast
import re
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

import memanalysis

PACKAGE = Path(memanalysis.__file__).parent
TESTS = Path(__file__).parent
ENGINES = ("pandas", "numpy", "matplotlib", "IPython", "ipywidgets", "pyarrow", "scipy")
INTERFACE_LIBRARIES = ("rich", "jinja2", "click", "typer")
HEAVY = (*ENGINES, *INTERFACE_LIBRARIES, "psutil", "yaml", "msgspec")

INTERFACES = {"__init__", "__main__", "magic", "pytest_plugin"}
"""Files beside the packages that stand above them; every other such file is of the ground."""

GROUND = {path.stem for path in PACKAGE.glob("*.py")} - INTERFACES

IMPORTS = {
    "analysis": set(),
    "capture": set(),
    "ledger": set(),
    "policy": set(),
    "response": {"capture", "policy"},
    "verdicts": {"analysis", "ledger", "policy"},
    "leaktest": {"analysis", "capture", "verdicts"},
    "watcher": {"analysis", "capture", "ledger", "policy", "response", "verdicts"},
    "dask": {"analysis", "capture", "ledger", "verdicts", "watcher"},
    "reports": {"analysis", "ledger", "verdicts"},
    "notebook": {"capture", "leaktest", "ledger", "reports", "response", "watcher"},
    "widgets": {"analysis", "notebook", "policy", "reports", "response", "verdicts", "watcher"},
    "suite": {"capture", "leaktest", "ledger", "response", "watcher"},
    "classes": {"analysis", "capture", "ledger", "policy", "response", "verdicts"},
    "assistant": {"analysis", "ledger", "policy", "reports", "verdicts"},
    "examples": set(),
    "exchange": {"ledger", "reports"},
    "sweep": {"capture", "leaktest", "verdicts"},
    "cli": {
        "analysis",
        "assistant",
        "capture",
        "examples",
        "exchange",
        "leaktest",
        "ledger",
        "policy",
        "reports",
        "sweep",
        "verdicts",
        "watcher",
    },
    "magic": {"notebook", "widgets"},
    "pytest_plugin": {"suite"},
    "__main__": {"cli"},
}
"""Which packages a package imports beside the ground: these and no others, and those only that stand above it here."""

BELOW: dict[str, set[str]] = {}
"""Which packages a package may count on: what it imports, and what those import. CONTRIBUTING.md draws them."""
for _package, _imports in IMPORTS.items():
    BELOW[_package] = set(GROUND).union(_imports, *(BELOW[name] for name in _imports))

CONTRACT_NAMES = (
    "AutoCleanupManager",
    "ComprehensiveLeakDetector",
    "LeakDetectionResult",
    "LedgerAnalyzer",
    "LedgerEntry",
    "MemoryBudget",
    "MemoryLeakDetector",
    "MemoryLedger",
    "MemoryPolicyEnforcer",
    "MemoryPolicyLoader",
    "MemoryPolicyManager",
    "MemorySnapshot",
    "MemoryTrend",
    "ObjectLeakDetector",
    "PersistentLedgerManager",
    "TracemallocIntegration",
)
VERBS = (
    "watch", "budget", "open_ledger", "assess", "assess_series", "compare", "report", "trend", "pivot",
    "explore", "dashboard", "find_leak",
)  # fmt: skip


def modules(package: Path = PACKAGE) -> list[Path]:
    return sorted(package.rglob("*.py"))


def module_name(path: Path, package: Path = PACKAGE) -> str:
    return ".".join([package.name, *path.relative_to(package).with_suffix("").parts]).removesuffix(".__init__")


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def package_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def imported_modules(path: Path, names: set[str], *, for_types: bool) -> set[str]:
    """Modules of the package that a file imports, also inside functions and by name in a constant.

    What is imported for types alone counts only `for_types`. What is looked up among the loaded modules is no import.
    """
    tree = parse(path)
    passed_over = {
        inner
        for node in ast.walk(tree)
        if (is_for_types(node) and not for_types) or is_lookup_of_loaded(node)
        for inner in ast.walk(node)
    }
    wanted: set[str] = set()
    for node in ast.walk(tree):
        if node in passed_over:
            continue
        if isinstance(node, ast.Import):
            wanted |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            modules_of_package = {f"{node.module}.{alias.name}" for alias in node.names} & names
            wanted |= modules_of_package
            if len(modules_of_package) < len(node.names):
                wanted.add(str(node.module))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value:
            wanted.add(node.value)
    return wanted & names


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def is_lookup_of_loaded(node: ast.AST) -> bool:
    is_get = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get"
    return is_get and ast.unparse(node.func) == "sys.modules.get"


@cache
def read_imports(package: Path = PACKAGE, *, for_types: bool = False) -> dict[str, set[str]]:
    """Return the modules that each file of the package imports, but for the lazy names of the package itself."""
    paths = [path for path in modules(package) if path != package / "__init__.py"]
    names = {module_name(path, package) for path in modules(package)}
    return {
        module_name(path, package): imported_modules(path, names, for_types=for_types) - {module_name(path, package)}
        for path in paths
    }


def find_circle(imports: dict[str, set[str]]) -> list[str]:
    """Return the modules of the smallest group that import each other in a circle, or nothing."""

    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            new = imports.get(waiting.pop(), set()) - seen
            seen |= new
            waiting += new
        return seen

    reached = {name: reach(name) for name in imports}
    circles = [
        sorted({other for other in reached[name] if name in reached.get(other, ())})
        for name in imports
        if name in reached[name]
    ]
    return min(circles, key=len, default=[])


@pytest.mark.slow
def test_no_file_imports_itself_through_others():
    imports = read_imports()

    assert sum(map(len, imports.values())) > len(imports)
    assert find_circle(imports) == []


def test_a_circle_through_a_lazy_import_is_found(tmp_path: Path):
    package = tmp_path / "memanalysis"
    package.mkdir()
    (package / "a.py").write_text("from memanalysis.b import f\n")
    (package / "b.py").write_text("def f():\n    from memanalysis import d\n")
    (package / "c.py").write_text("import memanalysis.a\nif TYPE_CHECKING:\n    import memanalysis.b\n")
    (package / "d.py").write_text("HOME = 'memanalysis.a'\nsys.modules.get('memanalysis.c')\n")

    imports = read_imports(package)

    assert imports["memanalysis.c"] == {"memanalysis.a"}
    assert find_circle(imports) == ["memanalysis.a", "memanalysis.b", "memanalysis.d"]
    assert find_circle({"memanalysis.c": {"memanalysis.a"}, "memanalysis.a": set()}) == []


@pytest.mark.slow
def test_each_package_imports_what_is_drawn_and_nothing_else():
    """Imports for types count too: they are what a reader has to know."""
    imported: dict[str, set[str]] = {package: set() for package in IMPORTS}
    for name, wanted in read_imports(for_types=True).items():
        if package_of(name) not in GROUND:
            imported[package_of(name)] |= {package_of(module) for module in wanted}

    assert {package: found - GROUND - {package, "__init__"} for package, found in imported.items()} == IMPORTS


def test_the_drawing_has_every_package_and_points_downwards():
    drawn = list(IMPORTS)

    assert {package_of(name) for name in read_imports()} == {*drawn, *GROUND}
    for package, wanted in IMPORTS.items():
        assert wanted <= set(drawn[: drawn.index(package)]), f"{package} is drawn below what it imports"


def test_the_ground_knows_only_the_ground():
    for name, wanted in read_imports(for_types=True).items():
        if package_of(name) in GROUND:
            assert {package_of(module) for module in wanted} <= GROUND, name


def test_only_the_examples_use_the_verbs_as_users_do():
    """Within the package each name has one home, from where it is imported."""
    users = {package_of(name) for name, wanted in read_imports(for_types=True).items() if "memanalysis" in wanted}

    assert users == {"examples"}


@pytest.mark.parametrize(
    ("question", "path"),
    [
        ("rotation", "ledger/writing/segment_rotation.py"),
        ("overhead", "watcher/overhead_budget.py"),
        ("warm_up", "analysis/series/warm_up.py"),
        ("cooldown", "response/alerts/cooldown.py"),
        ("html_report", "reports/html_report.py"),
        ("memwatch_parser", "notebook/memwatch_parser.py"),
        ("retention", "ledger/maintenance/retention.py"),
        ("fingerprint", "analysis/leaks/fingerprint.py"),
        ("thresholds", "analysis/thresholds.py"),
        ("restart", "response/restart.py"),
        ("retainers", "analysis/leaks/retainers.py"),
    ],
)
def test_who_searches_file_names_finds_the_file(question: str, path: str):
    """Few files have the word as a part of their names, and one of them is the one that answers."""
    paths = [each.relative_to(PACKAGE).as_posix() for each in modules()]
    found = [each for each in paths if re.search(rf"(/|_){question}(_|\.)", each)]

    assert path in found
    assert len(found) <= 4


@pytest.mark.parametrize("package", ["analysis", "verdicts"])
def test_each_file_of_the_verdict_is_imported_by_a_test(package: str):
    """Through others alone, a file can be wrong and nobody knows which."""
    imported = set()
    for path in sorted(TESTS.rglob("*.py")):
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ImportFrom):
                imported |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    with_functions = {
        module_name(path)
        for path in modules()
        if path.relative_to(PACKAGE).parts[0] == package
        and any(isinstance(node, ast.FunctionDef) for node in ast.walk(parse(path)))
    }

    assert with_functions - imported == set()


def test_no_two_files_have_one_name():
    names = [path.name for path in modules() if path.name != "__init__.py"]

    assert [name for name in names if names.count(name) > 1] == []


def read_declared(tree: ast.Module) -> set[str] | None:
    """Names in a file's ``__all__``."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return None


def find_undeclared(path: Path) -> set[str]:
    """Return the functions and classes of a file that look public and are not in its ``__all__``."""
    tree = parse(path)
    public = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return {name for name in public if not name.startswith("_") and name != "main"} - (read_declared(tree) or set())


def find_taken_uninvited(path: Path) -> set[str]:
    """Return the names that a file imports from another whose ``__all__`` does not offer them."""
    taken = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("memanalysis."):
            home = (PACKAGE.parent / str(node.module).replace(".", "/")).with_suffix(".py")
            offered = read_declared(parse(home)) if home.exists() else None
            if offered is not None:
                taken |= {f"{node.module}.{alias.name}" for alias in node.names if alias.name not in offered}
    return taken


def test_a_file_declares_the_functions_and_classes_that_it_offers():
    paths = [path for path in modules() if path.parent.name != "examples" and path != PACKAGE / "__init__.py"]

    assert {str(path): names for path in paths if (names := find_undeclared(path))} == {}


def test_a_file_imports_only_what_another_offers():
    assert {str(path): names for path in modules() if (names := find_taken_uninvited(path))} == {}


def test_a_file_has_at_most_400_lines():
    sizes = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}

    assert {path: size for path, size in sizes.items() if size > 400} == {}


def test_importing_the_package_loads_nothing_heavy():
    code = f"import sys, memanalysis; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_watching_loads_no_engine_and_no_library_of_an_interface(run_program):
    """Not at the start, while it records, nor at the end: the judging and sealing is done by other processes."""
    done = run_program(
        "import sys, memanalysis\n"
        "recorder = memanalysis.watch('light', ledger='ledger', seal=False, interval=0.05)\n"
        "assert recorder.start()\n"
        "recorder.mark('here')\n"
        "assert recorder.stop()\n"
        f"print([name for name in {(*ENGINES, *INTERFACE_LIBRARIES)!r} if name in sys.modules])"
    )

    assert done.stdout.strip() == "[]"


def test_every_exported_name_is_found_and_declared_for_type_checkers():
    assert set(memanalysis._HOMES) | {"__version__"} == set(memanalysis.__all__)
    for name in memanalysis.__all__:
        assert getattr(memanalysis, name) is not None
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    declared = {
        alias.asname: node.module for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert {name: home for name, home in declared.items() if name} == memanalysis._HOMES


@pytest.mark.parametrize("name", [*CONTRACT_NAMES, *VERBS])
def test_the_promised_names_are_there(name: str):
    value = getattr(memanalysis, name)
    assert getattr(import_module(value.__module__), name) is value


@pytest.mark.slow
def test_loading_packages_does_not_overwrite_the_verbs():
    """A sub-module called ``watch`` would replace the function of that name when it is imported."""
    code = (
        "import memanalysis.watcher.recorder, memanalysis.reports.make_report, memanalysis; "
        "print(memanalysis.watch, memanalysis.report)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("<function ") == 2


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'memanalysis' has no attribute 'wacth'"):
        _ = memanalysis.wacth
