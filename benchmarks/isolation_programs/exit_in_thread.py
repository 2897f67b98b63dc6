"""A thread calls sys.exit, which ends that thread alone."""
import sys
import threading

thread = threading.Thread(target=sys.exit, args=(5,))
thread.start()
thread.join()
print("goes on")
