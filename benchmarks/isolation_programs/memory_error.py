"""An address space that is too small for one block."""
try:
    bytearray(1 << 60)
except MemoryError:
    print("refused")
