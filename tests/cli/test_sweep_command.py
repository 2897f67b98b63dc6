"""``memanalysis sweep`` with wheels that the test writes: real environments, real pip, and no network."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from processes import running

from memanalysis.cli.output_schemas import make_output_schema

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CLEAN = "def handle():\n    return bytes(2000)\n"
LEAKY = "KEPT = []\ndef handle():\n    KEPT.append(bytes(2000))\n"
BROKEN = "raise RuntimeError('built for another planet')\n"


def write_wheel(folder: Path, version: str, source: str) -> None:
    """Write a wheel of one module (PEP 427)."""
    info = f"acme_sweep-{version}.dist-info"
    with zipfile.ZipFile(folder / f"acme_sweep-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("acme_sweep.py", source)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: acme-sweep\nVersion: {version}\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", f"acme_sweep.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


def sweep(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run the command; gives exit code, output and errors."""
    command = [sys.executable, "-m", "memanalysis", "sweep", "acme-sweep", "--no-index", f"--find-links={folder}"]
    with running(
        subprocess.Popen(
            [*command, *arguments],
            cwd=folder,
            env=os.environ | {"COLUMNS": "200", "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    ) as process:
        out, err = process.communicate(timeout=200)
    return process.returncode, out, err


@pytest.mark.slow
def test_the_release_that_began_to_leak_is_named_and_bad_ones_are_listed(tmp_path: Path):
    for version, source in {"1.0": CLEAN, "1.1": BROKEN, "1.2": LEAKY}.items():
        write_wheel(tmp_path, version, source)
    (tmp_path / "load.py").write_text("import acme_sweep\n\ndef run():\n    print('served')\n    acme_sweep.handle()\n")

    code, out, err = sweep(tmp_path, "--versions", "1.0, 1.1, 1.1.5, 1.2", "--call", "load:run", "--max-s", "10")

    lines = out.replace("\n  ", " ").splitlines()
    assert code == 1, err
    assert lines[0].startswith("1.0: clean. No leak")
    assert lines[1].startswith("1.1: failed. exit code 1: ")
    assert "built for another planet" in lines[1]
    assert lines[2].startswith("1.1.5: failed. exit code 1: ")
    assert lines[3].startswith("1.2: leaks (acme_sweep.py:3).")
    assert "A leak: each call keeps" in lines[3]
    assert " Held by acme_sweep." in lines[3]
    assert lines[4] == (
        "acme-sweep began to leak with 1.2: 1.0 does not leak. Between them 1.1, 1.1.5 could not be judged."
    )
    assert len(lines) == 5


def test_a_script_that_fails_is_no_result_and_no_pass(tmp_path: Path):
    write_wheel(tmp_path, "1.0", CLEAN)
    (tmp_path / "load.py").write_text("import acme_sweep\nraise SystemExit(3)\n")

    code, out, err = sweep(tmp_path, "--versions", "1.0", "load.py", "--json")

    found = json.loads(out)
    Draft202012Validator(make_output_schema("sweep")).validate(found)
    assert code == 2
    assert [(release["state"], release["text"][:13]) for release in found["releases"]] == [("failed", "exit code 3: ")]
    assert found["first_leaking"] is None
    assert "could judge no release of acme-sweep" in err


@pytest.mark.parametrize(
    ("arguments", "needs"),
    [
        (["--versions", "1.0,1.0", "--call", "a:b"], "releases, each once"),
        (["--versions", "1.0"], "either --call MODULE:FUNCTION or a script"),
        (["--versions", "1.0", "--call", "a"], "--call as MODULE:FUNCTION"),
        (["--versions", "1.0", "nowhere.py"], "no file nowhere.py"),
    ],
)
def test_what_cannot_be_swept_is_an_error(arguments: list[str], needs: str, capsys: pytest.CaptureFixture[str]):
    from memanalysis.cli import main

    assert main(["sweep", "acme-sweep", *arguments]) == 2
    assert needs in capsys.readouterr().err
