"""A pool that replaces its workers after some tasks; nothing is kept."""

import multiprocessing
import sys
import time


def work(number):
    block = [str(number + place) for place in range(20_000)]
    time.sleep(0.05)
    return len(block)


def main():
    until = time.monotonic() + float(sys.argv[1])
    with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=120) as pool:
        while time.monotonic() < until:
            pool.map(work, range(20), chunksize=1)


if __name__ == "__main__":
    main()
