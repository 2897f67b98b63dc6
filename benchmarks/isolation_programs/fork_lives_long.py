"""A child that lives for many ticks."""
import os
import time

pid = os.fork()
time.sleep(0.5)
if pid == 0:
    print("child ends", flush=True)
    os._exit(0)
os.waitpid(pid, 0)
print("parent ends")
