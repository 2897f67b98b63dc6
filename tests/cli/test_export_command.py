"""``memanalysis export`` as it is typed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from foreign_pprof import read_foreign, total_by_type

from memanalysis.cli import main

SAMPLE = Path(__file__).parents[2] / "sample_ledgers" / "leaking_service"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")


@pytest.mark.slow
def test_the_format_follows_from_the_name_of_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("heap.pb.gz", "heap.otlp", "heap.speedscope.json", "deep/heap.folded"):
        assert main(["export", str(SAMPLE), name]) == 0

    assert total_by_type(read_foreign(Path("heap.pb.gz").read_bytes()))["inuse_space"] == 47_244_006
    assert json.loads(Path("heap.speedscope.json").read_bytes())["profiles"][0]["endValue"] == 47_244_006
    lines = Path("deep/heap.folded").read_text().splitlines()
    assert sum(int(line.rpartition(" ")[2]) for line in lines) == 47_244_006
    first = " ".join(capsys.readouterr().out.split()).split("Wrote ")[1]
    assert first.startswith("heap.pb.gz: 17 stacks of leaky_service hold 45.1 MiB at 2026-11-22 16:27:46 UTC, +40.7")


@pytest.mark.slow
def test_standard_output_gets_the_bytes_alone() -> None:
    command = [sys.executable, "-m", "memanalysis", "export", str(SAMPLE), "-", "--to", "folded", "--what", "grew"]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True, env=os.environ)

    assert done.stdout.splitlines()[0].endswith(b"Shop._log_in (memanalysis/examples/leaky_service.py:58) 42203406")
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["heap.txt"], "export needs a file that ends in .pb.gz, .pprof, .otlp, .speedscope.json, .folded, .html, but"),
        (
            ["-"],
            "but got 'no file'. Name one of these, or the format with --to (pprof, otlp,",
        ),
        ([".", "--to", "pprof"], "export needs a file to write, but . is a folder."),
        (["a.pprof", "--service", "none"], "has none of service 'none'."),
    ],
)
def test_what_cannot_be_exported_is_an_error_with_code_2(
    arguments: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(SAMPLE), *arguments]) == 2
    assert error in capsys.readouterr().err
