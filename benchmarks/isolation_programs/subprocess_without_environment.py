"""A child with an empty environment."""
import subprocess
import sys

print(subprocess.run([sys.executable, "-c", "print('bare')"], env={}, capture_output=True))
