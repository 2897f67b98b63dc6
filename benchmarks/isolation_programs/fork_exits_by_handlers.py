"""A child that runs the exit handlers of its parent."""
import atexit
import os
import sys

atexit.register(lambda: print("handler", os.getpid() == parent, flush=True))
parent = os.getpid()
pid = os.fork()
if pid == 0:
    sys.exit(2)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
