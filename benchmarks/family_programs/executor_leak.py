"""An executor of spawned processes; each keeps bytes of every task."""

import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor

KEPT = []


def work(number):
    KEPT.append(bytearray(6_000 + number))
    time.sleep(0.02)
    return len(KEPT)


def main():
    until = time.monotonic() + float(sys.argv[1])
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        while time.monotonic() < until:
            list(executor.map(work, range(10)))


if __name__ == "__main__":
    main()
