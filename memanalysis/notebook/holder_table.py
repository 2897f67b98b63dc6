"""Who keeps a variable, or the objects of a type, alive: what ``%memwatch holders`` shows."""

import gc
import time
from difflib import get_close_matches
from types import CellType, FrameType
from typing import Any

from memanalysis._tables import Column, Table
from memanalysis.capture.holders import find_holders, find_object_holders
from memanalysis.capture.objects import name_type
from memanalysis.capture.variable_sizes import VariableSize, measure_variables
from memanalysis.errors import InvalidArgumentError
from memanalysis.notebook.shown_table import ShownTable
from memanalysis.notebook.variable_table import list_variables
from memanalysis.units import format_bytes

__all__ = ["show_holders"]

MAX_S = 1.0
"""Seconds that the search may take, about."""

MIN_S = 0.2
"""Seconds for each holder at least: a chain has a few levels, of some 50 ms a million objects each."""

MAX_HOLDERS = 20
"""Holders that are listed."""

MAX_SAMPLE = 50
"""Objects that are followed, of a type that the collector does not track."""

CHUNK = 10_000
"""Objects whose referents are listed together."""

MAX_KEYS = 100_000
"""Entries of a container among which the one that holds is searched for."""


def show_holders(shell: Any, wanted: str) -> ShownTable:
    """Return who keeps a variable alive, or the objects of a type where no variable has the name.

    Raises
    ------
    InvalidArgumentError
        Neither a variable nor a type of a living object has the name.
    """
    if wanted in shell.user_ns:
        return _show_holders_of_name(shell, wanted)
    return _show_holders_of_type(shell, wanted)


def _show_holders_of_name(shell: Any, name: str) -> ShownTable:
    variables = list_variables(shell)
    sizes = {row.name: row for row in measure_variables(variables, max_s=MAX_S / 2, stop_at=(shell.user_ns,)).rows}
    del variables
    value = [shell.user_ns[name]]  # in a list, which is left out below
    names = _find_names(shell, value[0])
    chains = [text for text in _find_containers(shell, value) if not text.startswith(f"__main__.{name} -> ")]
    row = sizes.get(name)
    shared = [] if row is None else [entry for entry in row.shared_with if entry[0] not in (*names, "Out")]
    rows = [
        *([text, "the name itself" if text == name else "the same object"] for text in names),
        *([text, "holds it"] for text in chains),
        *([other, f"keeps {format_bytes(size)} of it alive"] for other, size in shared),
    ]
    size = "" if row is None or row.size_bytes is None else f" ({format_bytes(row.size_bytes)})"
    count = len(names) + len(chains)
    held = "by this name alone" if count == 1 else f"by {count} names and objects"
    more = f"; {len(shared)} {'variable keeps' if len(shared) == 1 else 'variables keep'} parts of it alive"
    return ShownTable(
        headline=f"{name}{size} is held {held}{more if shared else ''}.",
        table=Table([Column("holder", "source"), Column("how")], rows[:MAX_HOLDERS], label=f"Holders of {name}"),
        notes=_describe_cure(name, names, is_alone=count == 1, row=row),
    )


def _describe_cure(name: str, names: list[str], *, is_alone: bool, row: VariableSize | None) -> list[str]:
    """Return what to do to free it, as far as that is known."""
    if is_alone and row is not None and row.size_bytes is not None:
        return [f"del {name} frees {format_bytes(max(row.size_bytes - row.shared_bytes, 0))}."]
    outputs = [text[4:-1] for text in names if text.startswith("Out[")]
    cure = f" %memwatch release {' '.join(outputs)} lets go of what IPython shows." if outputs else ""
    return [] if is_alone else [f"It is freed when all of them let go.{cure}"]


def _find_names(shell: Any, value: object) -> list[str]:
    """Names of the notebook that are the object; those that IPython gave to a shown result are one, ``Out[3]``."""
    outputs = [f"Out[{count}]" for count, shown in list(shell.user_ns.get("_oh", {}).items()) if shown is value]
    names = [name for name, held in list(shell.user_ns.items()) if held is value and not name.startswith("_")]
    own = [name for name, held in list(shell.user_ns.items()) if held is value and name.startswith("_")]
    return [*names, *outputs, *(own if not outputs else [])]


def _find_containers(shell: Any, value: list[Any]) -> list[str]:
    """Describe what holds the object beside names, each by the chain that keeps it alive in turn."""
    deadline = time.monotonic() + MAX_S
    namespaces = {
        id(shell.user_ns),
        id(shell.user_ns_hidden),
        id(shell.user_ns.get("_oh")),
        id(value),
        id(vars(shell.displayhook)),
    }
    holders = [
        holder
        for holder in gc.get_referrers(value[0])
        if id(holder) not in namespaces and not isinstance(holder, FrameType) and not _is_of_ipython(holder)
    ][:MAX_HOLDERS]
    found: list[str] = []
    while holders:
        holder = [holders.pop(0)]
        link = _describe_link(holder[0], value[0])
        left_s = max(deadline - time.monotonic(), MIN_S)
        try:
            chain = find_object_holders(holder, seconds=left_s)[0].text
        finally:
            holder.clear()
        found.append(f"{chain}{link}")
    return list(dict.fromkeys(found))


def _is_of_ipython(holder: object) -> bool:
    """Whether it is an object of IPython's own: what that holds of a shown result is released with ``Out``."""
    return name_type(type(holder)).startswith(("IPython.", "ipykernel."))


def _describe_link(holder: Any, held: object) -> str:
    if type(holder) is dict:
        key = next((key for key, value in list(holder.items())[:MAX_KEYS] if value is held), None)
        return f"[{key!r}]" if isinstance(key, str | int) else ""
    if type(holder) in (list, tuple):
        place = next((place for place, value in enumerate(holder[:MAX_KEYS]) if value is held), None)
        return "" if place is None else f"[{place}]"
    if isinstance(holder, CellType):
        return " of a closure"
    try:
        names = object.__getattribute__(holder, "__dict__")
    except AttributeError:
        return ""
    name = next((name for name, value in list(names.items()) if value is held), None) if type(names) is dict else None
    return "" if name is None else f".{name}"


def _show_holders_of_type(shell: Any, wanted: str) -> ShownTable:
    kinds = {name_type(kind): kind for kind in _list_types(shell)}
    matching = [name for name in kinds if wanted in (name, name.rpartition(".")[2])]
    if not matching:
        known = [*list_variables(shell), *kinds, *(name.rpartition(".")[2] for name in kinds)]
        near = get_close_matches(wanted, known, n=1)
        raise InvalidArgumentError(
            f"%memwatch holders needs a variable or the type of living objects, but {wanted!r} is neither"
            + (f": did you mean {near[0]}?" if near else ". %memwatch vars lists the variables.")
        )
    rows = []
    for name in matching[:3]:
        chains = find_holders(name, seconds=MAX_S) or _find_untracked(kinds[name])
        rows += [[f"{chain.share:.0%}", chain.text] for chain in chains[:MAX_HOLDERS]]
    return ShownTable(
        headline=f"Who keeps objects of {', '.join(matching[:3])} alive, of a sample of them.",
        table=Table([Column("share", "number"), Column("held by", "source")], rows, label=f"Holders of {wanted}"),
    )


def _list_types(shell: Any) -> set[type]:
    kinds = set(map(type, gc.get_objects()))
    return kinds | {type(value) for value in list_variables(shell).values()}


def _find_untracked(kind: type) -> list[Any]:
    """Follow objects that the collector does not track, such as arrays: they are found through what refers to them."""
    deadline = time.monotonic() + MAX_S
    objects, found = gc.get_objects(), dict[int, Any]()
    for first in range(0, len(objects), CHUNK):
        if len(found) >= MAX_SAMPLE or time.monotonic() > deadline:
            break
        for item in gc.get_referents(*objects[first : first + CHUNK]):
            if type(item) is kind:
                found[id(item)] = item
    objects.clear()
    chosen = list(found.values())[:MAX_SAMPLE]
    found.clear()
    return find_object_holders(chosen, seconds=MAX_S)
