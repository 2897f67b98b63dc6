"""Describe a chain of holders for people: by variable, attribute and type, with the names that notebooks use."""

import gc
import re
import sys
from collections.abc import Sequence
from inspect import CO_OPTIMIZED
from types import CellType, FrameType, FunctionType, TracebackType
from typing import Any

from memanalysis.capture.objects import name_type

__all__ = ["describe_chain", "list_running_locals"]

ARROW = " -> "

_READ_CLASS_NAMES = type.__dict__["__dict__"].__get__
_HISTORY = re.compile(r"__main__\.(?:Out|_oh)")
_SHOWN = re.compile(r"__main__\.(_{1,3}|_\d+|_i{1,3})")
_TOO_MANY = 100_000


def describe_chain(root: str | None, chain: Sequence[Any]) -> str:
    """Describe a chain from its root to the object.

    Parameters
    ----------
    root : str or None
        Name of the variable that holds the first; None where the chain does not begin at one.
    chain : sequence
        Each object holds the next.

    Returns
    -------
    str
        Such as ``app.registry -> dict -> list -> app.Session``.
    """
    parts = ["..." if root is None else _name_root(root)]
    start = 0
    if root is not None and _HISTORY.fullmatch(root) and len(chain) > 1 and isinstance(chain[0], dict):
        key = _find_key(chain[0], chain[1])
        parts, start = [f"Out[{key}]"], 1
    for place in range(start, len(chain) - 1):
        past_names = place + 2 < len(chain) and _has_names(chain[place], chain[place + 1])
        held = chain[place + 2] if past_names else chain[place + 1]
        parts.append(_name_link(chain[place], held, None if place == 0 else chain[place - 1]))
    parts.append(name_type(type(chain[-1])))
    return ARROW.join(part for part in parts if part)


def list_running_locals(*, skip: str) -> dict[int, str]:
    """Name each object that a variable of a running function holds, by its id; not in modules named ``skip…``."""
    found: dict[int, str] = {}
    for start in sys._current_frames().values():
        frame: FrameType | None = start
        while frame is not None:
            module = str(frame.f_globals.get("__name__"))
            if frame.f_code.co_flags & CO_OPTIMIZED and not module.startswith(skip):
                where = f"{module}.{frame.f_code.co_qualname}"
                for name, value in _read_locals(frame).items():
                    found.setdefault(id(value), f"{name} in running {where}()")
            frame = frame.f_back
        del start  # one of them is this very frame
    return found


def _read_locals(frame: FrameType) -> dict[str, Any]:
    """Return the variables of a running function, and leave nothing behind in its frame."""
    names = frame.f_locals
    copied = dict(names)
    if type(names) is dict and frame.f_trace is None:  # before 3.13 a copy that stays, and would keep them alive
        names.clear()
    return copied


def _name_root(root: str) -> str:
    shown = _SHOWN.fullmatch(root)
    return shown[1] if shown else root


def _name_link(holder: Any, held: Any, above: Any) -> str:
    """Describe one holder: its type, and the attribute by which it holds the next where that has a name."""
    if isinstance(holder, FrameType):
        return f"frame of {holder.f_code.co_qualname}()"
    if isinstance(holder, TracebackType):
        return "traceback"
    if isinstance(holder, FunctionType):
        return f"function {holder.__module__}.{holder.__qualname__}"
    if isinstance(holder, CellType):
        return "closure"
    if type(holder) is tuple and isinstance(above, FunctionType):
        return ""  # the closure's own frame of cells
    if type(holder) is dict and above is not None and _has_names(above, holder):
        return ""  # the attributes of an object: its own link names the attribute
    kind = name_type(type(holder))
    attribute = _find_attribute(holder, held)
    return kind if attribute is None else f"{kind}.{attribute}"


def _has_names(owner: Any, names: dict[Any, Any]) -> bool:
    return _read_names(owner) is names


def _find_attribute(holder: Any, held: Any) -> str | None:
    """Name of the attribute through which an object, or a class, holds another, directly or in its own dict."""
    names = _read_names(holder)
    if names is None:
        return None
    if held is names:
        return None
    key = _find_key(names, held)
    return key if isinstance(key, str) else None


def _read_names(owner: Any) -> dict[Any, Any] | None:
    """Attributes of an object, without asking its class."""
    if issubclass(type(owner), type):
        inner = gc.get_referents(_READ_CLASS_NAMES(owner))  # past its read-only view
        return inner[0] if len(inner) == 1 and type(inner[0]) is dict else None
    try:
        names = object.__getattribute__(owner, "__dict__")
    except AttributeError:
        return None
    return names if type(names) is dict else None


def _find_key(names: dict[Any, Any], held: Any) -> Any:
    if len(names) > _TOO_MANY:
        return None
    return next((key for key, value in list(names.items()) if value is held), None)
