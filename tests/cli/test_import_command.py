"""``memanalysis import`` as it is typed."""

from pathlib import Path

import pytest

from memanalysis.cli import main


@pytest.mark.slow
def test_import_writes_and_lists_what_was_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    Path("m.dat").write_text("CMDLINE python shop.py\nMEM 1.0 1795970597.0\nFUNC f 1 2 3 4 1\nMEM 2.0 1795970598.0\n")

    assert main(["import", "m.dat", "ledger"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Wrote ledger: 2 samples of 1 runs of shop.",
        "Left out: m.dat: 1 FUNC lines, which are no measurements over time.",
    ]
    assert main(["import", "m.dat"]) == 2
    assert "Missing argument 'FILE...'" in capsys.readouterr().err
    assert main(["assess", "ledger"]) == 0
