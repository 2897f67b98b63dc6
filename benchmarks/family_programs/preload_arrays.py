"""A server that loads arrays and freezes its objects, then forks workers; each worker only reads."""

import gc
import os
import random
import sys
import time
from array import array

TABLE = array("d", range(4_000_000))


def serve(until):
    chance = random.Random(os.getpid())
    total = 0.0
    while time.monotonic() < until:
        first = chance.randrange(len(TABLE) - 2_000)
        total += sum(TABLE[first : first + 2_000])
        time.sleep(0.05)
    os._exit(0)


def main():
    until = time.monotonic() + float(sys.argv[1])
    gc.freeze()
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            serve(until)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


main()
