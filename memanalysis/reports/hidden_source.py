"""Hide where code lies: verdicts, sites and events with the names of files alone, for a report that others read."""

from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import pandas as pd

from memanalysis.verdicts.run_ends import rewrite_sentences

__all__ = ["hide_folders", "hide_in_tables"]

_OF_VERDICTS = ("responsible_file", "allocated_file")
_OF_SITES = ("file", "user_file")


def hide_folders(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return verdicts whose files have no folders, in their sentences neither."""
    named = verdicts.assign(**{name: verdicts[name].map(_cut_folder) for name in _OF_VERDICTS})
    return rewrite_sentences(named, verdicts["responsible_file"].notna())


def hide_in_tables(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return tables of a run without folders of files: in ``sites`` by column, in ``events`` where they are named."""
    sites, events = tables["sites"], tables["events"]
    files = {file for name in _OF_SITES for file in sites[name].dropna().unique()}
    longest_first = sorted(files, key=len, reverse=True)
    return {
        **tables,
        "sites": sites.assign(**{name: sites[name].map(_cut_folder) for name in _OF_SITES}),
        "events": events.assign(message=events["message"].map(lambda text: _cut_folders(text, longest_first))),
    }


def _cut_folder(file: Any) -> Any:
    if not isinstance(file, str):
        return None
    return (PureWindowsPath(file) if "\\" in file else PurePosixPath(file)).name or file


def _cut_folders(text: Any, files: list[str]) -> Any:
    if not isinstance(text, str):
        return None
    for file in files:
        text = text.replace(file, str(_cut_folder(file)))
    return text
