"""An address space of half a gigabyte more than now."""
import resource

pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + (512 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    bytearray(1 << 30)
except MemoryError:
    print("refused")
