# flags: -W always
"""Forks in a process without threads of its own are not warned of."""
import os
import time

for _ in range(20):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    time.sleep(0.01)
print("no warning")
