# differs: what the recorder cannot do is reported once, in a line of the log
"""Opens files up to a low limit."""
import resource

resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
files = []
try:
    while True:
        files.append(open("/dev/null"))
except OSError as error:
    print(error.strerror, len(files) > 20)
