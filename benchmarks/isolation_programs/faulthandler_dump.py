# differs: a dump of all threads shows the recorder's
"""Dumps the tracebacks of all threads."""
import faulthandler
import sys

faulthandler.dump_traceback(file=sys.stdout)
