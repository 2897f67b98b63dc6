"""A server that loads its data, then forks workers; each worker keeps what it was asked."""

import os
import random
import sys
import time
from array import array

TABLE = array("d", range(200_000))
ASKED = []


def serve(until):
    chance = random.Random(os.getpid())
    while time.monotonic() < until:
        ASKED.append({"path": f"/item/{chance.random()}", "body": "x" * 4_000, "value": TABLE[chance.randrange(9)]})
        time.sleep(0.012)
    os._exit(0)


def main():
    until = time.monotonic() + float(sys.argv[1])
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            serve(until)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


main()
