"""Judge the runs of a cell in a process of its own: the judgement needs numpy, and a notebook may not grow by it."""

import json
import sys

__all__ = ["judge_levels"]


def judge_levels(levels: list[int], *, minimum_bytes: float, tolerance_bytes: float) -> float | None:
    """Return the bytes that each run keeps, where the judgement of `find_leak` calls it a leak; else None.

    Parameters
    ----------
    levels : list of int
        Bytes after the first run, the second, and so on.
    minimum_bytes, tolerance_bytes : float
        As for `judge_calls`.
    """
    import numpy as np

    from memanalysis.leaktest.sequential_test import judge_calls

    runs = np.arange(1.0, len(levels) + 1)
    growth = judge_calls(runs, np.array(levels, dtype=float), min_per_call=minimum_bytes, tolerance=tolerance_bytes)
    return growth.bytes_per_call if growth.is_leak else None


def main() -> int:
    """Answer one question from standard input on standard output, as JSON."""
    asked = json.load(sys.stdin)
    rate = judge_levels(asked["levels"], minimum_bytes=asked["least"], tolerance_bytes=asked["tolerance"])
    sys.stdout.write(json.dumps(rate))
    return 0


if __name__ == "__main__":
    sys.exit(main())
