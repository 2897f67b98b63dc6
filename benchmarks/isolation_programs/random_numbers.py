"""A seed gives the same numbers, also beside a fork."""
import os
import random

random.seed(1)
first = random.random()
pid = os.fork()
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0)
print(first, random.random())
