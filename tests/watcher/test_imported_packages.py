"""The packages of a run are those that the program imported: by the name of the module, and by the files of others."""

import importlib.metadata
import re
import sys
from types import ModuleType

import pytest

from memanalysis import open_ledger, watch
from memanalysis.capture.sample import Clock
from memanalysis.watcher.imported_packages import Distribution, ImportedPackages, find_imported, list_installed
from memanalysis.watcher.overhead_budget import OverheadBudget


def plain(name):
    """Folder names write a dash as an underscore; the metadata does not."""
    return re.sub(r"[-_.]+", "_", name).lower()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder of packages with three distributions: two of other names than their packages, one without files."""
    for name, files in {
        "Painting-2.0": ["paint/__init__.py,sha256=x,1", "paint/brush.py,,"],
        "cloud_storage-1.1": ["cloud/storage/__init__.py,,", "cloud_storage-1.1.dist-info/RECORD,,"],
        "single-0.3": ["one_file.py,,"],
        "unlisted-1": None,
    }.items():
        folder = tmp_path / f"{name}.dist-info"
        folder.mkdir()
        if files is not None:
            (folder / "RECORD").write_text("\n".join(files))
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_what_is_installed_is_known_without_reading_metadata():
    installed = {plain(found.metadata["Name"]): found.version for found in importlib.metadata.distributions()}
    listed = {plain(name): found.version for name, found in list_installed().items()}

    assert {name: listed.get(name) for name in ("numpy", "pandas", "pytest", "pyyaml")} == {
        name: installed[name] for name in ("numpy", "pandas", "pytest", "pyyaml")
    }


def test_a_package_of_another_name_and_one_below_a_namespace_are_found_by_their_files(place, monkeypatch):
    assert not {"Painting", "cloud_storage", "single"} & find_imported(list_installed()).keys()

    for name in ("paint", "cloud", "cloud.storage", "one_file"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    found = find_imported(list_installed())

    assert {name: found.get(name) for name in ("Painting", "cloud_storage", "single", "unlisted")} == {
        "Painting": "2.0", "cloud_storage": "1.1", "single": "0.3", "unlisted": None
    }  # fmt: skip
    assert "pytest" in found


def test_a_namespace_alone_is_not_its_packages(place, monkeypatch):
    monkeypatch.setitem(sys.modules, "cloud", ModuleType("cloud"))

    assert "cloud_storage" not in find_imported(list_installed())


def test_no_file_is_read_where_a_program_starts(place, monkeypatch):
    monkeypatch.setitem(sys.modules, "paint", ModuleType("paint"))
    monkeypatch.setitem(sys.modules, "single", ModuleType("single"))

    found = find_imported({"Painting": Distribution("2.0", "/nowhere"), **list_installed()}, searches_files=False)

    assert "Painting" not in found
    assert found["single"] == "0.3"


def test_what_else_a_program_keeps_in_its_paths_and_modules_is_passed_over(place, monkeypatch):
    before = find_imported(list_installed())
    monkeypatch.setattr(sys, "path", [*sys.path, b"/srv", None, ["unhashable"], 3])
    monkeypatch.setitem(sys.modules, 7, ModuleType("seven"))

    assert find_imported(list_installed()) == before


def test_they_are_read_again_when_due_and_only_where_more_was_imported(place, monkeypatch):
    now, written = [0.0], []
    clock = Clock(monotonic=lambda: now[0], wall=lambda: now[0])
    packages = ImportedPackages({}, budget=OverheadBudget(1.0, clock=clock), clock=clock, write=written.append)

    packages.check()
    assert written == []
    now[0] = 30.0
    packages.check()
    packages.check()
    assert len(written) == 1
    now[0] = 60.0
    monkeypatch.setitem(sys.modules, "paint", ModuleType("paint"))
    packages.check()
    assert len(written) == 1  # not due
    packages.finish()
    packages.finish()

    assert [entry.get("Painting") for entry in written] == [None, "2.0"]


def test_a_run_has_what_was_imported_until_its_end(place, monkeypatch, tmp_path):
    recorder = watch("api", ledger=tmp_path / "ledger", interval=60, trace="off", max_overhead=1.0, seal=False)
    with recorder:
        before = open_ledger(tmp_path / "ledger").runs["packages"].iloc[0]
        monkeypatch.setitem(sys.modules, "single", ModuleType("single"))
    (after,) = open_ledger(tmp_path / "ledger").runs["packages"]

    assert "pytest" in before
    assert "single" not in before
    assert after["single"] == "0.3"
