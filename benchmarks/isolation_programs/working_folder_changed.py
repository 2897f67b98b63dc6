"""Goes to another folder, where nothing appears."""
import os
import tempfile
import time

with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    time.sleep(0.3)
    print(os.listdir())
    os.chdir("/")
