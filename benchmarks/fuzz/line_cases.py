"""Files of JSON lines with lines that are none, values that no column takes, and other damage."""

import json
import random
from typing import Any

from benchmarks.fuzz.case import Case, damage_bytes, sound_files
from benchmarks.fuzz.odd_values import odd_value
from benchmarks.fuzz.sound import write_sound_ledger
from memanalysis.schema import TABLES

__all__ = ["damage_lines", "make_line_case"]

NO_ROWS = (
    b"[]\n", b"1\n", b'"text"\n', b"null\n", b"{\n", b"[" * 5_000 + b"\n", b'{"a":' * 5_000 + b"\n",
    b"\xff\xfe{\x00}\x00\n", b'{"seq": 1', b"\0" * 300 + b"\n", b'{"seq": ' + b"9" * 5_000 + b"}\n",
    b"\xef\xbb\xbf\n", b'{"service": "\xff"}\n',
)  # fmt: skip
"""Of these the empty line alone is no damage; it is not among them."""

ROWS = (
    b"{}\n", b" \n", b"\r\n", b'{"seq": 1, "seq": 2}\n', b'{"rss_bytes": NaN}\n', b'{"elapsed_s": Infinity}\n',
    b'{"service": "\\ud800", "rss_bytes": 1}\n', b'{"unknown": {"deep": [[[]]]}}\n', b'{"elapsed_s": 1e999}\n',
)  # fmt: skip


def make_line_case(number: int, rng: random.Random) -> Case:
    """Damage one file of lines of a ledger that is a folder."""
    path = rng.choice(sorted(write_sound_ledger().of_victim(sealed=False)))
    files = sound_files(sealed=False, below="ledger")
    name = f"ledger/{path}"
    files[name], damage, is_lost = damage_lines(files[name], path.removeprefix("live/").partition("/")[0], rng)
    lost = path if is_lost else None
    return Case("lines", number, "folder", f"{path}: {damage}", files=files, target="ledger", lost=lost)


def damage_lines(content: bytes, table: str, rng: random.Random) -> tuple[bytes, str, bool]:
    """Damage lines; what was done, and whether a line can be none."""
    if rng.random() < 0.3:
        changed, damage = damage_bytes(content, rng)
        return changed, damage, False
    lines = content.splitlines(keepends=True)
    done: list[str] = []
    is_lost = False
    for _ in range(rng.choice([1, 1, 2, 5])):
        at = rng.randrange(len(lines))
        way = rng.randrange(8)
        if way == 0:
            lines.insert(at, rng.choice(NO_ROWS))
            is_lost = True
            done.append("a line that is no row")
        elif way == 1:
            lines.insert(at, rng.choice(ROWS))
            done.append("an odd row")
        else:
            lines[at], column = _change_value(lines[at], table, rng)
            done.append(f"odd {column}")
    return b"".join(lines), ", ".join(done), is_lost


def _change_value(line: bytes, table: str, rng: random.Random) -> tuple[bytes, str]:
    try:
        row: dict[str, Any] = json.loads(line)
    except (ValueError, RecursionError):
        return line, "nothing"
    if not isinstance(row, dict):
        return line, "nothing"
    column = rng.choice([*TABLES[table], "schema_version", "unknown"])
    row[column] = odd_value(rng)
    return json.dumps(row).encode() + b"\n", column
