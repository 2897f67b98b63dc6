"""A server of many forked workers that each watch themselves into one ledger; some are killed.

Each worker retains a little of what it was asked. Once a second it writes to a pipe how many marks its recorder took,
and what processor time it has used. ``prefork_server.py SECONDS WORKERS KILLS SEED OPTIONS``: options of ``watch`` as JSON, or
nothing is watched where they are ``null``.
"""

import json
import os
import random
import signal
import sys
import threading
import time

ASKED = []
STEP_S = 0.25
STEPS_OF_A_REPORT = 4
MARKS = 40
"""That a worker takes. Each is written to disk at once: one a second would be half of what watching costs."""


def serve(recorder, seconds, until, pipe):
    if recorder is not None:
        recorder.start()
    step, taken, marking_s = 0, 0, 0.0
    steps_of_a_mark = STEPS_OF_A_REPORT * max(1, round(seconds / MARKS))
    while time.monotonic() < until:
        ASKED.append([{"path": f"/item/{number}", "body": "x" * 200} for number in range(25)])
        time.sleep(STEP_S)
        step += 1
        if step % STEPS_OF_A_REPORT == 0:
            began_s = time.thread_time()
            if step % steps_of_a_mark == 0 and recorder is not None:
                taken += recorder.mark(f"mark {taken + 1}")
            marking_s += time.thread_time() - began_s  # marks are the benchmark's own
            os.write(pipe, f"{os.getpid()} {taken} {time.monotonic()} {time.process_time() - marking_s}\n".encode())
    if recorder is not None:
        recorder.stop(seal=False)
    os._exit(0)


def main():
    seconds, n_workers, kills, seed = float(sys.argv[1]), *(int(text) for text in sys.argv[2:5])
    chance, recorder, options = random.Random(seed), None, json.loads(sys.argv[5])
    if options is not None:
        import memanalysis

        recorder = memanalysis.watch("shop", **options)
        recorder.start()
    reading, writing = os.pipe()
    until = time.monotonic() + seconds
    workers = []
    for _ in range(n_workers):
        child = os.fork()
        if child == 0:
            serve(recorder, seconds, until, writing)
        workers.append(child)
    os.close(writing)
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(os.fdopen(reading)))
    reader.start()
    victims = chance.sample(workers, kills)
    for moment, victim in sorted((chance.uniform(0.5, 0.95) * seconds, victim) for victim in victims):
        time.sleep(max(0.0, until - seconds + moment - time.monotonic()))
        os.kill(victim, signal.SIGKILL)
    for worker in workers:
        os.waitpid(worker, 0)
    reader.join()
    if recorder is not None:
        recorder.stop(seal=False)
    print(json.dumps({"victims": victims, "written": [line.split() for line in lines]}))


main()
