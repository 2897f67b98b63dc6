# differs: a dump of all threads shows the recorder's
"""Crashes with the fault handler on."""
import faulthandler
import os
import signal

faulthandler.enable()
os.kill(os.getpid(), signal.SIGSEGV)
