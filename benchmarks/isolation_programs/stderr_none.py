"""Has no standard streams at all."""
import os
import sys
import time

print("streams go", flush=True)
sys.stderr = sys.stdout = None
time.sleep(0.2)
os._exit(12)
