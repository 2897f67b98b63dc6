"""Ends without exit handlers."""
import atexit
import os

atexit.register(print, "never")
os._exit(9)
