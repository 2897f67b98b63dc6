"""A handler collects the children; there is one."""
import os
import signal
import time

collected = []
signal.signal(signal.SIGCHLD, lambda *_: collected.append(os.waitpid(-1, os.WNOHANG)[1]))
if os.fork() == 0:
    os._exit(6)
deadline = time.monotonic() + 10
while not collected and time.monotonic() < deadline:
    time.sleep(0.01)
time.sleep(0.2)
print(collected)
