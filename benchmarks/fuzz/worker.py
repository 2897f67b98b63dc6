"""Run some cases and describe each in a line of JSON: in a process of its own, which a crash may end.

``python -m benchmarks.fuzz.worker SEED KIND BEGIN END``
"""

import json
import resource
import sys

from benchmarks.fuzz.judge import Fault, find_faults

__all__ = ["main"]

MAX_GROWTH = 512 * 1024**2
"""Bytes by which the peak of the process may rise in one case: the ledgers of the cases are some 100 KB."""


def main() -> None:
    """Run the cases that the command line names."""
    seed, kind, begin, end = sys.argv[1:]
    for number in range(int(begin), int(end)):
        print(json.dumps({"begun": number}), flush=True)
        before = _read_peak_bytes()
        faults = find_faults(kind, number, seed=int(seed))
        grown = _read_peak_bytes() - before
        if grown > MAX_GROWTH and before > MAX_GROWTH // 2:  # the first case loads the libraries
            faults.append(Fault(kind, number, "", "all", f"takes {grown / 1024**2:,.0f} MiB of memory"))
        print(json.dumps({"done": number, "faults": [str(fault) for fault in faults]}), flush=True)


def _read_peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
