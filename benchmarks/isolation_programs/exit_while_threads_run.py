"""A thread that is no daemon is waited for, a daemon is not."""
import threading
import time

threading.Thread(target=lambda: (time.sleep(0.2), print("done"))).start()
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print("main ends")
