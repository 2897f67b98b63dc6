"""Loaders of a data set that is a list of objects: workers take indices from a queue, and read."""

import multiprocessing
import queue
import random
import sys
import time


def load(rows, indices, batches):
    while (batch := indices.get()) is not None:
        batches.put(sum(len(rows[index]["name"]) + rows[index]["label"] for index in batch))


def main():
    until = time.monotonic() + float(sys.argv[1])
    rows = [{"name": f"/data/images/{number:08d}.jpg", "label": number % 10} for number in range(200_000)]
    context = multiprocessing.get_context("fork")
    indices, batches = context.Queue(), context.Queue()
    loaders = [context.Process(target=load, args=(rows, indices, batches)) for _ in range(2)]
    for loader in loaders:
        loader.start()
    chance = random.Random(1)
    while time.monotonic() < until:
        first = chance.randrange(len(rows) - 500)
        indices.put(range(first, first + 500))
        try:
            batches.get(timeout=5)
        except queue.Empty:
            break
        time.sleep(0.02)
    for _ in loaders:
        indices.put(None)
    for loader in loaders:
        loader.join()


main()
