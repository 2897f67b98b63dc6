"""A master starts one short process after the other, and keeps what each printed."""

import subprocess
import sys
import time


def main():
    until = time.monotonic() + float(sys.argv[1])
    logs = []
    while time.monotonic() < until:
        code = "import sys; sys.stdout.write('line of a log ' * 4000)"
        logs.append(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        time.sleep(0.1)


main()
