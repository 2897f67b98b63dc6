"""Children with flags that shut out the environment and the site."""
import subprocess
import sys

for flags in (["-I"], ["-E"], ["-S"], ["-B", "-O"], ["-X", "utf8"]):
    child = subprocess.run([sys.executable, *flags, "-c", "import sys; print(sys.flags.optimize, sys.flags.utf8_mode)"])
    print(flags, child.returncode, flush=True)
