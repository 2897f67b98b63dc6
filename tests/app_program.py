"""Run a main program beside a module ``app`` in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["run_beside_app"]

ROOT = Path(__file__).parents[1]


def run_beside_app(folder: Path, *, app: str, main: str) -> list[str]:
    """Write both files, run the main program with memanalysis on its path, and return the lines that it prints."""
    (folder / "app.py").write_text(app)
    (folder / "main.py").write_text(main)
    done = subprocess.run(
        [sys.executable, "main.py"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
