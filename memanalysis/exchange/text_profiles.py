"""Write the heap of a run as text: folded stacks for flame graph tools, and JSON for https://www.speedscope.app.

Both draw areas, which are never negative: what grew leaves out the stacks that shrank.
"""

import json
from collections.abc import Iterator
from typing import Any

from memanalysis._text import make_printable
from memanalysis._version import __version__
from memanalysis.exchange.heap_profile import CallStack, Frame, HeapProfile
from memanalysis.exchange.sample_values import Shown, choose_size

__all__ = ["list_sizes", "render_folded", "render_speedscope"]

SPEEDSCOPE_SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def list_sizes(profile: HeapProfile, shown: Shown) -> Iterator[tuple[CallStack, int]]:
    """Yield the stacks that hold memory, or that grew, with their bytes; the most live bytes first."""
    size = choose_size(shown)
    for use in profile.uses:
        if (size_bytes := size.read(use)) > 0:
            yield use.frames, size_bytes


def render_folded(profile: HeapProfile, *, shown: Shown = "live") -> bytes:
    """Return a line a stack: its frames from the outermost on, parted by semicolons, and then its bytes.

    Examples
    --------
    >>> from memanalysis import open_ledger
    >>> from memanalysis.exchange.heap_profile import read_heap_profile
    >>> content = render_folded(read_heap_profile(open_ledger("sample_ledgers/leaking_service")))
    >>> content.decode().splitlines()[0].rpartition(";")[2]
    'Shop._log_in (memanalysis/examples/leaky_service.py:58) 46765746'
    """
    sums: dict[str, int] = {}
    for frames, size_bytes in list_sizes(profile, shown):
        text = ";".join(map(_fold, frames))
        sums[text] = sums.get(text, 0) + size_bytes
    return "".join(f"{text} {size_bytes}\n" for text, size_bytes in sums.items()).encode()


def render_speedscope(profile: HeapProfile, *, shown: Shown = "live") -> bytes:
    """Return JSON with a profile of what is live and, where there are two snapshots, one of what grew.

    Examples
    --------
    >>> from memanalysis import open_ledger
    >>> from memanalysis.exchange.heap_profile import read_heap_profile
    >>> content = render_speedscope(read_heap_profile(open_ledger("sample_ledgers/leaking_service")))
    >>> [made["name"] for made in json.loads(content)["profiles"]]
    ['leaky_service: live', 'leaky_service: grew']
    """
    frames: dict[Frame, int] = {}
    kinds: list[Shown] = ["live", "grew"] if profile.has_growth else ["live"]
    profiles = [_speedscope_profile(profile, kind, frames) for kind in kinds]
    made = {
        "$schema": SPEEDSCOPE_SCHEMA,
        "exporter": f"memanalysis {__version__}",
        "name": f"{profile.service}, run {profile.run_id}",
        "activeProfileIndex": kinds.index(shown),
        "shared": {"frames": [_speedscope_frame(frame) for frame in frames]},
        "profiles": profiles,
    }
    return json.dumps(made, ensure_ascii=True, separators=(",", ":")).encode()


def _speedscope_profile(profile: HeapProfile, shown: Shown, frames: dict[Frame, int]) -> dict[str, Any]:
    sizes = list(list_sizes(profile, shown))
    return {
        "type": "sampled",
        "name": f"{profile.service}: {shown}",
        "unit": "bytes",
        "startValue": 0,
        "endValue": sum(size_bytes for _, size_bytes in sizes),
        "samples": [[frames.setdefault(frame, len(frames)) for frame in stack] for stack, _ in sizes],
        "weights": [size_bytes for _, size_bytes in sizes],
    }


def _speedscope_frame(frame: Frame) -> dict[str, Any]:
    return {"name": frame.name, "file": frame.file, **({"line": frame.line} if frame.line else {})}


def _fold(frame: Frame) -> str:
    """Name a frame without what parts frames and lines."""
    place = f"{frame.file}:{frame.line}" if frame.line else frame.file
    text = f"{frame.function} ({place})" if frame.function else place
    return make_printable(text).replace(";", ":")
