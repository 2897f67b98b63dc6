"""Alarms interrupt the main thread fifty times."""
import signal
import time

alarms = []
signal.signal(signal.SIGALRM, lambda *_: alarms.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
while len(alarms) < 50:
    time.sleep(1)
signal.setitimer(signal.ITIMER_REAL, 0)
print("enough")
