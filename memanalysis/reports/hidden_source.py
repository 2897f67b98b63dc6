"""Hide code and where it lies: names of files alone, and cells without source, for a report that others read."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import pandas as pd

from memanalysis.analysis.leaks.library_files import is_library_file
from memanalysis.verdicts.run_ends import RunEnd, rewrite_sentences

__all__ = ["hide_folders", "hide_in_tables", "hide_message"]

_OF_VERDICTS = ("responsible_file", "allocated_file")
_OF_SITES = ("file", "user_file")

_CODE = ("source", "text")
"""Keys of the data of an event under which code of a notebook's cell stands."""

_FOLDERS = re.compile(r"""(?<![\w.:/\\])(?:[A-Za-z]:)?[/\\](?:[^\s/\\"'`<>|:;,()]+[/\\])+(?=[^\s/\\])""")
"""The folders of an absolute path in a text. A path with blanks is found only where a table has its file."""


def hide_folders(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return verdicts whose files have no folders, in their sentences neither."""
    named = verdicts.assign(**{name: verdicts[name].map(_cut_folder) for name in _OF_VERDICTS})
    return rewrite_sentences(named, verdicts["responsible_file"].notna())


def hide_message(end: RunEnd) -> RunEnd:
    """Return the end of a run without the text of its exception, which may quote code and name folders."""
    error = end.ending.get("exception")
    if not isinstance(error, Mapping):
        return end
    named = {name: value for name, value in error.items() if name != "message"}
    return replace(end, ending={**end.ending, "exception": named})


def hide_in_tables(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return tables of a run without folders of files, in messages and data neither, and without code of cells."""
    sites, events = tables["sites"], tables["events"]
    files = {file for name in _OF_SITES for file in sites[name].dropna().unique()}
    longest_first = sorted(files, key=len, reverse=True)
    messages = [
        _cut_folders(_cut_code(text, data), longest_first)
        for text, data in zip(events["message"], events["data"], strict=True)
    ]
    return {
        **tables,
        "sites": sites.assign(
            **{name: sites[name].map(_cut_folder) for name in _OF_SITES},
            traceback=sites["traceback"].map(_cut_traceback),
        ),
        "events": events.assign(
            message=pd.Series(messages, index=events.index, dtype=events["message"].dtype),
            data=pd.Series(
                [_hide_in_data(data, longest_first) for data in events["data"]], index=events.index, dtype=object
            ),
        ),
    }


def _cut_code(text: Any, data: Any) -> Any:
    """Return the message of an event without the line of code that its data has."""
    code = data.get("text") if isinstance(data, Mapping) else None
    is_code = isinstance(text, str) and isinstance(code, str) and code
    return text.replace(code, "").rstrip(": ") if is_code else text


def _hide_in_data(data: Any, files: list[str]) -> Any:
    """Return the data of an event, or a part of it, without code and folders."""
    if isinstance(data, str):
        return _cut_folders(data, files)
    if isinstance(data, Mapping):
        return {name: _hide_in_data(value, files) for name, value in data.items() if name not in _CODE}
    return [_hide_in_data(value, files) for value in data] if isinstance(data, list | tuple) else data


def _cut_folder(file: Any) -> Any:
    if not isinstance(file, str):
        return None
    return (PureWindowsPath(file) if "\\" in file else PurePosixPath(file)).name or file


def _cut_traceback(frames: Any) -> Any:
    """Return the frames of the user's own code, by names of files alone."""
    if not isinstance(frames, list):
        return None
    return [[_cut_folder(frame[0]), *frame[1:]] for frame in frames if not is_library_file(str(frame[0]))]


def _cut_folders(text: Any, files: list[str]) -> Any:
    if not isinstance(text, str):
        return None
    for file in files:
        text = text.replace(file, str(_cut_folder(file)))
    return _FOLDERS.sub("", text)
