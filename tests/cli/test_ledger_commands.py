"""``info``, ``convert`` and ``compact`` as they are typed."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from ledger_rows import write_ledger

from memanalysis.cli import main
from memanalysis.ledger.reading.ledger import open_ledger

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run_command(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run_command


@pytest.mark.slow
def test_info_shows_what_a_folder_holds(tmp_path: Path, run: Run) -> None:
    write_ledger(tmp_path / "ledger", seal=False)
    (tmp_path / "ledger" / "live" / "samples" / "service_key=a" / "bad.jsonl").write_bytes(b"nonsense\n")

    code, out, _ = run("info", "ledger")

    assert code == 0
    assert "folder, version 1," in out
    assert "services: a, b" in out
    assert re.search(r"^samples +9 +0 +4 +[\d.]+ (B|KiB)  2025-01-01 00:00  2025-01-01 00:10$", out, re.MULTILINE)
    assert "\n  live/samples/service_key=a/bad.jsonl: 1 line, not JSON\n" in out
    assert max(map(len, out.splitlines()[2:])) <= 80


def test_info_shows_what_a_file_holds(tmp_path: Path, run: Run) -> None:
    write_ledger(tmp_path / "ledger", seal=True)
    run("convert", tmp_path / "ledger", tmp_path / "x.parquet")

    code, out, _ = run("info", tmp_path / "x.parquet")

    assert code == 0
    assert "parquet, version 1," in " ".join(out.split())  # the folder's name decides where lines end
    assert "3 runs" in " ".join(out.split())
    assert re.search(r"^events +0 +0 +0 +- +- +-$", out, re.MULTILINE)


def test_convert_writes_and_lists_what_was_left_out(tmp_path: Path, run: Run) -> None:
    write_ledger(tmp_path / "ledger", seal=True)

    code, out, _ = run("convert", "ledger", "x.json")

    assert code == 0
    assert "9 samples." in out
    assert "Left out: columns without a field in the" in out
    assert len(open_ledger(tmp_path / "x.json").samples) == 9
    code, _, err = run("convert", "ledger", "x.json")
    assert code == 2
    assert "needs a target that is not there yet" in err
    assert run("convert", "--overwrite", tmp_path / "ledger", tmp_path / "x.json")[0] == 0


def test_compact_seals_and_keeps_to_limits(tmp_path: Path, run: Run) -> None:
    root = tmp_path / "ledger"
    write_ledger(root, seal=False)

    code, out, _ = run("compact", root, "--dry-run")
    assert code == 0
    assert out.startswith("Nothing is changed; this would be done:\nsealed              15 files")
    assert len(list(root.rglob("*.jsonl"))) == 15

    code, out, _ = run("compact", root, "--max-entries", 3)
    assert out.startswith("sealed              15 files; 0 of living processes")
    assert not list(root.rglob("*.jsonl"))
    assert re.search(r"^dropped +5 files, 8 rows,", out, re.MULTILINE)
    assert sorted(open_ledger(root).samples["run_id"].unique()) == ["r1", "r3"]


def test_compact_takes_its_limits_from_a_policy(tmp_path: Path, run: Run) -> None:
    root = tmp_path / "ledger"
    write_ledger(root, seal=True)
    policy = tmp_path / "policy.yaml"
    policy.write_text("ledger:\n  retention:\n    max_age_days: 30\n", encoding="utf-8")

    assert run("compact", root, "--policy", policy)[0] == 0

    assert open_ledger(root).samples.empty


def test_what_is_wrong_is_one_line(tmp_path: Path, run: Run) -> None:
    for arguments in (
        ("info", tmp_path / "nothing"),
        ("compact", tmp_path / "nothing"),
        ("convert", tmp_path / "nothing", tmp_path / "x.jsonl"),
        ("compact", tmp_path, "--max-size", "plenty"),
        ("compact", tmp_path, "--max-entries", "-1"),
    ):
        code, out, err = run(*arguments)
        assert (code, out) == (2, "")
        assert err.startswith("memanalysis: error: ")
        assert err.count("\n") == 1
