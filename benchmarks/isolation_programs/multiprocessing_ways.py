"""Workers by fork, spawn and a fork server, with their exit codes."""
import multiprocessing
import sys

if __name__ == "__main__":
    for way in ("fork", "spawn", "forkserver"):
        worker = multiprocessing.get_context(way).Process(target=sys.exit, args=(4,))
        worker.start()
        worker.join()
        print(way, worker.exitcode, flush=True)
