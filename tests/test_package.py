"""What holds for the package as a whole: light import, declared doors, imports that point downwards."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import memanalysis

PACKAGE = Path(memanalysis.__file__).parent
HEAVY = ("jinja2", "pandas", "numpy", "matplotlib", "IPython", "ipywidgets", "pyarrow", "scipy", "psutil", "yaml")

LAZY_NAMES = set(memanalysis.__all__) - {"__version__"}

GROUND = {
    "_atomic",
    "_children",
    "_descriptors",
    "_html",
    "_tables",
    "_text",
    "errors",
    "schema",
    "standard_library",
    "units",
}
BELOW = {
    "analysis": GROUND,
    "capture": GROUND,
    "ledger": GROUND,
    "policy": GROUND,
}
BELOW["verdicts"] = GROUND | {"analysis", "ledger", "policy"}
BELOW["leaktest"] = BELOW["verdicts"] | {"capture", "verdicts"}
BELOW["response"] = GROUND | {"capture", "policy"}
BELOW["watcher"] = BELOW["leaktest"] | {"response"}
BELOW["examples"] = BELOW["watcher"] | {"watcher", "lazy_names"}
BELOW["reports"] = BELOW["watcher"] | {"watcher"}
BELOW["notebook"] = BELOW["reports"] | {"reports"}
BELOW["widgets"] = BELOW["reports"] | {"reports"}
BELOW["magic"] = BELOW["widgets"] | {"widgets", "notebook"}
BELOW["cli"] = BELOW["widgets"] | {"widgets", "examples", "lazy_names"}
BELOW["__main__"] = {"cli"}
BELOW["classes"] = BELOW["watcher"] | {"watcher"}

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
VERBS = ("watch", "open_ledger", "assess", "assess_series", "compare", "report", "explore", "find_leak")


WITHOUT_CYCLES = ("analysis",)
"""Packages that are free of import cycles."""

NAMES_TO_CHANGE = {"verdict.py"}
"""Files elsewhere that still have a name of a file of ``WITHOUT_CYCLES``."""


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported_rooms(path: Path) -> set[str]:
    """Rooms of memanalysis that a module imports, also inside functions."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = [node.module or ""]
            if node.module == "memanalysis":  # a room, or a name through the doors
                names = [
                    f"memanalysis.{'lazy_names' if alias.name in LAZY_NAMES else alias.name}" for alias in node.names
                ]
        rooms |= {name.split(".")[1] for name in names if name.startswith("memanalysis.")}
    return rooms


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path: Path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room == "__init__":
        return
    allowed = GROUND if room in GROUND else BELOW[room]
    upwards = imported_rooms(path) - allowed - {room, "__version__"}
    assert not upwards, f"{room} imports {sorted(upwards)}; it may import {sorted(allowed)}"


def module_name(path: Path) -> str:
    return ".".join(["memanalysis", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")


def imported_modules(path: Path, names: set[str]) -> set[str]:
    """Modules of the package that a module imports, also inside functions; for types alone does not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    wanted = set()
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            wanted |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            wanted |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return (wanted & names) - {module_name(path)}


def find_cycle(imports: dict[str, set[str]]) -> list[str]:
    """Return the modules of an import cycle, or nothing: what is left when those without imports are taken away."""
    left = dict(imports)
    while True:
        ends = {name for name, wanted in left.items() if not wanted & left.keys()}
        if not ends:
            return sorted(left)
        left = {name: wanted for name, wanted in left.items() if name not in ends}


@pytest.mark.parametrize("package", WITHOUT_CYCLES)
def test_no_file_imports_itself_through_others(package: str):
    paths = sorted((PACKAGE / package).rglob("*.py"))
    names = {module_name(path) for path in paths}
    imports = {module_name(path): imported_modules(path, names) for path in paths}

    assert sum(map(len, imports.values())) > len(paths)
    assert find_cycle(imports) == []


def test_a_cycle_through_a_lazy_import_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    (tmp_path / "a.py").write_text("from memanalysis.b import f\n")
    (tmp_path / "b.py").write_text("def f():\n    from memanalysis import a\n")
    (tmp_path / "c.py").write_text("import memanalysis.a\nif TYPE_CHECKING:\n    import memanalysis.c\n")
    names = {"memanalysis.a", "memanalysis.b", "memanalysis.c"}
    imports = {module_name(path): imported_modules(path, names) for path in tmp_path.glob("*.py")}

    assert find_cycle(imports) == ["memanalysis.a", "memanalysis.b", "memanalysis.c"]
    assert find_cycle({"memanalysis.c": {"memanalysis.a"}, "memanalysis.a": set()}) == []


@pytest.mark.parametrize("package", WITHOUT_CYCLES)
def test_no_two_files_have_one_name(package: str):
    own = [path for path in (PACKAGE / package).rglob("*.py") if path.name != "__init__.py"]
    others = {path.name for path in modules() if PACKAGE / package not in path.parents}
    names = [path.name for path in own]

    assert len(set(names)) == len(names)
    assert set(names) & others <= NAMES_TO_CHANGE


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_answers_one_question_in_under_400_lines(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_importing_the_package_loads_nothing_heavy():
    code = f"import sys, memanalysis; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
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


def test_loading_rooms_does_not_overwrite_the_verbs():
    """A sub-module called ``watch`` would replace the function of that name when it is imported."""
    code = (
        "import memanalysis.watcher.recorder, memanalysis.reports.report_model, memanalysis; "
        "print(memanalysis.watch, memanalysis.report)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("<function ") == 2


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'memanalysis' has no attribute 'wacth'"):
        _ = memanalysis.wacth
