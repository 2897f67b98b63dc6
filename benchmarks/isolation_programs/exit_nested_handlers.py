"""Exit handlers run last first, and one of them fails."""
import atexit

atexit.register(print, "first")
atexit.register(lambda: 1 / 0)
atexit.register(print, "last")
