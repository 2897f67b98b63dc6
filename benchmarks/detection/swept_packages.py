"""The releases that ``memanalysis sweep`` names, of leaks that shipped in released packages.

``python -m benchmarks sweep`` sweeps the leaky and the fixed release of each case of the material's ``leakbench/cases``
that this Python can install, in the order in which they came out. The call is the case's ``step()``.
``MEMANALYSIS_CASES`` names some cases, ``MEMANALYSIS_SECONDS`` another time for the calls of a release.
"""

import json
import os
import subprocess
import sys
import tempfile
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from benchmarks.detection.material import find_material
from benchmarks.detection.packages_run import Release, is_named, list_releases
from benchmarks.measure import print_table

__all__ = ["main"]

ROOT = Path(__file__).parents[2]
SECONDS = os.environ.get("MEMANALYSIS_SECONDS", "15")
SETUP = '\n\nif "setup" in globals():\n    setup()\n'
"""A sweep calls one function: what a case prepares, its module prepares."""


def main() -> None:
    """Sweep the packages, and print a row each and how many were named of those that installed."""
    folder = find_material()
    if folder is None or not (folder / "leakbench" / "cases").is_dir():
        print("There are no packages on this machine: MEMANALYSIS_MATERIAL names the folder that has them.\n")
        return
    rows: list[list[str]] = []
    for _, group in groupby(list_releases(folder / "leakbench" / "cases"), key=attrgetter("script")):
        releases = {release.variant: release for release in group}
        if releases.keys() == {"leaky", "fixed"} and releases["fixed"].is_scored:
            rows.append(sweep(releases["leaky"], releases["fixed"]))
            print(*rows[-1], sep=" | ", flush=True)  # all of them take a quarter of an hour
    installed = [row for row in rows if row[2] != "not installed"]
    print_table(f"Swept packages, {SECONDS} s a release", ["case", "kind", "named", "right line", "answer"], rows)
    named = sum(row[2] == "yes" for row in installed)
    print(f"The leaking release was named in {named} of {len(installed)} that install; {len(rows)} in all.\n")


def sweep(leaky: Release, fixed: Release) -> list[str]:
    """Sweep two releases of a package; what else they need is installed beside them."""
    (package, bad), (_, good) = (_split(release.requires[0]) for release in (leaky, fixed))
    more = [f"--with={requirement}" for requirement in leaky.requires[1:]]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for part in leaky.script.parent.glob("*.py"):  # some cases share a module
            (folder / part.name).write_bytes(part.read_bytes())
        with (folder / leaky.script.name).open("a", encoding="utf-8") as file:
            file.write(SETUP)
        command = [sys.executable, "-m", "memanalysis", "sweep", package, "--versions", f"{bad},{good}"]
        options = ["--call", f"{leaky.script.stem}:step", "--max-s", SECONDS, "--json", *more]
        done = subprocess.run(
            [*command, *options],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
    if not done.stdout:
        return [leaky.script.stem, leaky.kind, "no", "", done.stderr.strip()[-80:]]
    return [leaky.script.stem, leaky.kind, *_read_answer(json.loads(done.stdout), leaky, good, bad)]


def _read_answer(found: dict[str, Any], leaky: Release, good: str, bad: str) -> list[str]:
    """Return whether the release was named, whether its line is right, and the answer on both."""
    states = {release["version"]: release for release in found["releases"]}
    answers = ", ".join(f"{version} {states[version]['state']}" for version in (good, bad))
    failed = [release["text"] for release in states.values() if release["state"] == "failed"]
    if failed:
        return ["not installed", "", failed[0][-80:]]
    shown_of_line = f"{states[bad]['place']} {states[bad]['held_by']}"
    is_right = any(is_named(name, shown_of_line) for name in leaky.named)
    named = "yes" if found["first_leaking"] == bad and states[good]["state"] != "leaks" else "no"
    return [named, ("yes" if is_right else "no") if leaky.named else "", f"{answers}; {shown_of_line}"]


def _split(requirement: str) -> tuple[str, str]:
    name, _, version = requirement.partition("==")
    return name, version
