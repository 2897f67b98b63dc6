"""Hooks around a fork run once each."""
import os

calls = []
os.register_at_fork(before=lambda: calls.append("before"), after_in_parent=lambda: calls.append("parent"))
os.register_at_fork(after_in_child=lambda: calls.append("child"))
pid = os.fork()
if pid == 0:
    print(calls, flush=True)
    os._exit(0)
os.waitpid(pid, 0)
print(calls)
