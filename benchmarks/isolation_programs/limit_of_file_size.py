# differs: what the recorder cannot do is reported once, in a line of the log
"""May not write more than some bytes into a file."""
import resource
import signal
import time

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
time.sleep(0.2)
try:
    with open("own.bin", "wb", 0) as file:
        print(file.write(b"x" * 5000))
except OSError as error:
    print(error.strerror)
