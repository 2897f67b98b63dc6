"""Run in the environment of one release: repeat a call under `find_leak`, and print what was found as one line of JSON.

``python -m memanalysis.sweep.called_release module:function SECONDS``
"""

import json
import os
import sys
from importlib import import_module

from memanalysis.capture.wrapper_frames import make_portable
from memanalysis.leaktest.find_leak import find_leak

__all__ = ["main"]


def main(target: str, max_s: str) -> None:
    """Find out whether the call leaks; what it prints itself goes to standard error."""
    with os.fdopen(os.dup(1), "w") as answer:
        os.dup2(2, 1)
        sys.path.insert(0, os.getcwd())  # noqa: PTH109 - a text, as the other entries are
        module, _, name = target.partition(":")
        finding = find_leak(getattr(import_module(module), name), max_s=float(max_s))
        place = f"{make_portable(finding.sites[0].file)}:{finding.sites[0].line}" if finding.sites else None
        chains = [*(row.text for row in finding.containers), *(chain.text for chain in finding.holders)]
        held_by = chains[0] if chains else None
        json.dump(
            {"is_leak": finding.is_leak, "sentence": finding.sentence, "place": place, "held_by": held_by}, answer
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
