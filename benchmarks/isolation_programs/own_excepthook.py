"""The program prints its errors itself."""
import sys

sys.excepthook = lambda kind, error, trace: print("mine:", kind.__name__, error)
raise ValueError(1)
