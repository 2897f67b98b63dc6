"""A master hands each frame to its worker in a shared block of its own, and never closes one."""

import multiprocessing
import sys
import time
from multiprocessing.shared_memory import SharedMemory

SIZE = 64 << 10


def consume(names):
    while (name := names.get()) is not None:
        block = SharedMemory(name=name)
        sum(block.buf[::4096])
        block.close()


def main():
    until = time.monotonic() + float(sys.argv[1])
    blocks = [SharedMemory(create=True, size=SIZE)]  # before the fork: the worker shares what tracks the blocks
    context = multiprocessing.get_context("fork")
    names = context.Queue()
    worker = context.Process(target=consume, args=(names,))
    worker.start()
    while time.monotonic() < until:
        block = SharedMemory(create=True, size=SIZE)
        block.buf[:] = bytes([len(blocks) % 200 + 1]) * SIZE
        blocks.append(block)
        names.put(block.name)
        time.sleep(0.15)
    names.put(None)
    worker.join()
    for block in blocks:
        block.close()
        block.unlink()


main()
