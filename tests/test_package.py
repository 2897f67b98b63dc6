"""What holds for the package as a whole: light import, declared doors, imports that point downwards."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import memanalysis

PACKAGE = Path(memanalysis.__file__).parent
HEAVY = ("pandas", "numpy", "matplotlib", "IPython", "ipywidgets", "pyarrow", "scipy", "psutil", "yaml")

LAZY_NAMES = set(memanalysis.__all__) - {"__version__"}

GROUND = {"_children", "_descriptors", "errors", "schema", "units"}
BELOW = {
    "analysis": GROUND,
    "capture": GROUND,
    "ledger": GROUND,
    "policy": GROUND,
}
BELOW["verdicts"] = GROUND | {"analysis", "ledger", "policy"}
BELOW["detection"] = BELOW["verdicts"] | {"capture", "verdicts"}
BELOW["response"] = GROUND | {"capture", "policy"}
BELOW["watcher"] = BELOW["detection"] | {"response"}
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
        "import memanalysis.watcher.recorder, memanalysis.reports.model, memanalysis; "
        "print(memanalysis.watch, memanalysis.report)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("<function ") == 2


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'memanalysis' has no attribute 'wacth'"):
        _ = memanalysis.wacth
