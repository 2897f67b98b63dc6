"""Reads what comes in."""
import sys

print([line.upper() for line in sys.stdin])
