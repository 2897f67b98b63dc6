"""A supervisor that knows all its children."""
import os

workers = set()
for code in range(5):
    pid = os.fork()
    if pid == 0:
        os._exit(code)
    workers.add(pid)
codes = []
while workers:
    pid, status = os.wait()
    workers.remove(pid)
    codes.append(os.waitstatus_to_exitcode(status))
print(sorted(codes))
