"""Workers read more and more of one shared block: each counts its pages, and there are no more of them."""

import multiprocessing
import sys
import time
from multiprocessing.shared_memory import SharedMemory

SIZE = 96 << 20
PAGE = 4096


def read(block, seconds):
    begin = time.monotonic()
    place = total = 0
    while (spent := time.monotonic() - begin) < seconds:
        while place < min(1.0, spent / seconds) * (SIZE - PAGE):
            total += block.buf[place]
            place += PAGE
        time.sleep(0.1)
    block.close()


def main():
    block = SharedMemory(create=True, size=SIZE)
    for place in range(0, SIZE, PAGE):
        block.buf[place] = 1
    context = multiprocessing.get_context("fork")
    readers = [context.Process(target=read, args=(block, float(sys.argv[1]))) for _ in range(2)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    block.close()
    block.unlink()


main()
