# flags: -W always
"""Forks beside a thread of the program are warned of, where Python does."""
import os
import re
import sys
import threading
import warnings

warnings.showwarning = lambda message, *rest: print(re.sub(r"\d+", "N", str(message)))
waiting = threading.Event()
threading.Thread(target=waiting.wait).start()
pid = os.fork()
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0)
waiting.set()
sys.exit(0)
