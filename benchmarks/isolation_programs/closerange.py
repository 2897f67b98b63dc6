"""Closes what is open, and writes files of its own under these numbers."""
import os
import time

os.closerange(3, 256)
files = [open(f"own{n}.bin", "wb", 0) for n in range(12)]
time.sleep(0.5)
print([file.write(b"12345") and os.fstat(file.fileno()).st_size for file in files])
