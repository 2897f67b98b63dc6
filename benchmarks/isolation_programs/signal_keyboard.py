"""Ctrl-C as an exception."""
import os
import signal
import time

os.kill(os.getpid(), signal.SIGINT)
time.sleep(10)
