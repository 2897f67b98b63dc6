"""Find the hooks that the program has registered to run at a fork. Python has no call that lists them.

It keeps them in three lists, which the garbage collector knows. Each begins or goes on with a hook of ours that does
nothing, and so is found as the list that refers to it. That is searched for once, at the first wish to fork; a program
that froze its objects before (``gc.freeze``) keeps the lists out of sight, and is then taken to have hooks.

Hooks of the standard library and of memanalysis do not count.
"""

import os
import sys
from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any

from memanalysis.capture.referrers import find_referrers

__all__ = ["find_fork_hooks"]

OWN_PACKAGE = __name__.partition(".")[0]

_HOLDERS = ("random", "logging", "threading", "concurrent.futures.thread", "asyncio.events")
"""Modules of the standard library that register hooks; some register methods of an object they hold."""


def _before() -> None: ...


def _after_in_parent() -> None: ...


def _after_in_child() -> None: ...


_MARKERS = (_before, _after_in_parent, _after_in_child)
_lists: list[list[Callable[[], Any]]] = []

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)


def find_fork_hooks() -> str | None:
    """Return whose hooks for forks the program has, or that it is not known; None where it has none."""
    if not _lists:
        _lists.extend(_find_lists())
    if len(_lists) != len(_MARKERS):
        _lists.clear()
        return "it is not known whether the program has hooks for forks"
    owners = sorted({_find_owner(hook) for hooks in _lists for hook in hooks if not _is_known(hook)})
    return f"the program has hooks for forks (of {', '.join(owners)})" if owners else None


def _find_lists() -> list[list[Callable[[], Any]]]:
    found = [holder for holder in find_referrers(_MARKERS) if type(holder) is list and all(map(callable, holder))]
    return [holder for holder in found if sum(hook in _MARKERS for hook in holder) == 1]


def _is_known(hook: Any) -> bool:
    if isinstance(hook, partial):
        hook = hook.func
        if getattr(hook, "__name__", None) == "Py_AddPendingCall":  # the recorder's: see watcher.tick_loop
            return True
    package = _find_owner(hook).partition(".")[0]
    if package == OWN_PACKAGE or (isinstance(hook, FunctionType) and package in sys.stdlib_module_names):
        return True
    owner = getattr(hook, "__self__", None)
    modules = [sys.modules[name] for name in _HOLDERS if name in sys.modules]
    return owner is not None and any(value is owner for module in modules for value in vars(module).values())


def _find_owner(hook: Any) -> str:
    """Return the name of the module that a hook comes from, as far as it is known."""
    owner = getattr(hook, "__module__", None) or type(getattr(hook, "__self__", hook)).__module__
    return str(owner)
