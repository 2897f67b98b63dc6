"""No child is there that the program did not start."""
import os
import time

time.sleep(0.3)
try:
    os.wait()
except ChildProcessError as error:
    print(error)
