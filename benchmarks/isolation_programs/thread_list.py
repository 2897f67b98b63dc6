# differs: a program that lists its threads sees the recorder's
"""Lists its threads."""
import threading

print(sorted(thread.name for thread in threading.enumerate()))
