"""The main thread is the main thread, and its local data its own."""
import threading

print(threading.main_thread().name, threading.get_ident() == threading.main_thread().ident)
