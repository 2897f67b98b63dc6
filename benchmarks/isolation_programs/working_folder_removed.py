"""Works on in a folder that is gone."""
import os
import tempfile
import time

folder = tempfile.mkdtemp()
os.chdir(folder)
os.rmdir(folder)
time.sleep(0.3)
try:
    print(os.getcwd())
except FileNotFoundError as error:
    print(error)
