"""What one case is: files to be laid out, commands to be run, and what must hold afterwards."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from benchmarks.fuzz.sound import write_sound_ledger

__all__ = ["Case", "Subject", "damage_bytes", "lay_out"]

Subject = Literal["folder", "file", "policy"]
"""What is read: a ledger in a folder, a ledger of one file, or a policy."""


@dataclass(slots=True)
class Case:
    """One case, which is the same for the same seed and number."""

    kind: str
    number: int
    subject: Subject
    damage: str
    """What was done, for people."""
    files: dict[str, bytes] = field(default_factory=dict)
    place: list[Callable[[Path], None]] = field(default_factory=list)
    """More to be laid out beside the files, each called with the folder."""
    target: str = ""
    """What the commands are given, below the folder."""
    lost: str | None = None
    """A file of the ledger that cannot be read whole, so that it must be named among what was passed over."""
    may_refuse: bool = False
    """Whether a documented error is a right answer."""


def lay_out(case: Case, folder: Path) -> Path:
    """Write the case below a folder; the path that the commands are given."""
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for place in case.place:
        place(folder)
    return folder / case.target


def sound_files(*, sealed: bool, below: str) -> dict[str, bytes]:
    """Files of the whole sound ledger, below a folder of that name."""
    ledger = write_sound_ledger()
    return {f"{below}/{path}": content for path, content in (ledger.sealed if sealed else ledger.live).items()}


def damage_bytes(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Damage bytes as disks and transfers do; what was done."""
    size = len(content)
    at = rng.randrange(size + 1)
    if rng.random() < 0.4:  # the end is where formats keep what matters
        at = max(0, size - 1 - int(rng.expovariate(1 / 200)))
    length = min(1 + int(rng.expovariate(1 / 50)), size)
    what = rng.choice(["flip", "flip", "flip", "cut", "zero", "insert", "remove", "repeat", "noise", "empty"])
    if what == "flip":
        changed = bytearray(content)
        for _ in range(rng.choice([1, 1, 2, 8])):
            place = min(max(0, at + rng.randrange(-20, 20)), size - 1)
            changed[place] ^= 1 << rng.randrange(8)
        return bytes(changed), f"bits flipped near {at}"
    ways = {
        "cut": content[:at],
        "zero": content[:at] + bytes(min(length, size - at)) + content[at + length :],
        "insert": content[:at] + rng.randbytes(length) + content[at:],
        "remove": content[:at] + content[at + length :],
        "repeat": content[: at + length] + content[at:],
        "noise": rng.randbytes(length),
        "empty": b"",
    }
    return ways[what], f"{what} {length} at {at}"
