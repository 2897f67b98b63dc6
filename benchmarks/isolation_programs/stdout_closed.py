"""Goes on after it closed its standard output."""
import os
import sys
import time

os.close(1)
time.sleep(0.2)
try:
    os.write(1, b"x")
except OSError as error:
    sys.exit(f"{error}")
