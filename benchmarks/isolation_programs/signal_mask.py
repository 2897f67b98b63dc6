"""The main thread's mask and handlers are Python's own."""
import signal

print(signal.pthread_sigmask(signal.SIG_BLOCK, []))
print([signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE)])
