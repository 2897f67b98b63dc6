"""A folder that becomes a ledger has its marker from the first moment on, whoever makes it beside others."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from memanalysis.ledger.marker import make_ledger_folder, parse_marker


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_who_waits_for_the_folder_finds_the_marker_in_it(tmp_path: Path) -> None:
    for number in range(30):
        root = tmp_path / str(number)
        maker = threading.Thread(target=make_ledger_folder, args=(root,))
        maker.start()
        found: list[str] | None = None
        while found is None and (maker.is_alive() or root.exists()):
            found = names_in(root) if root.exists() else None
        maker.join()

        assert found == ["ledger.json"]


def test_many_may_make_the_same_ledger_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for number in range(20):
            list(pool.map(make_ledger_folder, [tmp_path / "a" / str(number)] * 8))

    assert names_in(tmp_path / "a") == sorted(map(str, range(20)))
    for root in (tmp_path / "a").iterdir():
        assert names_in(root) == ["ledger.json"]
        assert parse_marker((root / "ledger.json").read_bytes(), name="it") == 1


def test_a_folder_with_files_of_others_becomes_a_ledger_and_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("kept")

    make_ledger_folder(tmp_path)

    assert names_in(tmp_path) == ["ledger.json", "notes.txt"]
    assert (tmp_path / "notes.txt").read_text() == "kept"


def test_a_file_in_its_place_is_left_and_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_text("kept")

    with pytest.raises(FileExistsError):
        make_ledger_folder(tmp_path / "ledger")

    assert names_in(tmp_path) == ["ledger"]
    assert (tmp_path / "ledger").read_text() == "kept"
