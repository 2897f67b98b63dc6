"""Entries of a folder that are no files, or have names that no writer of ours gives."""

import os
import random
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from benchmarks.fuzz.case import Case, sound_files
from benchmarks.fuzz.sound import VICTIM

__all__ = ["OUTSIDE", "make_entry_case"]

OUTSIDE = "outside"
"""A folder beside the ledger to which links lead; nobody may change it."""

PLACES = (
    "samples/service_key=victim/{name}", "sites/service_key=victim/{name}", "runs/service_key=victim/{name}",
    "samples/service_key=victim/sub/{name}", "samples/{name}", "samples/service_key={name}",
    "live/samples/service_key={name}/x.jsonl", "live/samples/service_key=victim/{name}", "live/{name}",
    "sites/service_key={name}", "{name}", "ledger.json", "events",
    "events/service_key=victim", "objects/service_key=victim",
)  # fmt: skip
NAMES = (
    b"x.jsonl", b"x.parquet", b"x.tmp", b".x.parquet.abc.tmp", b"_x.jsonl", b".lock", b"_lock", b"x", b"%", b"%FF",
    b"~", b"a~00", b"\xff\xfe.jsonl", b"a\nb.jsonl", b"\x1b[31m.jsonl", b"x" * 240, b"x.2.jsonl",
    b"x.999999999999999999999.jsonl", b"x.-1.parquet", b"..jsonl", b" .jsonl", b"x.JSONL", b"victim", b"VICTIM",
)  # fmt: skip


def make_entry_case(number: int, rng: random.Random) -> Case:
    """Put entries that are no rows into a sound ledger, in place of what stands there."""
    places = []
    done = []
    may_refuse = False
    for _ in range(rng.choice([1, 1, 2, 3])):
        path = rng.choice(PLACES).encode().replace(b"{name}", rng.choice(NAMES))
        name, make = rng.choice(MAKERS)
        may_refuse |= path in {b"ledger.json", b"samples", b"sites"}
        places.append(_put(path, make))
        done.append(f"{name} as {os.fsdecode(path)!r}")
    case = Case("entries", number, "folder", ", ".join(done), place=[_make_outside, *places], target="ledger")
    case.files = sound_files(sealed=rng.random() < 0.5, below="ledger")
    case.may_refuse = may_refuse
    return case


def _make_outside(folder: Path) -> None:
    outside = folder / OUTSIDE / f"service_key={VICTIM}"
    outside.mkdir(parents=True)
    for name in ("old.jsonl", "old.parquet", ".old.parquet.abc.tmp"):
        (outside / name).write_bytes(b'{"seq": 1}\n')
        os.utime(outside / name, (0, 0))


def _put(path: bytes, make: Callable[[bytes, Path], None]) -> Callable[[Path], None]:
    def place(folder: Path) -> None:
        at = os.fsencode(folder / "ledger") + b"/" + path
        with suppress(OSError):  # an earlier entry is in the way, or the system takes no such name: then without it
            os.makedirs(os.path.dirname(at), exist_ok=True)  # noqa: PTH103, PTH120 - names may be no text
            if os.path.lexists(at):
                _remove(at)
            make(at, folder)

    return place


def _remove(at: bytes) -> None:
    if os.path.isdir(at) and not os.path.islink(at):  # noqa: PTH112, PTH114 - as above
        for folder, folders, names in os.walk(at, topdown=False):
            for name in (*names, *(name for name in folders if os.path.islink(os.path.join(folder, name)))):  # noqa: PTH114, PTH118
                os.unlink(os.path.join(folder, name))  # noqa: PTH108, PTH118
            os.rmdir(folder)  # noqa: PTH106
    else:
        os.unlink(at)  # noqa: PTH108


def _socket(at: bytes, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(at)


def _link(target: str) -> Callable[[bytes, Path], None]:
    return lambda at, folder: os.symlink(target.format(folder=folder), at)  # noqa: PTH211 - names may be no text


def _file(content: bytes, mode: int = 0o600) -> Callable[[bytes, Path], None]:
    def make(at: bytes, folder: Path) -> None:
        descriptor = os.open(at, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        os.write(descriptor, content)
        os.close(descriptor)

    return make


MAKERS: tuple[tuple[str, Callable[[bytes, Path], None]], ...] = (
    ("a FIFO", lambda at, folder: os.mkfifo(at)),
    ("a FIFO", lambda at, folder: os.mkfifo(at)),
    ("a folder", lambda at, folder: os.mkdir(at)),  # noqa: PTH102 - names may be no text
    ("a socket", _socket),
    ("a link to itself", lambda at, folder: os.symlink(at, at)),  # noqa: PTH211
    ("a link to its folder", _link(".")),
    ("a link above", _link("../..")),
    ("a link to nothing", _link("nothing")),
    ("a link to a folder outside", _link(f"{{folder}}/{OUTSIDE}")),
    ("a link to a service outside", _link(f"{{folder}}/{OUTSIDE}/service_key={VICTIM}")),
    ("a link to a file outside", _link(f"{{folder}}/{OUTSIDE}/service_key={VICTIM}/old.jsonl")),
    ("a link to a device", _link("/dev/zero")),
    ("an empty file", _file(b"")),
    ("a file that may not be read", _file(b'{"seq": 1}\n', 0)),
    ("a file of nothing", _file(b"\0" * 5_000)),
)
