"""The program becomes itself once."""
import os
import sys

print("pass", len(sys.argv), flush=True)
if len(sys.argv) < 3:
    os.execv(sys.executable, [sys.executable, *sys.argv, "again"])
