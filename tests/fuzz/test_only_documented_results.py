"""Whatever is damaged, only documented results come out: the first cases of `python -m benchmarks fuzz`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.fuzz.case import Case, lay_out, sound_files
from benchmarks.fuzz.judge import KINDS, find_faults, judge_case, make_case, run_command
from benchmarks.fuzz.run import run_cases

pytestmark = pytest.mark.slow

SEED = 20250101
N_CASES = {"parquet": 15, "lines": 10, "single": 15, "entries": 10, "policies": 50}
PER_TEST = 5

CHUNKS = [(kind, begin) for kind in KINDS for begin in range(0, N_CASES[kind], PER_TEST)]


@pytest.mark.parametrize(("kind", "begin"), CHUNKS, ids=[f"{kind}-{begin}" for kind, begin in CHUNKS])
def test_damage_gives_documented_results_only(kind: str, begin: int) -> None:
    """Other services are judged as before; what is refused is refused in one line; nothing hangs or crashes."""
    faults = [fault for number in range(begin, begin + PER_TEST) for fault in find_faults(kind, number, seed=SEED)]

    assert not faults, "\n".join(map(str, faults))


@pytest.mark.parametrize("kind", KINDS)
def test_a_case_is_the_same_for_the_same_seed(kind: str, tmp_path: Path) -> None:
    for number in range(10):
        once, again = (make_case(kind, number, seed=SEED) for _ in range(2))
        assert (once.damage, once.files, once.target) == (again.damage, again.files, again.target)
    assert len({make_case(kind, number, seed=SEED).damage for number in range(10)}) > 3


def test_a_sound_ledger_has_no_fault(tmp_path: Path) -> None:
    files = sound_files(sealed=False, below="ledger")

    assert not list(judge_case(Case("sound", 2, "folder", "none", files=files, target="ledger"), tmp_path))


def test_a_bystander_that_is_judged_otherwise_is_a_fault(tmp_path: Path) -> None:
    """The judge can find something: half of the leak's samples are taken away, and nothing reports it."""
    files = sound_files(sealed=False, below="ledger")
    name = next(name for name in files if name.startswith("ledger/live/samples/service_key=leaky/"))
    files[name] = b"".join(files[name].splitlines(keepends=True)[:20])
    lost = name.removeprefix("ledger/")
    case = Case("sound", 0, "folder", "none", files=files, target="ledger", lost=lost)

    faults = [fault.what for fault in judge_case(case, tmp_path)]

    assert faults == [
        "the verdict on leaky is another than without the damage",
        "the damage is not named; what is: []",
    ]


def test_a_command_beyond_its_limit_is_stopped_and_named(tmp_path: Path) -> None:
    case = Case("sound", 0, "folder", "none", files=sound_files(sealed=True, below="ledger"), target="ledger")

    outcome = run_command(["assess", str(lay_out(case, tmp_path))], limit_s=0.001)

    assert outcome.raised is not None
    assert outcome.raised.startswith("does not end within 0.001 s")


def test_cases_run_in_processes_of_their_own() -> None:
    tally = run_cases("policies", 5, seed=SEED)

    assert (tally.n_cases, tally.n_faults) == (5, 0), tally.examples


@pytest.mark.parametrize("number", range(4))
def test_a_real_process_says_the_same(number: int, tmp_path: Path) -> None:
    case = make_case("single", number, seed=SEED)
    command = ["assess", str(lay_out(case, tmp_path)), "--format", "json"]
    here = run_command(command)

    there = subprocess.run(
        [sys.executable, "-m", "memanalysis", *command], capture_output=True, text=True, timeout=120, check=False
    )

    assert there.returncode == here.code
    assert "Traceback" not in there.stderr
    assert (json.loads(there.stdout) if there.stdout else None) == (json.loads(here.out) if here.out else None)
