"""Policies and files of known leaks, with values, tokens and bytes that are not theirs."""

import os
import random
import re
from functools import cache
from pathlib import Path

from benchmarks.fuzz.case import Case, damage_bytes

__all__ = ["make_policy_case"]

KNOWN_LEAKS = """\
known_leaks:
  - fingerprint: leak-1a2b3c4d5e6f
    reason: "session registry, fixed in 2.4 (#123)"
    expires: 2027-01-31
    service: api
"""

TOKENS = (
    "!!int", "!!int ''", "!!int +", "!!float", "!!float _", "!!float .", "!!bool", "!!bool x", "!!null", "!!null x",
    "!!str", "!!timestamp", "!!timestamp x", "!!binary", "!!binary =", "!!set {a}", "!!omap [a: 1]", "!!pairs [a: 1]",
    "!!value =", "!!merge <<", "!!map", "!!seq", "!", "!x", "!<x>", "!!python/name:os.system", "&a", "*a", "&a [*a]",
    "<<: *a", "<<: {a: 1}", "<<: [1]", "? [a]", "? {a: 1}", "? ", "- ", ": ", "|", ">", ">-2", "|9", "'", '"',
    '"\\x"', '"\\uD800"', '"\\U00110000"', "\t", "\u0085", "\u2028", "\ufeff", "%YAML 9.9", "%TAG ! x", "---", "...",
    "--- a\n--- b", "#", "{", "}", "[", "]", ",", "{{", "[" * 60, "{a: " * 60, "- " * 60, "[" * 3_000, "~", "null",
    "NULL", "yes", "off", ".inf", "-.inf", ".nan", "1e999", "-1e999", "0x", "0x7f", "0b1", "0o17", "010", "1_000",
    "_1", "1:30", "190:20:30", "9" * 400, "9" * 5_000, "1e-400", "-0", "2025-02-30", "2001-12-14t21:59:43.10-05:00",
    "=", "a: 1", "a: b: c", "100MB", "1e9 GB", "1.5 GiB", "80% of limit", "0% of limit",
    "999% of limit", "80%of limit", "-5", "0", "''", "x" * 3_000,
)  # fmt: skip


@cache
def _read_default() -> str:
    from memanalysis.policy.loader import DEFAULT_CONFIG_PATH

    path = Path(__file__).parents[2] / DEFAULT_CONFIG_PATH
    return re.sub(r" *#.*", "", path.read_text(encoding="utf-8"))


def make_policy_case(number: int, rng: random.Random) -> Case:
    """Damage a policy, or a file of known leaks."""
    is_policy = rng.random() < 0.8
    text = _read_default() if is_policy else KNOWN_LEAKS
    case = Case("policies", number, "policy", "", target="policy.yaml" if is_policy else "known_leaks.yaml")
    case.may_refuse = True
    if rng.random() < 0.03:
        name = rng.choice(["a FIFO", "a folder", "a link to itself", "a link to a device"])
        case.damage = name
        case.place = [lambda folder: _make_entry(name, folder / case.target)]
        return case
    if rng.random() < 0.15:
        content, case.damage = damage_bytes(text.encode(), rng)
        case.files = {case.target: content}
        return case
    lines = text.splitlines()
    done = []
    for _ in range(rng.choice([1, 1, 1, 2, 4, 30])):
        at = rng.randrange(len(lines))
        token = rng.choice(TOKENS)
        lines[at], way = _put_token(lines[at], token, rng)
        done.append(f"line {at + 1} {way} {token[:20]!r}")
    if rng.random() < 0.05:
        del lines[rng.randrange(len(lines)) :]
    case.damage = ", ".join(done)
    ends = rng.choice(["\n", "\n", "\n", "\r\n", "\r"])
    case.files = {case.target: ends.join(lines).encode("utf-8", "replace") + ends.encode()}
    return case


def _put_token(line: str, token: str, rng: random.Random) -> tuple[str, str]:
    indent = line[: len(line) - len(line.lstrip())]
    key, colon, value = line.partition(":")
    way = rng.choice(["value", "value", "value", "before", "key", "line", "twice", "append", "indent"])
    if way == "value":
        return f"{key}{colon or ':'} {token}", "has the value"
    if way == "before":
        return f"{key}{colon} {token} {value.strip()}", "has before its value"
    if way == "key":
        return f"{indent}{token}{colon}{value}", "has the key"
    if way == "line":
        return f"{line}\n{indent}{token}", "is followed by"
    if way == "twice":
        return f"{line}\n{line}", "stands twice, not"
    if way == "append":
        return line + token, "ends in"
    return " " * rng.randrange(12) + line.lstrip(), "is indented, without"


def _make_entry(name: str, at: Path) -> None:
    if name == "a FIFO":
        os.mkfifo(at)
    elif name == "a folder":
        at.mkdir()
    elif name == "a link to itself":
        at.symlink_to(at)
    else:
        at.symlink_to("/dev/zero")
