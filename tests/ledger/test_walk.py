"""The walk finds regular files under real folders only, and names what it passes over."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from memanalysis.errors import LedgerFormatError
from memanalysis.ledger.files import Files, files_at
from memanalysis.ledger.walk import FoundFile, SkippedEntry, open_regular, walk_ledger

LINK = "a link, which is not followed"
SPECIAL = "a named pipe, socket or device, which is not opened"


@pytest.fixture(params=["", "local://"])
def odd(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Files]:
    """A ledger with one entry of each odd kind at each level, as local files and through fsspec."""
    root = tmp_path / "led"
    outside = tmp_path / "outside" / "samples" / "service_key=o"
    folder, live = root / "samples" / "service_key=a", root / "live" / "samples" / "service_key=a"
    for made in (folder, live, outside, folder / "folder.jsonl", folder / "notes", root / "objects"):
        made.mkdir(parents=True)
    for name in ("good.parquet", ".left.tmp", "README.txt", "misplaced.jsonl"):
        (folder / name).write_bytes(b"")
    for name in ("good.jsonl", "misplaced.parquet", ".left.parquet.tmp"):
        (live / name).write_bytes(b"")
    (root / "live" / "objects").symlink_to(outside)
    (live / "link.jsonl").symlink_to(outside / "secret.jsonl")
    (outside / "secret.jsonl").write_bytes(b"")
    (root / "ledger.json").symlink_to(outside / "secret.jsonl")
    (root / "events").symlink_to(outside.parent)
    os.mkfifo(root / "sites")
    (root / "runs").write_bytes(b"")
    (root / "samples" / "service_key=linked").symlink_to(outside)
    (root / "samples" / "service_key=loop").symlink_to(root / "samples")
    (root / "samples" / "service_key=file").write_bytes(b"")
    (folder / "link.jsonl").symlink_to(outside / "secret.jsonl")
    (folder / "dangling.jsonl").symlink_to(outside / "nothing")
    os.mkfifo(folder / "pipe.jsonl")
    with socket.socket(socket.AF_UNIX) as made_socket:
        here = Path.cwd()
        os.chdir(folder)  # a socket's path is short
        made_socket.bind("socket.parquet")
        os.chdir(here)
        yield files_at(f"{request.param}{root}")


def test_only_regular_files_under_real_folders_are_found(odd: Files) -> None:
    walk = walk_ledger(odd)

    assert [file.path for file in walk.files] == [
        "live/samples/service_key=a/good.jsonl",
        "samples/service_key=a/README.txt",
        "samples/service_key=a/good.parquet",
    ]
    assert walk.folders == [("samples", "service_key=a")]


def test_what_is_passed_over_is_named_with_its_reason(odd: Files) -> None:
    assert set(walk_ledger(odd).skipped) == {
        SkippedEntry("ledger.json", LINK),
        SkippedEntry("events", LINK),
        SkippedEntry("sites", SPECIAL),
        SkippedEntry("runs", "a file where a folder belongs"),
        SkippedEntry("samples/service_key=linked", LINK),
        SkippedEntry("samples/service_key=loop", LINK),
        SkippedEntry("samples/service_key=file", "a file where a folder belongs"),
        SkippedEntry("samples/service_key=a/link.jsonl", LINK),
        SkippedEntry("samples/service_key=a/dangling.jsonl", LINK),
        SkippedEntry("samples/service_key=a/pipe.jsonl", SPECIAL),
        SkippedEntry("samples/service_key=a/socket.parquet", SPECIAL),
        SkippedEntry("samples/service_key=a/folder.jsonl", "a folder where a file belongs"),
        SkippedEntry("samples/service_key=a/misplaced.jsonl", "JSON lines outside the folder live"),
        SkippedEntry("live/objects", LINK),
        SkippedEntry("live/samples/service_key=a/link.jsonl", LINK),
        SkippedEntry("live/samples/service_key=a/misplaced.parquet", "a sealed file in the folder live"),
    }


def test_hidden_files_are_found_on_request(odd: Files) -> None:
    found = walk_ledger(odd, hidden=True).files

    assert FoundFile("samples", "service_key=a", ".left.tmp") in found
    assert FoundFile("samples", "service_key=a", ".left.parquet.tmp", is_live=True) in found


def test_a_folder_that_is_not_wanted_is_not_listed(odd: Files) -> None:
    walk = walk_ledger(odd, tables=["samples"], is_wanted=lambda partition: partition != "service_key=a")

    assert walk.files == []
    assert "samples/service_key=a/pipe.jsonl" not in {entry.path for entry in walk.skipped}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list any folder")
def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "samples" / "service_key=a"
    closed.mkdir(parents=True)
    closed.chmod(0)
    try:
        (entry,) = walk_ledger(files_at(tmp_path)).skipped
    finally:
        closed.chmod(0o700)

    assert entry == SkippedEntry("samples/service_key=a", "a folder that cannot be listed: Permission denied")


@pytest.mark.parametrize("name", ["link.jsonl", "pipe.jsonl", "socket.parquet"])
def test_an_odd_entry_is_not_opened_even_if_it_took_the_place_of_a_file(odd: Files, name: str) -> None:
    path = Path(odd.root.removeprefix("local://"), "samples", "service_key=a", name)

    with pytest.raises(LedgerFormatError, match=f"{name} is a "):
        open_regular(path)


def test_a_device_is_not_opened() -> None:
    with pytest.raises(LedgerFormatError, match="/dev/zero is a named pipe, socket or device"):
        open_regular("/dev/zero")


def test_a_regular_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "x")

    with open_regular(tmp_path / "x") as stream:
        assert stream.read() == b"content"
    with open_regular(tmp_path / "link", follow=True) as stream:
        assert stream.read() == b"content"
