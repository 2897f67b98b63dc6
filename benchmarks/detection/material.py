"""The recorded series and the leaking packages that the verdict is scored on, where they are on this machine."""

import ast
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

__all__ = ["LeakCase", "find_material", "read_leak_cases", "read_recorded"]

PERCENT_OF = 10 * 2**30
"""Bytes that 100 % of a machine's memory, or 1 of a scaled series, stand for: only shapes count there."""


@dataclass(frozen=True, slots=True)
class LeakCase:
    """One run of one case: a leaky or fixed release, or a healthy program."""

    case: str
    variant: str
    is_leak: bool
    is_scored: bool
    kind: str
    guilty: tuple[str, ...]
    plain: pd.DataFrame
    traced: pd.DataFrame
    sites: pd.DataFrame


def find_material() -> Path | None:
    """Folder of ``data`` and ``leakbench``: named by MEMANALYSIS_MATERIAL, or ``shared`` beside the checkout."""
    named = os.environ.get("MEMANALYSIS_MATERIAL")
    folder = Path(named) if named else Path(__file__).parents[3] / "shared"
    return folder if (folder / "data").is_dir() else None


def read_recorded(folder: Path) -> pd.DataFrame:
    """All recorded series, with ``size_bytes`` beside what was recorded."""
    series = pd.concat([pd.read_parquet(path) for path in sorted((folder / "data").glob("*.parquet"))])
    scale = series["unit"].astype(object).map({"bytes": 1.0, "percent": PERCENT_OF / 100, "minmax": PERCENT_OF})
    return series.assign(size_bytes=series["bytes"] * scale.astype(float))


def read_leak_cases(folder: Path) -> list[LeakCase]:
    """All collected runs of the leaking packages."""
    documents: dict[tuple[str, str], dict[str, Any]] = {}
    for path in sorted((folder / "leakbench" / "series").glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        documents.setdefault((document["case"], document["variant"]), {})[document["mode"]] = document
    return [_read_case(folder, case, variant, modes) for (case, variant), modes in documents.items()]


def _read_case(folder: Path, case: str, variant: str, modes: dict[str, Any]) -> LeakCase:
    constants = _constants(folder / "leakbench" / "cases" / f"{case}.py")
    guilty = [constants.get("GUILTY"), constants.get("KEPT_BY")]
    either = next(iter(modes.values()))
    plain, traced = modes.get("plain", either), modes.get("traced", either)
    return LeakCase(
        case=case,
        variant=variant,
        is_leak=variant == "leaky",
        is_scored=not (variant == "fixed" and constants.get("FIXED_LABEL") == "residual"),
        kind=constants["KIND"],
        guilty=tuple(name for name in guilty if name),
        plain=_samples(plain, case),
        traced=_samples(traced, case),
        sites=_sites(traced, case),
    )


def _constants(path: Path) -> dict[str, Any]:
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:  # not a constant
                continue
    return found


def _samples(document: dict[str, Any], case: str) -> pd.DataFrame:
    rows = pd.DataFrame(document["samples"], columns=document["columns"])
    rows = rows.rename(columns={"step": "elapsed_s"})
    return rows.assign(service=case, run_id=case)


def _sites(document: dict[str, Any], case: str) -> pd.DataFrame:
    columns = ["file", "line", "function", "size_bytes", "live_allocations"]
    frames = [
        pd.DataFrame(taken["top"], columns=columns).assign(timestamp=pd.Timestamp(taken["step"], unit="s", tz="UTC"))
        for taken in document.get("sites", [])
    ]
    return (
        pd.concat(frames, ignore_index=True).assign(service=case, run_id=case, site_id="") if frames else pd.DataFrame()
    )
