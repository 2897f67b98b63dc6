"""A child of another kind, and one of this Python."""
import subprocess
import sys

print(subprocess.run(["sh", "-c", "echo out; echo err >&2; exit 5"], capture_output=True))
print(subprocess.run([sys.executable, "-c", "import sys; print(sys.argv)", "a"], capture_output=True))
