"""Nobody traces or profiles."""
import sys
import tracemalloc

print(tracemalloc.is_tracing(), sys.gettrace(), sys.getprofile(), sys.getswitchinterval())
