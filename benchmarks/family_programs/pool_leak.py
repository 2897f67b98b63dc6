"""A pool whose workers remember every task."""

import multiprocessing
import sys
import time

SEEN = {}


def work(number):
    SEEN[number] = [float(number + place) for place in range(150)]
    time.sleep(0.02)
    return len(SEEN)


def main():
    until = time.monotonic() + float(sys.argv[1])
    number = 0
    with multiprocessing.get_context("fork").Pool(2) as pool:
        while time.monotonic() < until:
            pool.map(work, range(number, number + 20))
            number += 20


if __name__ == "__main__":
    main()
