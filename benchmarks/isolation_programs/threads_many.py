"""Fifty threads."""
import threading

found = []
threads = [threading.Thread(target=found.append, args=(n,)) for n in range(50)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sorted(found) == list(range(50)), threading.current_thread() is threading.main_thread())
