"""The program's umask holds for its own files."""
import os
import time

os.umask(0o077)
time.sleep(0.2)
with open("own.txt", "w") as file:
    print(oct(os.fstat(file.fileno()).st_mode), oct(os.umask(0o022)))
