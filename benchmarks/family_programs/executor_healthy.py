"""An executor of spawned processes; nothing is kept."""

import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor


def work(number):
    block = [str(number + place) for place in range(20_000)]
    time.sleep(0.03)
    return len(block)


def main():
    until = time.monotonic() + float(sys.argv[1])
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        while time.monotonic() < until:
            list(executor.map(work, range(10)))


if __name__ == "__main__":
    main()
