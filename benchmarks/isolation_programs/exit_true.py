"""Ends with a truth value as its exit code."""
import sys

sys.exit(True)
