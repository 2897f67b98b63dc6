"""With Click, msgspec, psutil and PyYAML only, as containers have it, the recorder leaves JSON lines."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from processes import running

import memanalysis
from memanalysis.ledger.reading.ledger import open_ledger

PACKAGE = Path(memanalysis.__file__).parent
DEFAULT_POLICY = Path(__file__).parents[2] / "config" / "memory_policy.yaml"
NEEDED = ("click", "msgspec", "psutil", "yaml", "_yaml")
MAX_MB = 35
DEADLINE_S = 120.0
LEFT_OUT = ("numpy", "pandas", "pyarrow", "matplotlib", "rich", "jinja2")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are replaced on POSIX alone")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment of copies of the packages installed here, which needs no network."""
    root = tmp_path_factory.mktemp("alone") / "venv"
    venv.create(root, with_pip=False, symlinks=True)
    packages = root / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    for name in NEEDED:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            shutil.copytree(Path(spec.origin).parent, packages / name)
    shutil.copytree(PACKAGE, packages / "memanalysis", ignore=shutil.ignore_patterns("__pycache__"))
    shipped = packages / "memanalysis" / "policy" / "memory_policy.yaml"
    if not shipped.exists():  # a wheel has it there
        shutil.copy(DEFAULT_POLICY, shipped)
    return root / "bin" / "python"


def run(python: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [python, "-W", "error", *arguments],
        cwd=cwd, env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip


def check_ledger(path: Path, service: str) -> None:
    """JSON lines alone, which the full installation reads, beside messages to agents and claims of alerts."""
    others = {"agent_workspaces": {".md"}, "alerted": {".json"}}
    files = [file for file in path.rglob("*") if file.is_file() and file.name != "ledger.json"]
    for folder, suffixes in others.items():
        assert {file.suffix for file in files if file.is_relative_to(path / folder)} <= suffixes
    rows = [file for file in files if file.relative_to(path).parts[0] not in others]
    assert {file.suffix for file in rows} == {".jsonl"}
    ledger = open_ledger(path)
    assert ledger.runs["service"].tolist() == [service]
    assert ledger.runs["ended"].notna().all()
    assert len(ledger.samples) >= 3
    assert ledger.samples["rss_bytes"].gt(0).all()


@pytest.mark.slow
def test_the_environment_is_small_and_has_nothing_else(python: Path) -> None:
    code = f"import importlib.util as u; print([name for name in {LEFT_OUT!r} if u.find_spec(name)])"
    found = run(python, python.parent, "-c", code)
    size = sum(file.stat().st_size for file in python.parents[1].rglob("*") if not file.is_symlink())

    assert found.stdout == "[]\n"
    assert size < MAX_MB * 1_000_000


WATCHING = """
import sys, time
import memanalysis

with memanalysis.watch("web", ledger="ledger", interval=0.05, trace="full", policy={policy!r}):
    kept = []
    for _ in range(20):
        kept.append(bytearray(100_000))
        time.sleep(0.05)
print("done")
"""


@pytest.mark.slow
def test_watch_leaves_json_lines_with_sites(python: Path, tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text(WATCHING.format(policy=None))
    done = run(python, tmp_path, "service.py")

    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    check_ledger(tmp_path / "ledger", "web")
    assert "service.py" in set(open_ledger(tmp_path / "ledger").sites["file"].map(lambda file: Path(file).name))


@pytest.mark.slow
def test_watch_with_a_policy_checks_budgets_and_says_that_it_checks_no_leaks(python: Path, tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text(WATCHING.format(policy={"memory_budgets": {"global": {"max_memory_mb": 1}}}))
    done = run(python, tmp_path, "service.py")
    events = open_ledger(tmp_path / "ledger").events

    assert (done.returncode, done.stdout) == (0, "done\n")
    assert "Budgets are checked, leaks are not: A verdict needs numpy, which is not installed. " in done.stderr
    assert "breach" in set(events["kind"])
    check_ledger(tmp_path / "ledger", "web")


@pytest.mark.slow
def test_run_leaves_json_lines(python: Path, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import sys, time; time.sleep(0.5); print(sys.argv[1:]); sys.exit(3)")
    done = run(python, tmp_path, "-m", "memanalysis", "run", "--interval", "0.05", "program.py", "--port", "80")

    assert (done.returncode, done.stdout, done.stderr) == (3, "['--port', '80']\n", "")
    check_ledger(tmp_path / "memanalysis-ledger", "program")


@pytest.mark.slow
def test_record_leaves_json_lines(python: Path, tmp_path: Path) -> None:
    with running(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)) as recorded:
        done = run(
            python, tmp_path,
            "-m", "memanalysis", "record", "--pid", str(recorded.pid), "--seconds", "0.5", "--interval", "0.05",
            "--service", "other",
        )  # fmt: skip
        recorded.communicate(b"\n")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("Verdict: memanalysis assess memanalysis-ledger\n")
    check_ledger(tmp_path / "memanalysis-ledger", "other")


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["assess", "ledger"], "assess needs numpy, pandas, pyarrow and rich, which are"),
        (["report", "ledger"], "report needs numpy, pandas, pyarrow, matplotlib, jinja2 and rich, which are"),
        (["policy", "check", "policy.yaml"], "policy check needs rich, which is"),
    ],
)
def test_a_command_that_needs_more_says_what(arguments: list[str], names: str, python: Path, tmp_path: Path) -> None:
    done = run(python, tmp_path, "-m", "memanalysis", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"memanalysis: error: memanalysis {names} not installed. Run: pip install memanalysis\n"


@pytest.mark.slow
def test_help_and_the_ledgers_marker_need_nothing_more(python: Path, tmp_path: Path) -> None:
    for command in ("demo", "info", "assess", "report", "compact", "convert", "policy", "record", "run"):
        done = run(python, tmp_path, "-m", "memanalysis", command, "--help")
        assert (done.returncode, done.stderr) == (0, "")
    run(python, tmp_path, "-c", "import memanalysis; memanalysis.watch('a', ledger='l').start().stop()")
    assert json.loads((tmp_path / "l" / "ledger.json").read_text())
