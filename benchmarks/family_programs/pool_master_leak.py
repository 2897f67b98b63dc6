"""A pool whose master keeps all results."""

import multiprocessing
import sys
import time


def work(number):
    time.sleep(0.02)
    return f"{number:08d}" * 600


def main():
    until = time.monotonic() + float(sys.argv[1])
    results = []
    with multiprocessing.get_context("fork").Pool(2) as pool:
        while time.monotonic() < until:
            results.extend(pool.map(work, range(10)))


if __name__ == "__main__":
    main()
